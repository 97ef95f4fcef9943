package proxy

import (
	"crypto/tls"
	"strings"

	"telltale/flow"
)

// faulty reports whether the client is to be shown a certificate with a fault, which it
// ought to refuse (Decision.Leaf).
func (c *connection) faulty() bool { return c.decision.Leaf != nil }

// show notes that the client was shown the certificate with a fault, if there is one.
func (c *connection) show() {
	if c.faulty() {
		c.shown = true
		c.marks.note(c.decision.LeafBy, c.decision.LeafWhat)
	}
}

// showing returns c with the note of show. c itself, which others may be reading, is not
// changed.
func (c *connection) showing() *connection {
	d := *c
	d.show()
	return &d
}

// tlsFor returns the configuration in which a client is greeted, base where nothing is
// wrong with the certificate. With a fault there are no session tickets: a client that
// resumes a session would not look at the certificate, and one made now would last longer
// than the fault.
func (c *connection) tlsFor(base *tls.Config) *tls.Config {
	if !c.faulty() {
		return base
	}
	leaf, asked := c.decision.Leaf, c.asked
	cfg := base.Clone()
	cfg.SessionTicketsDisabled = true
	cfg.GetCertificate = func(info *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return leaf(flow.CanonicalHost(firstOf(info.ServerName, asked)))
	}
	return cfg
}

// judgeAlert says what the client means by an alert. Whatever it says of a certificate with
// a fault that it was shown, it refuses that.
func (c *connection) judgeAlert(a alert, shown bool) (flow.Outcome, string) {
	o, why := judgeAlert(a, shown)
	if shown && c.faulty() {
		o = flow.ClientRefused
	}
	return o, why
}

// judgeFault makes the row of a client that refused a certificate with a fault one of the
// experiment: it says nothing about pins.
func (c *connection) judgeFault(f *flow.Flow) {
	if !c.shown || !f.Ended() {
		return
	}
	how := ""
	switch alert := f.Client.Hello; {
	case f.Outcome == flow.ClientSilent:
		how = "It accepted TLS, and closed the connection without a request."
	case f.Outcome != flow.ClientRefused:
		return
	case alert != nil && alert.Alert != "":
		how = "It said " + alert.Alert + "."
	default:
		how = "It closed the connection without saying why."
	}
	f.Outcome = flow.Simulated
	f.Error = "the client refused the certificate, as it should: " + strings.TrimPrefix(c.decision.LeafWhat, "showed the client ") + ". " + how
}
