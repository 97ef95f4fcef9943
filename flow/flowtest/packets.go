package flowtest

import (
	"cmp"
	"net/netip"
	"time"

	"telltale/flow"
)

// Tunnelled is the address of a built device within the tunnel, and Resolver that of
// the resolver that it asks.
var (
	Tunnelled = netip.MustParseAddrPort("10.99.0.2:50123")
	Resolver  = netip.MustParseAddrPort("10.99.0.1:53")
)

// DNS returns one question for the address of a name, answered with [Target]. Options
// change what was asked and answered: [Question], [Answers].
func DNS(name string, opts ...Option) *flow.Flow {
	f := packets(flow.DNS, flow.Completed, name+":53")
	f.Server.Destination, f.Server.Dialed = Resolver, netip.MustParseAddrPort("192.0.2.53:53")
	f.DNS = &flow.Question{Name: name, Type: "A", Code: "NOERROR", Answers: []flow.Answer{
		{Name: name, Type: "A", TTL: 300 * time.Second, Data: Target.String()},
	}}
	return apply(f, opts)
}

// Datagrams returns a UDP conversation that was forwarded unread. The target is
// "address:port"; the option [Resolved] says for which name DNS gave it.
func Datagrams(target string, opts ...Option) *flow.Flow {
	f := packets(flow.UDP, flow.Tunnelled, target)
	f.Sent, f.Received, f.DatagramsSent, f.DatagramsReceived = 48, 48, 1, 1
	return apply(f, opts)
}

// QUIC returns a QUIC conversation with port 443 of an address that was refused, so
// that the client comes back over TCP. The name is that of its hello.
func QUIC(addr, name string, opts ...Option) *flow.Flow {
	f := packets(flow.UDP, flow.QUICRefused, withPort(addr, "443"))
	f.Speech, f.Server.SNI, f.Server.Dialed = "QUIC v1", name, netip.AddrPort{}
	f.Client.Hello = &flow.ClientHello{ServerName: name, ALPN: []string{"h3"}, Versions: []uint16{0x0304}, JA4: "q13d0310h3_55b375c5d22e_cd85d2d88918"}
	f.Sent, f.DatagramsSent = 1200, 1
	return apply(f, opts)
}

// Ping returns echo requests to an address, answered by telltale.
func Ping(addr string, opts ...Option) *flow.Flow {
	f := packets(flow.ICMP, flow.Completed, addr)
	f.Server.Dialed = netip.AddrPort{}
	f.Sent, f.Received, f.DatagramsSent, f.DatagramsReceived = 56, 56, 1, 1
	return apply(f, opts)
}

// Packets returns packets of another protocol over IP to an address.
func Packets(addr, protocol string, opts ...Option) *flow.Flow {
	f := packets(flow.IP, flow.DestinationDenied, addr)
	f.Server.Dialed, f.Speech = netip.AddrPort{}, protocol
	f.Sent, f.DatagramsSent = 100, 1
	return apply(f, opts)
}

// Seen returns a contact with "host" or "host:port" of which a phone's own record says
// that an app made it.
func Seen(target, appName, appID string, opts ...Option) *flow.Flow {
	f := &flow.Flow{
		ID: 1, Kind: flow.Contact, Mode: "privacy-report", Outcome: flow.Seen, Server: flow.Server{Asked: target},
		Client: flow.Client{App: flow.App{Name: appName, ID: appID}}, Times: flow.NoTimes(Epoch),
	}
	f.Times.End = Epoch
	return apply(f, opts)
}

// Resolved sets the name for which DNS gave the device the address.
func Resolved(name string) Option { return func(f *flow.Flow) { f.Server.Resolved = name } }

// Destination sets where the device's packets were addressed to, "192.0.2.1:443".
func Destination(addr string) Option {
	return func(f *flow.Flow) { f.Server.Destination = netip.MustParseAddrPort(addr) }
}

// AppOf says which app made the flow, as a phone's own record does.
func AppOf(name, id string) Option {
	return func(f *flow.Flow) { f.Client.App = flow.App{Name: name, ID: id} }
}

// Speech names the protocol that was recognised in what was not read.
func Speech(name string) Option { return func(f *flow.Flow) { f.Speech = name } }

// Noted adds what was noticed beside the outcome.
func Noted(notes ...string) Option { return func(f *flow.Flow) { f.Notes = append(f.Notes, notes...) } }

// JA4 sets the fingerprint of the client's hello.
func JA4(fingerprint string) Option {
	return func(f *flow.Flow) {
		hello := flow.ClientHello{}
		if f.Client.Hello != nil {
			hello = *f.Client.Hello
		}
		hello.JA4 = fingerprint
		f.Client.Hello = &hello
	}
}

// Question sets the type of a question of DNS and the code of its response, "" for a
// question without one, and takes its answers away.
func Question(kind, code string) Option {
	return func(f *flow.Flow) { f.DNS = &flow.Question{Name: f.DNS.Name, Type: kind, Code: code} }
}

// Answers adds what a question was answered: records of its own type for its own name.
func Answers(data ...string) Option {
	return func(f *flow.Flow) {
		q := *f.DNS
		for _, d := range data {
			q.Answers = append(q.Answers[:len(q.Answers):len(q.Answers)], flow.Answer{Name: q.Name, Type: q.Type, TTL: time.Minute, Data: d})
		}
		f.DNS = &q
	}
}

// packets returns what flows of the tunnel share.
func packets(kind flow.Kind, outcome flow.Outcome, asked string) *flow.Flow {
	f := connection(asked)
	f.Kind, f.Outcome, f.Mode, f.Client.Addr = kind, outcome, "wireguard", Tunnelled
	host, port := flow.SplitHostPort(asked)
	if addr, err := netip.ParseAddr(host); err == nil {
		f.Server.Destination = netip.AddrPortFrom(addr, portNumber(cmp.Or(port, "0")))
		f.Server.Dialed = f.Server.Destination
	}
	f.Times = flow.NoTimes(Epoch)
	f.Times.End = Epoch.Add(100 * time.Millisecond)
	return f
}
