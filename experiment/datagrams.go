package experiment

import (
	"telltale/flow"
	"telltale/proxy"
)

// asksDNS reports whether a contact is a conversation with a resolver of the device's own
// choice, in which questions alone are asked: each of them is a contact besides. What is
// refused whole is refused with its questions.
func (c *contact) asksDNS() bool {
	return c.Kind == flow.UDP && c.stage == atDatagram && c.Speech == flow.SpeechDNS
}

// lasting lets what is decided about a conversation hold until something is switched.
func (s *Set) lasting(now *force, c *contact, d proxy.Decision) proxy.Decision {
	if d.Admission != proxy.Block || c.Kind != flow.UDP {
		return d
	}
	holds := d.Holds
	d.Holds = func() bool { return s.now.Load() == now && (holds == nil || holds()) }
	return d
}
