package tui

import (
	"telltale/exposure"
	"telltale/flow"
	"telltale/flow/plain"
)

// mask hides what a reader need not see: the user in a URL, credentials in
// headers, and values that must never leave the device.
type mask struct {
	values func(string) string // nil: reveal
}

// mask returns how secrets are shown; reveal is the person's wish for this moment.
func (m *model) mask(reveal bool) mask {
	if reveal || m.cfg.Reveal {
		return mask{}
	}
	return mask{m.desk.policy.Mask}
}

// shown returns how a text that may quote a capture stands on the screen.
func (m *model) shown(text string) string { return m.mask(false).shown(text) }

// shown hides what must not be seen and then what a terminal would not show: clipping
// comes afterwards, for half of a secret is not known as one.
func (k mask) shown(s string) string { return plain.Text(k.text(s)) }

func (k mask) text(s string) string {
	if k.values == nil {
		return s
	}
	return k.values(s)
}

func (k mask) url(s string) string {
	if k.values == nil {
		return s
	}
	return exposure.MaskURL(k.values(flow.MaskURL(s)))
}

// field returns the value of a header field.
func (k mask) field(f flow.Field) string {
	if k.values == nil {
		return f.Reveal()
	}
	return k.values(f.Value())
}

func (k mask) reveals() bool { return k.values == nil }
