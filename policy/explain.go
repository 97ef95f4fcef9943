package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"telltale/flow"
)

// An Explanation is a judgement with the way that led to it.
type Explanation struct {
	Judgement
	Method, URL string
	Port        string
	Device      string // that sent it, as the policy calls it; ""
	// Steps are what was asked of the policy, in order, until something decided.
	Steps []Step
}

// A Step is one question to the policy.
type Step struct {
	Stage   string // "waiver", "deny", "allow", "ignore", "list", "otherwise", "sending", "consent"
	Source  Source
	Matched bool   // it names the host
	Decided bool   // it settled the matter
	Text    string // what it says of this request
}

// URLError is a URL that no request can have.
type URLError struct {
	URL     string
	Problem string
}

func (e *URLError) Error() string { return fmt.Sprintf("%q %s", e.URL, e.Problem) }

// Hint shows the form.
func (e *URLError) Hint() string {
	return "write it as https://host/path, or as a row has it: dns:host, tcp://host:port, udp://host:port, icmp://host, ip://host, contact:host"
}

// Explain judges a request that nobody sent, and says why, by the general sections
// alone. The URL may be a bare host, which stands for a connection that could not be
// read, or one that [flow.Flow.URL] makes of a flow that is no request. The error is a
// [URLError] where the URL names no host. What is no contact has no steps.
func (p *Policy) Explain(method, rawURL string) (Explanation, error) {
	return p.ExplainFrom(netip.Addr{}, method, rawURL)
}

// ExplainFrom is Explain for a request of the device at an address.
func (p *Policy) ExplainFrom(client netip.Addr, method, rawURL string) (Explanation, error) {
	f, err := imagine(method, rawURL)
	var bad *URLError
	if errors.As(err, &bad) {
		bad.URL = p.Mask(bad.URL)
	}
	if err != nil {
		return Explanation{}, err
	}
	f.Client.Addr = netip.AddrPortFrom(client, 0)
	e := Explanation{Judgement: p.Judge(f), Method: f.Method(), URL: f.URL(), Port: f.Port(), Device: p.DeviceName(client)}
	if e.Verdict == Unjudged {
		return e, nil
	}
	s := p.of(f).see(f)
	e.explainDeny(s)
	e.explainAllow(s)
	e.explainIgnore(s)
	e.explainLists(s)
	e.explainEnd(s)
	e.explainIdentifiers(s)
	e.explainConsent(s)
	return e, nil
}

// imagine makes the flow of a request.
func imagine(method, rawURL string) (*flow.Flow, error) {
	if method == "" {
		method = "GET"
	}
	if f, err := imagineRow(rawURL); f != nil || err != nil {
		return f, err
	}
	f := &flow.Flow{Kind: flow.HTTP, Outcome: flow.Completed}
	if !strings.Contains(rawURL, "://") {
		f.Kind, f.Server.Asked = flow.Tunnel, rawURL
		if host, port := flow.SplitHostPort(rawURL); port == "" {
			f.Server.Asked = host + ":443"
			if strings.Contains(host, ":") {
				f.Server.Asked = "[" + host + "]:443"
			}
		}
		if f.Host() == "" || strings.ContainsAny(rawURL, "/?# ") {
			return nil, &URLError{rawURL, "is neither a URL nor a host"}
		}
		return f, nil
	}
	u, err := url.Parse(rawURL)
	if err != nil || u.Hostname() == "" {
		return nil, &URLError{rawURL, "is not a URL with a host"}
	}
	f.Request = &flow.Request{Method: method, URL: rawURL}
	f.Server.Host = u.Host
	f.Server.Asked = authority(u)
	return f, nil
}

// rows are what the URLs of flows that are no requests begin with, and how such a flow
// usually ends.
var rows = []struct {
	prefix  string
	kind    flow.Kind
	outcome flow.Outcome
	port    bool // stands in the URL
}{
	{"dns:", flow.DNS, flow.Completed, false},
	{"contact:", flow.Contact, flow.Seen, false},
	{"tcp://", flow.Tunnel, flow.Tunnelled, true},
	{"udp://", flow.UDP, flow.Tunnelled, true},
	{"icmp://", flow.ICMP, flow.Completed, false},
	{"ip://", flow.IP, flow.DestinationDenied, false},
}

