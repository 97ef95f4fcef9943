package policy

import (
	"fmt"
	"io"

	"telltale/flow"
)

// A Secret is a value under never-send. It masks itself when printed; [Secret.Reveal]
// is the one way to the value.
type Secret struct {
	Name   string
	value  string
	source Source
}

// Reveal returns the value.
func (s Secret) Reveal() string { return s.value }

// String returns the name; the value never prints.
func (s Secret) String() string { return s.Name + ": " + flow.Redacted }

// Format keeps every verb from showing the value: some would print the struct.
func (s Secret) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, s.String()) }

// MarshalText keeps encoders from showing the value.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Secrets returns the values that must not leave the device.
func (p *Policy) Secrets() []Secret { return append([]Secret(nil), p.secrets...) }

// setSecrets gives the policy its values, and what each of them may look like.
func (p *Policy) setSecrets(secrets []Secret) {
	p.secrets, p.forms = secrets, compileForms(secrets)
}
