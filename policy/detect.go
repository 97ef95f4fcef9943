package policy

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"telltale/flow"
)

// A Detector finds the breaches of one rule. Detect is pure.
type Detector struct {
	Rule     Rule
	Title    string   // one line: what it is
	Help     string   // why it matters, for the reference and for SARIF
	Severity Severity // of findings that say none
	Detect   func(*Sighting) []Finding
}

// Detectors is the only list of detectors. Its order is the order of a flow's
// findings: the first one names the violation.
var Detectors = []Detector{
	{HostDenied, "contacts a host that the policy forbids", "A host pattern under deny names the host. Deny wins over allow.", SeverityError, detectContact(HostDenied)},
	{Tracker, "contacts a tracking service", "The host belongs to a kit that measures people, shows advertising or keeps profiles, and the policy does not allow it or denies its category.", SeverityError, detectContact(Tracker)},
	{CaptivePortalProbe, "asks a third party whether the internet works", "A request whose only purpose is to learn whether the internet answers. Each one tells the operator of the host who runs the app: its name in the User-Agent and the phone's IP address.", SeverityError, detectContact(CaptivePortalProbe)},
	{HostNotAllowed, "contacts a host that the policy does not name", "Neither allow nor ignore names the host, or the request is outside the limits of the entry that does.", SeverityError, detectContact(HostNotAllowed)},
	{HostMismatch, "names its server in different ways", "The CONNECT target, the TLS server name, the Host header and the URL must name one host, and all must be allowed: otherwise one of them hides who is contacted.", SeverityError, detectMismatch},
	{Cleartext, "sends its content unencrypted", "Everyone between the phone and the server can read and change cleartext HTTP.", SeverityError, detectCleartext},
	{WeakTLS, "uses an outdated version of TLS", "The connection to the server uses a version of TLS below the one that the policy requires.", SeverityError, detectWeakTLS},
	{InvalidCertificate, "talks to a server whose certificate is not valid", "The server's certificate did not verify: anyone could have answered in its place.", SeverityError, detectCertificate},
	{ValueLeaked, "sends a value that must not leave the device", "A value under never-send stands in what the device sent, as it is, encoded or hashed, to whatever host.", SeverityError, detectLeaks},
	{IdentifierLeaked, "sends an identifier of the person or the device", "What the device sent holds an identifier: one that follows the device for good, to whatever host, or any to a host that the policy does not allow. The section identifiers changes which.", SeverityError, detectIdentifiers},
	{Undecryptable, "has content that could not be read", "The host is allowed, but what was said to it is unknown: the client refused the certificate, or spoke something that is neither TLS nor HTTP.", SeverityWarning, detectUndecryptable},
	{EncryptedDNS, "hides which names are looked up", "The host is allowed and speaks encrypted DNS (over TLS, HTTPS or QUIC). An audit cannot see which names are looked up there, and connections that follow are addresses without names, unless TLS says them.", SeverityWarning, detectEncryptedDNS},
	{UndeclaredTracking, "contacts a tracking service that the privacy manifest does not name", "Apple's privacy manifest lists the domains that an app or its kits use for tracking (NSPrivacyTrackingDomains), and iOS holds connections to them back while the person has not agreed. A tracking service that was contacted is not among them.", SeverityWarning, detectUndeclaredTracking},
	{UndeclaredData, "sends data that the privacy manifest does not declare", "Apple's privacy manifest lists the types of data that an app or its kits collect (NSPrivacyCollectedDataTypes). A value of another type was sent.", SeverityWarning, detectUndeclaredData},
	{NetworkSecurityConfig, "does not keep to the network security configuration", "Android's network security configuration says where cleartext is forbidden and which keys servers must have. What was seen does not fit it.", SeverityWarning, detectNetworkSecurity},
}

// detectorOf returns the row of a rule.
func detectorOf(rule Rule) *Detector {
	for i := range Detectors {
		if Detectors[i].Rule == rule {
			return &Detectors[i]
		}
	}
	return nil
}