// imagineRow makes the flow of a URL that is none of a request, nil for any other. A host
// that is called as a scheme is told from it by its port.
func imagineRow(rawURL string) (*flow.Flow, error) {
	for _, row := range rows {
		if len(rawURL) < len(row.prefix) || !strings.EqualFold(rawURL[:len(row.prefix)], row.prefix) {
			continue
		}
		asked := rawURL[len(row.prefix):]
		if !strings.HasSuffix(row.prefix, "//") && isPort(asked) {
			return nil, nil
		}
		host, port := flow.SplitHostPort(asked)
		if flow.CanonicalHost(host) == "" || strings.ContainsAny(asked, "/?#@ ") {
			return nil, &URLError{rawURL, "names no host"}
		}
		switch {
		case row.port && !isPort(port):
			return nil, &URLError{rawURL, "needs a port behind the host"}
		case !row.port && port != "":
			return nil, &URLError{rawURL, "takes no port"}
		}
		f := &flow.Flow{Kind: row.kind, Outcome: row.outcome, Server: flow.Server{Asked: asked}}
		if row.kind == flow.DNS {
			f.Server.Asked = asked + ":53"
			f.DNS = &flow.Question{Name: asked, Code: "NOERROR"}
		}
		return f, nil
	}
	return nil, nil
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// authority returns host:port of a URL, with the scheme's port where there is none.
func authority(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	switch u.Scheme {
	case "http", "ws":
		return u.Host + ":80"
	default:
		return u.Host + ":443"
	}
}

func (e *Explanation) add(step Step) { e.Steps = append(e.Steps, step) }

func (e *Explanation) explainDeny(s *Sighting) {
	for i := range s.policy.deny {
		r := &s.policy.deny[i]
		question := s.Flow.Kind == flow.DNS && r.Pattern.port != "" // one port is denied: asking for the address is not
		decided := s.contact.source == r.Source && s.contact.verdict == Violation
		switch {
		case decided:
			e.add(Step{"deny", r.Source, true, true, "forbids " + s.Host + " (" + string(s.contact.rule) + "); deny wins over allow"})
		case r.Category == "" && !question && r.Pattern.matchCanonical(s.Host, s.Port):
			e.add(Step{"deny", r.Source, true, false, "names the host, too"})
		}
	}
}

func (e *Explanation) explainAllow(s *Sighting) {
	for _, r := range s.facts.allow {
		step := Step{Stage: "allow", Source: r.Source, Matched: true, Text: "names the host"}
		switch {
		case s.contact.source == r.Source && s.contact.verdict == Allowed:
			step.Decided, step.Text = true, "allows it"
			if r.limited() && !s.request.Read {
				step.Text = "names the host; its limits (" + limits(r) + ") cannot be checked without the request"
			}
		case r.limited() && s.request.Read && !r.admits(s.request.Method, s.readURL()):
			step.Text = "names the host, but only for " + limits(r)
		}
		e.add(step)
	}
}

func (e *Explanation) explainIgnore(s *Sighting) {
	decided := false // by a row before: a preset may have several rows for a host
	for _, r := range s.facts.ignore {
		step := Step{Stage: "ignore", Source: r.Source, Matched: true, Text: "names the host"}
		switch {
		case s.contact.source == r.Source && s.contact.verdict == Ignored && !decided && (r.Row == nil || r.Row.Matches(s.request)):
			decided, step.Decided, step.Text = true, true, "overlooks it"
			if r.Row != nil {
				step.Text = "overlooks it: " + r.Row.What + " (" + r.Preset + ")"
			}
		case r.Row != nil:
			step.Text = "names the host, but only for what the device itself sends (" + r.Row.What + ")"
		}
		e.add(step)
	}
}

// explainEnd says what happened when no entry decided, and which waivers excuse it.
func (e *Explanation) explainEnd(s *Sighting) {
	if s.contact.verdict == Violation && (len(e.Steps) == 0 || !e.decided()) {
		e.add(Step{"otherwise", s.policy.nothing, true, true, "nothing allows or ignores " + s.Host + " (" + string(s.contact.rule) + ")"})
	}
	for i := range s.policy.waivers {
		w, port := &s.policy.waivers[i], s.Port
		if s.Flow.Kind == flow.DNS {
			port = w.Pattern.port
		}
		switch {
		case w.momentary() && slices.ContainsFunc(s.found, func(x Finding) bool { return slices.Contains(namesOf(x, s.Flow), w.violation) }):
			e.add(Step{"waiver", w.Source, true, e.Verdict == Waived, fmt.Sprintf("excuses violation %s until %s: %s", w.violation, w.end(), w.Reason)})
		case !w.momentary() && w.Pattern.matchCanonical(s.Host, port):
			e.add(Step{"waiver", w.Source, true, e.Verdict == Waived, fmt.Sprintf("excuses %s until %s: %s", w.Rule, w.end(), w.Reason)})
		}
	}
}

// end is when a waiver ends, for people.
func (w *waiver) end() string {
	if w.momentary() {
		return w.Until.Format(time.RFC3339)
	}
	return w.Until.Format(time.DateOnly)
}

func (e *Explanation) decided() bool {
	for _, step := range e.Steps {
		if step.Decided {
			return true
		}
	}
	return false
}
