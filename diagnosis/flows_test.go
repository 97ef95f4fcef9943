package diagnosis_test

import (
	"telltale/diagnosis"
	"telltale/flow"
	"telltale/flow/flowtest"
)

// read is an exchange whose content was seen.
func read(agent, host string, opts ...flowtest.Option) *flow.Flow {
	return flowtest.Get("https://"+host+"/", append([]flowtest.Option{flowtest.UserAgentOf(agent)}, opts...)...)
}

// tunnel is a connection that was not read, with the User-Agent of its CONNECT.
func tunnel(outcome flow.Outcome, agent, host, alert string, opts []flowtest.Option) *flow.Flow {
	f := flowtest.Refused(host)
	f.Outcome, f.Client.Hello.Alert = outcome, alert
	f.Request = &flow.Request{Method: "CONNECT"}
	if agent != "" {
		f.Request.Header = []flow.Field{flow.NewField("User-Agent", agent)}
	}
	for _, o := range opts {
		o(f)
	}
	return f
}

func refused(agent, host, alert string, opts ...flowtest.Option) *flow.Flow {
	return tunnel(flow.ClientRefused, agent, host, alert, opts)
}

func failed(agent, host, alert string, opts ...flowtest.Option) *flow.Flow {
	return tunnel(flow.HandshakeFailed, agent, host, alert, opts)
}

// silent is a connection on which TLS was accepted and nothing was said.
func silent(agent, host string, opts ...flowtest.Option) *flow.Flow {
	f := tunnel(flow.ClientSilent, agent, host, "", opts)
	f.Client.TLS = 0x0304
	return f
}

// served is a page or file of telltale itself.
func served(agent, url string, opts ...flowtest.Option) *flow.Flow {
	f := flowtest.Get(url, append([]flowtest.Option{flowtest.UserAgentOf(agent)}, opts...)...)
	f.Outcome, f.Server.Asked = flow.Served, ""
	return f
}

// stack sets the TLS stack of the client.
func stack(name string) flowtest.Option {
	return func(f *flow.Flow) { f.Client.Hello.JA4 = "t13d1516h2_" + name + "_02713d6af862" }
}

func collector(flows ...*flow.Flow) *diagnosis.Collector {
	c := &diagnosis.Collector{}
	for _, f := range flows {
		c.Add(f)
	}
	return c
}

func collect(flows ...*flow.Flow) *diagnosis.Evidence { return collector(flows...).Evidence() }

// beside is the way in of questions that are seen beside the connections that follow.
var beside = flowtest.Mode("transparent")
