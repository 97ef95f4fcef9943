package diagnosis_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"telltale/diagnosis"
	"telltale/flow"
	"telltale/flow/flowtest"
)

func troublesOf(flows ...*flow.Flow) *diagnosis.Troubles {
	t := &diagnosis.Troubles{}
	for _, f := range flows {
		t.Add(f)
	}
	return t
}

// dated is an exchange whose server's clock is ahead by this much.
func dated(host string, ahead time.Duration, opts ...flowtest.Option) *flow.Flow {
	date := flowtest.Epoch.Add(ahead).Format(http.TimeFormat)
	return flowtest.Get("https://"+host+"/", append(opts, flowtest.ResponseHeader("Date", date))...)
}

func TestTroublesOfServers(t *testing.T) {
	flows := []*flow.Flow{
		flowtest.Failed("https://gone.example/", flow.FailureDNS),
		flowtest.Failed("https://gone.example/a", flow.FailureDNS),
		flowtest.Failed("https://other.example/", flow.FailureDNS, flowtest.From("192.168.1.40:1")),
		flowtest.Failed("https://self-signed.example/", flow.FailureCertificate),
		flowtest.Get("https://127.0.0.1/", flowtest.Outcome(flow.DestinationDenied)),
		flowtest.Get("https://fine.example/"),
		flowtest.Failed("https://setup.telltale/", flow.FailureDNS), // no contact
	}
	for range 5 {
		rand.Shuffle(len(flows), func(i, k int) { flows[i], flows[k] = flows[k], flows[i] })
		tr := troublesOf(flows...)
		want := "[{dns 3 [gone.example other.example] 0} {certificate 1 [self-signed.example] 0} {local 1 [127.0.0.1] 0}]"
		if got := fmt.Sprint(tr.Failures(nil)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if got := fmt.Sprint(tr.Failures(func(client string) bool { return client == "192.168.1.40" })); got != "[{dns 1 [other.example] 0}]" {
			t.Errorf("of one device: %s", got)
		}
	}
}

func TestTroublesListsFewHosts(t *testing.T) {
	var tr diagnosis.Troubles
	for i := range diagnosis.MaxHosts + 3 {
		tr.Add(flowtest.Failed(fmt.Sprintf("https://h%02d.example/", i), flow.FailureTimeout))
	}
	got := tr.Failures(nil)
	if len(got) != 1 || len(got[0].Hosts) != diagnosis.MaxHosts || got[0].MoreHosts != 3 || !slices.IsSorted(got[0].Hosts) {
		t.Errorf("%+v", got)
	}
}

func TestTroublesTurnedAway(t *testing.T) {
	deny := func(from, why string) *flow.Flow {
		f := flowtest.Tunnel("a.example:443", flowtest.Outcome(flow.ClientDenied), flowtest.From(from))
		f.Error = why
		return f
	}
	tr := troublesOf(
		deny("203.0.113.9:1", "the client 203.0.113.9 has a public address: it must be named to be let in"),
		deny("203.0.113.9:2", "the client 203.0.113.9 has a public address: it must be named to be let in"),
		deny("192.168.1.5:1", "the client did not give the proxy's user and password"),
	)
	want := "[{192.168.1.5 the client did not give the proxy's user and password 1} {203.0.113.9 the client has a public address: it must be named to be let in 2}]"
	if got := fmt.Sprint(tr.TurnedAway(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := tr.TurnedAway(func(c string) bool { return c == "192.168.1.5" }); len(got) != 1 {
		t.Errorf("of one device: %v", got)
	}
	if got := tr.Failures(nil); got != nil {
		t.Errorf("who is turned away contacts nobody: %v", got)
	}
}

func TestTroublesSkew(t *testing.T) {
	hour := time.Hour
	for name, test := range map[string]struct {
		flows []*flow.Flow
		want  time.Duration
	}{
		"nothing":     {nil, 0},
		"right":       {[]*flow.Flow{dated("a.example", 0), dated("b.example", time.Second)}, 0},
		"one server":  {[]*flow.Flow{dated("a.example", hour)}, 0},
		"disagree":    {[]*flow.Flow{dated("a.example", hour), dated("b.example", 0), dated("c.example", 0)}, 0},
		"behind":      {[]*flow.Flow{dated("a.example", -hour), dated("b.example", -hour)}, -hour},
		"from caches": {[]*flow.Flow{dated("a.example", -hour), dated("a.example", 0), dated("b.example", 0)}, 0},
		"aged":        {[]*flow.Flow{dated("a.example", -hour, flowtest.ResponseHeader("Age", "3600")), dated("b.example", -hour)}, 0},
		"no date":     {[]*flow.Flow{flowtest.Get("https://a.example/", flowtest.ResponseHeader("Date", "yesterday")), dated("b.example", hour)}, 0},
	} {
		if got := troublesOf(test.flows...).Skew(); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
	ahead := troublesOf(dated("a.example", hour), dated("b.example", hour)).Skew()
	if ahead < hour-time.Minute || ahead > hour {
		t.Errorf("ahead: %v", ahead)
	}
}