// finding starts a finding of a rule on the contacted host.
func (s *Sighting) finding(rule Rule, source Source) Finding {
	f := Finding{Rule: rule, Host: s.Host, Category: s.contact.category, Source: source}
	if s.contact.product != nil {
		f.Owner = s.contact.product.Owner()
	}
	return f
}

// complete fills in what the rule's row says once for all its findings.
func (d *Detector) complete(f Finding) Finding {
	if f.Severity == "" {
		f.Severity = d.Severity
	}
	if f.Title == "" {
		f.Title = d.Title
	}
	return f
}

// detectContact reports a contact that the policy does not want, under one rule.
func detectContact(rule Rule) func(*Sighting) []Finding {
	return func(s *Sighting) []Finding {
		if s.contact.verdict != Violation || s.contact.rule != rule {
			return nil
		}
		return []Finding{s.contactFinding()}
	}
}

// detectMismatch compares the up to four names of the server.
func detectMismatch(s *Sighting) []Finding {
	agree := true
	allIgnored := s.contact.verdict == Ignored
	for _, name := range []string{s.Names.Asked, s.Names.SNI, s.Names.Host, s.Names.URL} {
		if name == "" || name == s.Host {
			continue
		}
		agree = false
		allIgnored = allIgnored && s.policy.nameVerdict(name, s.Port) == Ignored
	}
	if agree || allIgnored {
		return nil
	}
	f := s.finding(HostMismatch, s.contact.source)
	if s.unproven() {
		f.Message, f.Remedy = s.unprovenMessage(), unprovenRemedy+s.Host+"."
		return []Finding{f}
	}
	f.Message = s.mismatchMessage()
	f.Remedy = "Find out why the names differ. Domain fronting, a wrong Host header and a connection that is used for another host look like this. " +
		"If it is meant, excuse it with a waiver of the rule host-mismatch for " + s.Host + "."
	return []Finding{f}
}

// mismatchMessage lists who said what, and what the policy thinks of each name.
func (s *Sighting) mismatchMessage() string {
	var said []string
	var unwanted []string
	for _, n := range []struct{ who, name string }{
		{s.askedBy(), s.Names.Asked}, {"the TLS server name is", s.Names.SNI},
		{"the Host header says", s.Names.Host}, {"the URL says", s.Names.URL},
	} {
		if n.name == "" {
			continue
		}
		said = append(said, n.who+" "+n.name)
		if n.name != s.Host && s.policy.nameVerdict(n.name, s.Port) == Violation && !contains(unwanted, n.name) {
			unwanted = append(unwanted, n.name)
		}
	}
	m := "The names of the server disagree: " + strings.Join(said, ", ") + ". What was asked for is what was contacted (" + s.Host + "); the other names are claims."
	if len(unwanted) > 0 {
		m += " The policy does not allow " + strings.Join(unwanted, " or ") + "."
	}
	return m
}

// askedBy says where the first of the names comes from.
func (s *Sighting) askedBy() string {
	if s.Flow.Server.Resolved != "" && s.Names.Asked == flow.CanonicalHost(s.Flow.Server.Resolved) && s.Names.Asked != flow.CanonicalHost(s.Flow.Server.Asked) {
		return "DNS gave the device the address " + flow.CanonicalHost(s.Flow.Server.Asked) + " for"
	}
	return "the proxy was asked for"
}

// unproven reports whether nothing but the client connects the address that was contacted
// with the name under which it is judged: an app could write any name there.
func (s *Sighting) unproven() bool {
	_, err := netip.ParseAddr(s.Names.Asked)
	return err == nil && s.Flow.Server.Resolved == "" && s.Names.Asked != s.Host
}

