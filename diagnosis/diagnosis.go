// Package diagnosis says why connections of a device cannot be read: which of the
// many causes of a refused handshake it is, how sure that is, from which evidence,
// and what to do next.
//
// A [Collector] counts what the flows of one device show; [Of] is a pure function
// from that to diagnoses. What is counted does not depend on the order of the
// flows and has bounds, so that a capture of last year and a live audit give the
// same answer. A device costs some tens of kilobytes; one that makes up programs and
// hosts as long as it can, 7 MB.
//
// The rules, by what is seen. A program is all that bears one User-Agent; connections
// that bear none belong to the one program with the same TLS stack, if there is one.
//
//	nothing was ever read, and the device refuses
//	  nearly all of it is about the date                     wrong-clock, and nothing else
//	  only parts of the system do, at services of its maker  system-pinning (it tells nothing more)
//	  it did not fetch the certificate                       ca-not-installed
//	  it fetched it before                                   ca-not-trusted
//	the device trusts us: something was read, or the set-up page's test succeeded
//	  what was read is refused, and nothing is read any more ca-not-trusted (no longer)
//	  a program refuses the set-up page's own test           ca-not-installed (there)
//	  a program refuses some hosts, others of it are read    app-pinning
//	  it leaves without a request, again and again           app-pinning
//	  it refuses everything, and is
//	    a browser, or a program with a trust store           ca-not-installed (there)
//	    an app on Android 7 or later                         user-ca-ignored
//	    something else                                       app-pinning (or a store of its own)
//	  parts of a system refuse services of its maker         system-pinning
//	  the app under test was seen on no device in a minute   proxy-ignored
//	  names are looked up and never contacted                proxy-ignored
//	whenever
//	  a program says that the date is what it does not like  wrong-clock
//	  handshakes fail for want of a version or cipher        no-common-tls
//	  hosts of iCloud Private Relay were contacted           hidden-by-relay
//
// What was refused before the device first trusted us is history, and so are the alerts
// of that time. docs/diagnosis.md has the same for people, with what programs really
// send, and sources.
//
// It does not see the network, judges nothing, and promises no certainty where there
// is none: a client that refuses our certificate never says why. [Troubles] counts what
// keeps an audit from working that is no device's doing.
//
// To debug it: every rule is a situation in situations_test.go, and what is said of it
// stands in testdata/situations.txt.
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
	HiddenByRelay Cause = "hidden-by-relay"  // iCloud Private Relay, a VPN or encrypted DNS leads round the proxy
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
	// Key tells the diagnoses of one device apart: no two have the same, and it stays
	// while evidence grows, as long as the diagnosis is about the same cause at the same
	// program, or service. It is the cause and, behind slashes, a word and a digest:
	// harmless everywhere, and nothing from the wire can be read in it.
	Key       string
	Cause     Cause
	Certainty Certainty
	Title     string   // one line, without a full stop: "the app pins its certificates"
	App       string   // User-Agent of who refuses, as far as it is known; ""
	Hosts     []string // whose connections it explains, sorted, at most MaxHosts
	MoreHosts int      // further ones
	// Connections is how many contacts it explains; 0 where it is about those that
	// never came, or where the set-up page's own test is all there is.
	Connections int
	// AtLeast is that there may be more connections and hosts: a bound of what is kept
	// of a device cut them off.
	AtLeast bool
	// Guess is that all of these connections named no program: that they are of App
	// rests on the TLS stack alone.
	Guess       bool
	First, Last time.Time // of these connections; zero without any
	// Evidence is what was observed, a sentence each, the strongest first.
	Evidence []string
	// Next is what to do, a step each, the first one first. A command stands between
	// backticks, a menu too.
	Next []string
}

// Blocks reports whether it says that content of contacts that were made stays unread
// though it might be read. Services of the system's maker are expected to refuse,
// what leads round the proxy, as far as anybody can tell, left no contact to read, and
// whose the connections are that a guess explains is not known.
func (d Diagnosis) Blocks() bool {
	if d.Guess && d.Certainty == Possible {
		return false
	}
	switch d.Cause {
	case SystemPinning, HiddenByRelay:
		return false
	case ProxyIgnored:
		return d.Certainty != Possible
	}
	return true
}

// Known is what is known beside the evidence.
type Known struct {
	// App reports whether a User-Agent is that of the app under test; nil when nobody
	// said which flows are the app's.
	App func(userAgent string) bool
	// AppSeen is that some device of the audit made contacts as the app: then it is not
	// missed on the others.
	AppSeen bool
	// Mask hides what must not be shown in a text from the wire; nil for nothing. It is
	// given hosts and User-Agents before anything is cut off them. Of those that were
	// longer than what is kept of them (256 bytes), the 128 bytes at the cut are not shown
	// then: there a value may have lost the part by which Mask knows it.
	Mask func(text string) string
	// Now tells what takes long; zero: the audit is over.
	Now time.Time
}

// Evidence is what the flows of one device show, at one moment. It never changes.
type Evidence struct{ state state }
