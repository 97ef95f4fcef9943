package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"

	"telltale/flow"
)

// Rule names one kind of violation, as it appears in reports and policy files.
type Rule string

// The rules.
const (
	HostNotAllowed     Rule = "host-not-allowed"
	CaptivePortalProbe Rule = "captive-portal-probe"
	Tracker            Rule = "tracker"
	HostDenied         Rule = "host-denied"
	Cleartext          Rule = "cleartext"
	WeakTLS            Rule = "weak-tls"
	InvalidCertificate Rule = "invalid-certificate"
	HostMismatch       Rule = "host-mismatch"
	ValueLeaked        Rule = "value-leaked"
	IdentifierLeaked   Rule = "identifier-leaked"
	Undecryptable      Rule = "undecryptable"
	EncryptedDNS       Rule = "encrypted-dns"
	// The rules of what the app says of its own privacy; see [Policy.Declare].
	UndeclaredTracking    Rule = "undeclared-tracking"
	UndeclaredData        Rule = "undeclared-data"
	NetworkSecurityConfig Rule = "network-security-config"
)

// OfContact reports whether a rule is about who is contacted, which a permission
// can change, and not about how.
func (r Rule) OfContact() bool {
	switch r {
	case HostDenied, Tracker, CaptivePortalProbe, HostNotAllowed:
		return true
	}
	return false
}

// Rules lists every rule, the most specific first. Waivers may name any of them.
var Rules = []Rule{
	HostDenied, Tracker, CaptivePortalProbe, HostNotAllowed, HostMismatch, Cleartext, WeakTLS,
	InvalidCertificate, ValueLeaked, IdentifierLeaked, Undecryptable, EncryptedDNS,
	UndeclaredTracking, UndeclaredData, NetworkSecurityConfig,
}

// Verdict is what the policy says of one flow, and of one host.
type Verdict string

// The verdicts, in growing order of weight: a host has the heaviest of its flows.
const (
	Unjudged  Verdict = ""          // not a contact: nothing to judge
	Ignored   Verdict = "ignored"   // the device's own noise
	Allowed   Verdict = "allowed"   // on the allow-list
	Waived    Verdict = "waived"    // a violation that does not count: a waiver excuses it until a date, or a baseline has it
	Violation Verdict = "violation" // neither allowed nor ignored nor waived
)

// Weight orders verdicts, so that the heaviest of several can be kept.
func (v Verdict) Weight() int {
	switch v {
	case Ignored:
		return 1
	case Allowed:
		return 2
	case Waived:
		return 3
	case Violation:
		return 4
	}
	return 0
}

// Severity is how bad a finding is.
type Severity string

// The severities, in SARIF's words (SARIF 2.1.0, 3.27.10).
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// Source is the place in a policy that decided: a line of the file, or a flag.
type Source struct {
	File string // "" for the default policy and for --allow
	Line int    // 1-based; 0 when there is no file
	Text string // the deciding entry as written, or what stands for it: "nothing allows this host"
}

// String returns the place and the entry: "telltale.yaml:7: *.canada.ca".
func (s Source) String() string {
	switch {
	case s.File != "" && s.Line > 0:
		return fmt.Sprintf("%s:%d: %s", s.File, s.Line, s.Text)
	case s.File != "":
		return s.File + ": " + s.Text
	}
	return s.Text
}

// A Finding is one breach of the policy by one flow. Findings with one
// fingerprint are one violation with a count.
type Finding struct {
	Rule     Rule
	Severity Severity
	Host     string // canonical; who gets the blame
	Subject  string // what distinguishes violations of one rule on one host: a value's name; often ""
	Category string // the catalogue's class of the host ("captive-portal", "advertising"); ""
	Owner    string // who runs or sends it, from the catalogue; ""
	Title    string // one line: what it is
	// Message says why it matters and what the evidence is, in plain words.
	Message string
	Remedy  string // how to make it stop, with code where the catalogue knows it
	Source  Source // what decided: of one that a waiver excuses, the waiver
	// Evidence is where in what was sent the value stood, of the rules about values.
	Evidence []Evidence
	// Known says that a [Baseline] has the violation, so that it does not count.
	Known bool
}

// Fingerprint identifies the violation across runs: rule, host and subject, never
// times or counts.
func (f Finding) Fingerprint() string {
	sum := sha256.Sum256([]byte(string(f.Rule) + "\x00" + f.Host + "\x00" + f.Subject))
	return hex.EncodeToString(sum[:8])
}

// Evidence is one place in a flow that held a value that must not be there.
type Evidence struct {
	Where  string   // "body.json $.user.mail", "header X-User", "WebSocket message 3"
	Layers []string // encodings that were undone, the outermost first: "gzip", "base64"
	Form   string   // how the value stood there: "as typed", "SHA-256 of it in lower case, in hexadecimal"
	Masked string   // the value, masked; "" where even its form must not show
}

// A Judgement is everything the policy says about one flow.
type Judgement struct {
	Verdict  Verdict
	Host     string // the contacted host, canonical; "" when the flow is no contact
	Category string // class of the host in the catalogue; ""
	Source   Source // the line that decided the verdict
	// Findings are the breaches that make the verdict Violation, or, when it is
	// Waived, those that were excused. The first one names the violation.
	Findings []Finding
	// Excused are the breaches of a Violation that do not count beside the others.
	Excused []Finding
	// Subtracted says that an idle baseline explains the flow: it also happens with the
	// app closed. The verdict is then Ignored.
	Subtracted bool
}

// Rule returns the rule that names the violation, "" when there is none.
func (j Judgement) Rule() Rule {
	if len(j.Findings) == 0 || j.Verdict != Violation {
		return ""
	}
	return j.Findings[0].Rule
}

// Judge is what the store needs of a policy.
type Judge interface {
	// Judge is a pure function of the flow's facts. It may be called for
	// several states of one flow and from several goroutines.
	Judge(*flow.Flow) Judgement
}

// ReadsContent reports whether a judge looks into bodies and frames: a [Policy] does
// so for never-send values alone, and most policies have none. One that does not
// say is taken to.
func ReadsContent(judge Judge) bool {
	says, ok := judge.(interface{ ReadsContent() bool })
	return !ok || says.ReadsContent()
}

// DeviceName returns the name that a judge has for the device at an address, "" for none:
// a [Policy] may have a section for devices.
func DeviceName(judge Judge, addr netip.Addr) string {
	if says, ok := judge.(interface{ DeviceName(netip.Addr) string }); ok {
		return says.DeviceName(addr)
	}
	return ""
}

// IsApp reports whether a judge takes a User-Agent for that of the app under audit: a
// [Policy] may have app.user-agent. One that does not say knows no app.
func IsApp(judge Judge, userAgent string) bool {
	says, ok := judge.(interface{ IsApp(string) bool })
	return ok && says.IsApp(userAgent)
}
