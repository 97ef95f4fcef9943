package policy

import (
	"net/url"
	"path/filepath"
	"strings"
)

// addTelling takes the sections notify, on and record.
func (p *Policy) addTelling(doc *document, source func(place, string) Source) {
	n := &doc.Notify
	p.notify = Notify{Group: n.Group.Value, Timeout: n.Timeout.Value, Link: n.Link.Value}
	for i := range n.To {
		p.notify.To = append(p.notify.To, p.destination(&n.To[i], source))
	}
	for i := range n.Routes {
		p.notify.Routes = append(p.notify.Routes, n.Routes[i].route(source))
	}
	for i := range doc.On {
		e := &doc.On[i]
		a := Action{
			When: e.When.selection(), Timeout: e.Timeout.Value, Output: e.Output.Value, Memory: e.Memory.Value,
			Source: source(e.place, "on: run: "+e.Run[0].written),
		}
		for _, word := range e.Run {
			a.Run = append(a.Run, word.Value)
		}
		for _, name := range e.Environment {
			a.Environment = append(a.Environment, name.Value)
		}
		p.actions = append(p.actions, a)
	}
	p.recordLine = doc.Record.Line
	p.recording = Recording{Bodies: doc.Record.Bodies.Value, Hosts: patterns(doc.Record.Hosts), Never: patterns(doc.Record.Never)}
}

func (p *Policy) destination(e *destinationEntry, source func(place, string) Source) Destination {
	kind := e.kinds()[0]
	to := Destination{
		Name: e.Name.Value, Kind: kind.kind, From: e.From.Value, Source: source(e.place, "notify: to: "+e.Name.written),
		Token: p.credential(&e.Token), Sign: p.credential(&e.Sign), Password: p.credential(&e.Password),
	}
	switch {
	case kind.credential != nil:
		to.URL = p.credential(kind.credential)
	case kind.kind == Mail:
		to.URL = p.credential(&e.SMTP)
	case e.API.present():
		to.URL = NewCredential(e.API.Value)
	}
	to.Repository = e.GitHub.Value + e.GitLab.Value // one of them
	for _, l := range e.Labels {
		to.Labels = append(to.Labels, l.Value)
	}
	for _, a := range e.Mail.Value {
		to.Recipients = append(to.Recipients, a.Value)
	}
	if e.CA.present() {
		to.CA = p.beside(e.CA.Value)
	}
	for _, part := range []struct {
		key    string
		secret *credentialEntry
	}{
		{"sign", &e.Sign}, {"password", &e.Password}, {"token", &e.Token}, {string(kind.kind), kind.credential}, {"smtp", &e.SMTP},
	} {
		if part.secret != nil && part.secret.isLiteral(part.key) {
			p.literals = append(p.literals, literal{source(part.secret.place, part.key), part.secret.Column, part.key})
		}
	}
	return to
}

// A literal is a secret that stands in the file itself.
type literal struct {
	source Source
	column int
	key    string
}

// isLiteral reports whether a secret is written out under a key. The URL of a webhook that
// the user runs, and of a server of e-mail, need be none.
func (c *credentialEntry) isLiteral(key string) bool {
	switch {
	case c.Text == "" || strings.Contains(c.written, "${"):
		return false
	case key == string(Webhook):
		return false
	case key == "smtp":
		_, password := userOf(c.Text)
		return password
	}
	return true
}

// userOf returns the user that a URL names, and whether it holds a password.
func userOf(rawURL string) (user string, password bool) {
	u, err := url.Parse(rawURL)
	if err != nil || u.User == nil {
		return "", false
	}
	_, password = u.User.Password()
	return u.User.Username(), password
}

func (p *Policy) credential(e *credentialEntry) Credential {
	c := Credential{text: e.Text, env: e.From.Env.Value, keychain: e.From.Keychain.Value}
	if e.From.File.present() {
		c.file = p.beside(e.From.File.Value)
	}
	return c
}

// beside returns a path that is relative to the policy file.
func (p *Policy) beside(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(p.file), path)
}

func (e *routeEntry) route(source func(place, string) Source) Route {
	r := Route{When: e.When.selection(), To: texts(e.To), Source: source(e.place, "notify: route to "+strings.Join(texts(e.To), ", "))}
	if e.Escalate.present() {
		r.Escalate = &Escalation{After: e.Escalate.After.Value, To: texts(e.Escalate.To)}
	}
	return r
}

func (e *whenEntry) selection() Selection {
	s := Selection{Severity: e.Severity.Value, Hosts: patterns(e.Hosts), Phases: texts(e.Phases)}
	for _, name := range e.Events {
		s.Events = append(s.Events, name.Value)
	}
	for _, rule := range e.Rules {
		s.Rules = append(s.Rules, rule.Value)
	}
	for _, device := range e.Devices {
		s.Devices = append(s.Devices, plainAddr(device.Value))
	}
	return s
}

func texts(list []text) []string {
	var out []string
	for _, t := range list {
		out = append(out, t.Value)
	}
	return out
}

func patterns(list []hostPattern) []Pattern {
	var out []Pattern
	for _, h := range list {
		out = append(out, h.Pattern)
	}
	return out
}