func (s *Sighting) unprovenMessage() string {
	who, without := "the URL", "without TLS"
	switch s.Host {
	case s.Names.SNI:
		who, without = "the TLS server name", "where TLS is not decrypted"
		if s.Flow.Server.TLS != nil {
			without = "without a valid certificate of the server"
		}
	case s.Names.Host:
		who = "the Host header"
	}
	m := "The device connected to " + s.Flow.Server.Asked + ", and " + who + " says " + s.Host + ". No DNS answer of this audit gave " +
		s.Names.Asked + " for this name, and " + without + " nothing but the client says that the two belong together."
	unwanted := []string{s.Names.Asked}
	for _, name := range []string{s.Names.Host, s.Names.URL} {
		if name != "" && name != s.Host && !contains(unwanted, name) {
			m += " The request itself is for " + name + "."
			unwanted = append(unwanted, name)
		}
	}
	for _, name := range unwanted {
		if s.policy.nameVerdict(name, s.Port) == Violation {
			m += " The policy does not allow " + name + "."
		}
	}
	return m
}

const unprovenRemedy = "If the device knew the address from before the audit, or by a resolver that the audit does not see, let it look the name up again: " +
	"switch its airplane mode on and off, and restart the app. If the name is a claim, find what makes it. " +
	"If it is meant, excuse it with a waiver of the rule host-mismatch for "

// secured reports whether the requirements of transport apply: only to hosts that
// are allowed, since the others are a violation, or noise, already.
func (s *Sighting) secured() bool { return s.contact.verdict == Allowed }

func detectCleartext(s *Sighting) []Finding {
	if !s.secured() || !s.policy.require.HTTPS || !s.Flow.Cleartext() {
		return nil
	}
	f := s.finding(Cleartext, s.policy.require.httpsAt)
	what, protocol := "The connection to ", "HTTP"
	if s.Flow.Request != nil {
		what = "The request to "
		if scheme, _, _ := strings.Cut(strings.ToUpper(s.Flow.Request.URL), ":"); scheme != "WS" {
			protocol = scheme
		}
	}
	f.Message = what + s.Host + " went over cleartext " + protocol + ": everyone between the phone and the server could read and change it, cookies and tokens included."
	if protocol != "HTTP" {
		f.Remedy = "Use " + protocol + " over TLS."
		return []Finding{f}
	}
	f.Remedy = "Use https:// in the app. On the server, redirect http:// and send Strict-Transport-Security; remove exceptions for cleartext from the app " +
		"(NSAppTransportSecurity on iOS, android:usesCleartextTraffic or the network security configuration on Android)."
	return []Finding{f}
}

func detectWeakTLS(s *Sighting) []Finding {
	server := s.Flow.Server.TLS
	if simulated(s.Flow) || server == nil || server.Version == 0 || server.Version >= s.policy.require.TLS || !s.secured() {
		return nil
	}
	f := s.finding(WeakTLS, s.policy.require.tlsAt)
	f.Message = fmt.Sprintf("The connection to %s uses %s; the policy requires %s or later.", s.Host, tls.VersionName(server.Version), tls.VersionName(s.policy.require.TLS))
	f.Remedy = "Enable " + tls.VersionName(s.policy.require.TLS) + " on the server of " + s.Host + " and switch older versions off."
	return []Finding{f}
}

func detectCertificate(s *Sighting) []Finding {
	why := ""
	if s.Flow.Server.TLS != nil {
		why = s.Flow.Server.TLS.Invalid
	}
	if s.Flow.Failure == flow.FailureCertificate && why == "" {
		why = "it did not verify"
		if s.Flow.Error != "" {
			why = s.Flow.Error
		}
	}
	if why == "" || simulated(s.Flow) || !s.policy.require.Certificate || !s.secured() {
		return nil
	}
	f := s.finding(InvalidCertificate, s.policy.require.certificateAt)
	f.Message = "The certificate of " + s.Host + " is not valid: " + why + ". Anyone on the way could have answered in its place."
	f.Remedy = "Renew or correct the certificate and its chain. If it comes from a private authority, give telltale its root with --upstream-ca FILE."
	return []Finding{f}
}

