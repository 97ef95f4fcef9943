package experiment

import (
	"crypto/tls"

	"telltale/flow"
	"telltale/proxy"
)

// decide says what a simulation does with a contact of a host that it is meant for.
func (p *played) decide(c *contact) proxy.Decision {
	switch p.spec.Name {
	case offline:
		return p.offline(c)
	case consentRefused:
		if consent := p.set.consent(); consent != nil && consent.Match(c.host, c.port) {
			return p.block(hung(c), "nobody has consented to this host")
		}
	case captivePortal:
		return p.captive(c)
	case flaky:
		return p.flaky(c)
	case badCertificate, clockSkew:
		return p.badLeaf(c)
	case noQUIC:
		if c.stage == atQUIC {
			d := p.block(proxy.Refused, "QUIC is refused, so that the client comes back over TCP")
			d.Outcome = flow.QUICRefused
			return d
		}
	case serverError:
		return p.serverError(c)
	}
	return proxy.Decision{}
}

// block is an answer, or none, in the place of the server.
func (p *played) block(how proxy.Refusal, why string) proxy.Decision {
	return proxy.Decision{Admission: proxy.Block, Refusal: how, Why: p.name + ": " + why, Outcome: flow.Simulated, By: []string{p.name}}
}

// offline looks like a network that leads nowhere. A proxy on it says that it finds no
// name; a connection that is open already is reset.
func (p *played) offline(c *contact) proxy.Decision {
	const why = "there is no network"
	switch c.stage {
	case atQuestion:
		return p.block(proxy.Unresolved, why)
	case atHandshake:
		return p.block(proxy.Reset, why)
	case atRequest:
		if c.Mode != "http" || !c.Cleartext() {
			return p.block(proxy.Reset, why)
		}
		return p.block(proxy.Unresolved, why)
	case atConnection:
		if c.Mode == "http" {
			return p.block(proxy.Unresolved, why)
		}
	}
	return p.block(proxy.Refused, why)
}

// serverError answers requests. Nothing is dialled, so that what is no HTTP is reset.
func (p *played) serverError(c *contact) proxy.Decision {
	if c.stage == atQuestion || c.stage == atDatagram {
		return proxy.Decision{}
	}
	d := p.block(proxy.Answered, "the server is in trouble")
	if c.stage == atRequest {
		d.Answer = statusAnswer(p.spec.Variant) //nolint:bodyclose // package proxy closes it
	}
	return d
}

// faults says what a client is shown, by the names of package ca.
var faults = map[string]string{
	"unknown-authority": "signed by an authority that nobody knows",
	"wrong-name":        "for another name",
	"self-signed":       "signed by itself",
	"expired":           "that expired yesterday",
	"not-yet-valid":     "that is valid from tomorrow on",
}

// badLeaf shows a certificate with a fault.
func (p *played) badLeaf(c *contact) proxy.Decision {
	if c.stage != atHandshake && c.stage != atQUIC {
		return proxy.Decision{}
	}
	return proxy.Decision{
		LeafBy: []string{p.name}, LeafWhat: "showed the client a certificate " + faults[p.spec.Variant] + ": " + p.name,
		Leaf: p.leaf(p.spec.Variant),
	}
}

// leaf signs with a fault; nil without an authority.
func (p *played) leaf(fault string) func(string) (*tls.Certificate, error) {
	authority := p.set.cfg.Authority
	if authority == nil {
		return nil
	}
	return func(name string) (*tls.Certificate, error) { return authority.Faulty(name, fault) }
}
