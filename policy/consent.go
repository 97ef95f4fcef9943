package policy

// Consent is the section consent of a policy: hosts to which a person has to agree first.
// It changes no verdict; a simulation lets them answer nothing.
type Consent struct{ policy *Policy }

// Consent returns the section, nil where the policy has none, or an empty one.
func (p *Policy) Consent() *Consent { return nil }

// Match reports whether the section names a host, in any spelling; port may be "".
func (c *Consent) Match(host, port string) bool { return false }