// unreadable says, for each outcome that leaves content unread, what happened.
var unreadable = map[flow.Outcome]string{
	flow.ClientRefused:   "the client refused telltale's certificate",
	flow.ClientSilent:    "the client accepted TLS and closed the connection without a request",
	flow.HandshakeFailed: "TLS with the client failed",
	flow.Tunnelled:       "the client spoke something that is neither TLS nor HTTP; it was forwarded unread",
}

// unread says why the content of a flow is unknown, "" where it is not. A file of
// another program tells less of a connection than telltale saw of its own: that it
// was opened, and by its URL at most the protocol.
func unread(f *flow.Flow) string {
	if f.Kind == flow.UDP && f.Outcome == flow.Tunnelled {
		return unreadDatagrams(f)
	}
	if f.Outcome == flow.Tunnelled && f.Request != nil {
		scheme, _, found := strings.Cut(f.Request.URL, ":")
		switch {
		case found && len(scheme) < 20 && !strings.EqualFold(scheme, "https"):
			return "it was reached by " + strings.ToUpper(scheme) + ", and the capture does not hold what was sent"
		case f.Request.Method == http.MethodConnect && (f.Mode == "har" || f.Mode == "mitmproxy"):
			return "a tunnel to it was opened, and the capture does not hold what went through"
		}
	}
	return unreadable[f.Outcome]
}

// unreadDatagrams is unread for UDP that was forwarded.
func unreadDatagrams(f *flow.Flow) string {
	switch {
	case f.Readable(), saysNothing(f):
		return ""
	case f.Speech != "":
		return "the client spoke " + f.Speech + " over UDP; it was forwarded unread"
	}
	return "the client sent datagrams of UDP in a protocol that is not known; they were forwarded unread"
}

// maxFormal bounds what a client says in a protocol that has no room for content, with all
// that is sent again (RFC 8489, 6.2.1): behind a beginning in STUN calls may follow.
const maxFormal = 2 << 10 // bytes

// saysNothing reports whether datagrams are of a protocol whose every field is known and
// none is for an app's content: to ask for the time (RFC 5905), or for the address under
// which others see the device (RFC 8489, 2).
func saysNothing(f *flow.Flow) bool {
	return (f.Speech == "NTP" || f.Speech == "STUN") && f.Sent <= maxFormal
}

func detectUndecryptable(s *Sighting) []Finding {
	what := unread(s.Flow)
	if what == "" || !s.secured() || simulated(s.Flow) || shownFault(s.Flow) {
		return nil
	}
	f := s.finding(Undecryptable, s.contact.source)
	f.Message = "The host " + s.Host + " is allowed, but what was said to it is unknown: " + what + "."
	if hello := s.Flow.Client.Hello; hello != nil && hello.Alert != "" {
		f.Message += " It ended the handshake with the alert " + hello.Alert + "."
	}
	f.Remedy = "If the policy trusts this host whatever is said, pass it through with --passthrough " + s.Host + " or excuse it with a waiver."
	if s.Flow.Outcome != flow.Tunnelled {
		f.Message += " That is evidence of certificate pinning, not proof: a phone that does not trust telltale's authority looks the same. " +
			"To tell: if every host of the device fails, the authority is not trusted yet; if only some do while others are read, those are pinned; " +
			"an Android app that trusts no user authorities fails on all its hosts while the browser works."
		f.Remedy = "First check that the authority is installed and trusted (`telltale setup`). For an Android build of your own, trust user authorities " +
			"in the network security configuration of the debug build; for a pinned app, audit a build without pinning. " + f.Remedy
	}
	if s.limitsUnverified() {
		f.Message += " The limits on methods and paths that allow has for it could not be checked."
	}
	return []Finding{f}
}

// limitsUnverified reports whether the entry that allows the host has limits.
func (s *Sighting) limitsUnverified() bool {
	for _, r := range s.facts.allow {
		if r.Source == s.contact.source {
			return r.limited()
		}
	}
	return false
}
