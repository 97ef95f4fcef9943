// Package attribution says which app made a flow, and how that is known.
//
// A [Book] learns from every flow of an audit ([Book.Learn]) and answers of any of them
// ([Book.Of]). It knows these ways, the strongest first:
//
//   - [Said]: the phone's own record names the app of this very flow;
//   - [Agent]: the flow has a User-Agent with the name of its app;
//   - [Record]: the phone's own record has the same host, and one app alone contacted it;
//   - [Fingerprint]: one app alone used the TLS fingerprint of the flow on that device;
//   - [Host]: one app alone contacted the host on that device. It is for questions of DNS
//     and for datagrams, which ask before an app connects, or are tried beside it.
//
// The first two are what somebody said, the others are conclusions, and are worded so
// ("likely"). Where several apps fit, there is no answer, and the apps are listed. A
// User-Agent that only names a library (okhttp, Dart) names no app: what has its fingerprint
// may be any.
//
// It promises that the answers depend on the flows alone, not on their order, nor on how
// often one is told, and that memory is bounded: a way of which there is more to remember
// than fits gives no answers any more, rather than different ones each time. It rests
// nothing on its answers: a User-Agent can lie, and so can a hello.
//
// To see why a flow has an app, read [Attribution.Words]; to see why it has none, look at
// what other flows of the device have its JA4 (`telltale flows --where 'ja4 == "…"'`).
package attribution

import (
	"cmp"
	"net/netip"
	"strings"

	"telltale/flow"
)

// How says how the app of a flow is known.
type How string

// The ways of knowing, the strongest first. "" is not knowing.
const (
	Said        How = "said"        // by the phone, of this flow
	Agent       How = "user-agent"  // by the flow's own User-Agent
	Record      How = "record"      // of its host, by the phone's own record
	Fingerprint How = "fingerprint" // by the TLS or QUIC fingerprint that only one app has on the device
	Host        How = "host"        // by the host, which only one app contacted on the device
)

// Hows lists the ways of knowing, the strongest first.
var Hows = []How{Said, Agent, Record, Fingerprint, Host}

// Certain reports whether somebody said so; else it is a conclusion.
func (h How) Certain() bool { return h == Said || h == Agent }

// Attribution is what is known of the app that made a flow. Its texts are on one line
// and show as themselves on a terminal.
type Attribution struct {
	App string // its name, else its ID; "" when it is not known
	ID  string // bundle identifier or package name; "" when unknown
	How How    // "" when the app is not known
	// Words is a sentence part on it: "CovidShield, by its User-Agent", "likely
	// CovidShield: …". It says which apps fit where several do, and is "" when none does.
	Words string
	// Others are the apps that fit, sorted, where several do: at most MaxApps.
	Others []string
}

// MaxApps is how many apps are remembered of a fingerprint or a host. What that many
// share tells nothing.
const MaxApps = 8

// Known reports whether the app is known.
func (a Attribution) Known() bool { return a.How != "" }

// A Trace is what a flow tells of its app. It can be kept in place of the flow, and
// compared.
type Trace struct {
	app    flow.App // that somebody named
	how    How      // Said or Agent where somebody did
	device netip.Addr
	host   string
	ja4    string
	asks   bool // a question of DNS, or datagrams
	// nameless is set where there is a User-Agent, and it names no app.
	nameless bool
}

// Named reports whether the flow's own User-Agent or the phone's own record names its app.
func (t Trace) Named() bool { return t.how != "" }

// ByAgent reports whether it is the User-Agent that does.
func (t Trace) ByAgent() bool { return t.how == Agent }

// Compare orders traces: any order, but always the same.
func (t Trace) Compare(o Trace) int {
	return cmp.Or(
		strings.Compare(string(t.how), string(o.how)), compareApps(t.app, o.app), t.device.Compare(o.device),
		strings.Compare(t.host, o.host), strings.Compare(t.ja4, o.ja4), strings.Compare(t.kind(), o.kind()),
	)
}

func (t Trace) kind() string {
	switch {
	case t.asks:
		return "asks"
	case t.nameless:
		return "nameless"
	}
	return ""
}

// Detach returns the trace with texts of its own, so that it keeps no flow in memory.
func (t Trace) Detach() Trace {
	t.app = flow.App{Name: strings.Clone(t.app.Name), ID: strings.Clone(t.app.ID)}
	t.host, t.ja4 = strings.Clone(t.host), strings.Clone(t.ja4)
	return t
}
