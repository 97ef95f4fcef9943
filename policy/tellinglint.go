package policy

import (
	"net"
	"net/url"
	"slices"
)

// telling looks at the sections notify, on and record.
func (l *linter) telling() {
	for _, secret := range l.p.literals {
		l.warn(secret.source, secret.column, secret.key+" stands in the file itself: whoever can read the file has it",
			"write a variable (${NAME}), {env: NAME}, {file: PATH} or {keychain: SERVICE/ACCOUNT}")
	}
	for i := range l.p.notify.To {
		l.destination(&l.p.notify.To[i])
	}
	for i := range l.p.notify.Routes {
		r := &l.p.notify.Routes[i]
		if r.Escalate != nil && len(r.When.Events) > 0 && !slices.Contains(r.When.Events, "violation") {
			l.warn(r.Source, 1, "escalates never: only violations are acknowledged", "add violation to events, or remove escalate")
		}
	}
	if r := l.p.recording; r.Bodies == NoBodies && len(r.Hosts)+len(r.Never) > 0 {
		l.warn(Source{File: l.p.file, Line: l.p.recordLine, Text: "record"}, 1, "bodies: none records no body, whatever hosts and never say", "remove them, or bodies")
	}
}

func (l *linter) destination(d *Destination) {
	named := slices.ContainsFunc(l.p.notify.Routes, func(r Route) bool {
		return slices.Contains(r.To, d.Name) || r.Escalate != nil && slices.Contains(r.Escalate.To, d.Name)
	})
	if len(l.p.notify.Routes) > 0 && !named {
		l.warn(d.Source, 1, "no route names it: it is told of violations and trouble", "name it in a route, or keep it so")
	}
	if u, err := url.Parse(d.URL.text); err == nil && d.URL.text != "" && u.Scheme == "http" && !isLoopback(u.Hostname()) {
		l.warn(d.Source, 1, "the URL is http: everybody on the way reads the messages, and the URL", "write https")
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
