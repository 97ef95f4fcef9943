// Package diagnosis says why connections of a device cannot be read: which of the
// many causes of a refused handshake it is, how sure that is, from which evidence,
// and what to do next.
//
// A [Collector] counts what the flows of one device show; [Of] is a pure function
// from that to diagnoses. What is counted does not depend on the order of the
// flows and has bounds, so that a capture of last year and a live audit give the
// same answer.
//
// It does not see the network, judges nothing, and promises no certainty where there
// is none: a client that refuses our certificate never says why.
package diagnosis

import "time"

// Cause is what keeps connections from being read.
type Cause string

// The causes.
const (
	NotInstalled  Cause = "ca-not-installed" // the device does not have our certificate authority
	NotTrusted    Cause = "ca-not-trusted"   // it has fetched it, and does not trust it yet (iOS: the second switch)
	UserCAIgnored Cause = "user-ca-ignored"  // Android 7 and later: apps trust the system's authorities alone
	AppPinning    Cause = "app-pinning"      // the app accepts only certificates of its own choice
	SystemPinning Cause = "system-pinning"   // services of Apple or Google, which refuse every interception
	ProxyIgnored  Cause = "proxy-ignored"    // the app does not use the proxy: Flutter, sockets of its own
	WrongClock    Cause = "wrong-clock"      // the device's date is outside the certificate's validity
	NoCommonTLS   Cause = "no-common-tls"    // client and proxy found no version or cipher in common
	HiddenByRelay Cause = "hidden-by-relay"  // iCloud Private Relay, a VPN or DNS over HTTPS leads round the proxy
)

// Causes lists every cause, the most important first: the order of diagnoses.
var Causes = []Cause{NotInstalled, NotTrusted, WrongClock, NoCommonTLS, UserCAIgnored, AppPinning, ProxyIgnored, HiddenByRelay, SystemPinning}

// Certainty is how much a diagnosis can be relied on.
type Certainty string

// The degrees of certainty.
const (
	Certain  Certainty = "certain"  // nothing else explains the evidence
	Likely   Certainty = "likely"   // other explanations are rare
	Possible Certainty = "possible" // one explanation among several, and the next step tells
)

// MaxHosts bounds the hosts that a diagnosis lists.
const MaxHosts = 20

// Diagnosis is one answer. Names from the wire in its texts, hosts and app are
// harmless on a terminal (flow/plain).
type Diagnosis struct {
	Cause     Cause
	Certainty Certainty
	Title     string   // one line, without a full stop: "the app pins its certificates"
	App       string   // User-Agent of who refuses, as far as it is known; ""
	Hosts     []string // whose connections it explains, sorted, at most MaxHosts
	MoreHosts int      // further ones
	// Connections is how many contacts it explains; 0 where it is about those that
	// never came, or where the set-up page's own test is all there is.
	Connections int
	First, Last time.Time // of these connections; zero without any
	// Evidence is what was observed, a sentence each, the strongest first.
	Evidence []string
	// Next is what to do, a step each, the first one first. A command stands between
	// backticks, a menu too.
	Next []string
}

// Known is what is known beside the evidence.
type Known struct {
	// App reports whether a User-Agent is that of the app under test; nil when nobody
	// said which flows are the app's.
	App func(userAgent string) bool
	// Now tells what takes long; zero: the audit is over.
	Now time.Time
}

// Evidence is what the flows of one device show, at one moment. It never changes.
type Evidence struct{ state state }
