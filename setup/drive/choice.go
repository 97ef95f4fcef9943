package drive

import (
	"strings"

	"telltale/flow/plain"
)

// A ChoiceError says why there is no device to use, or why a plan is not made for it.
type ChoiceError struct {
	Problem string   // harmless
	Advice  string   // what to do; "" where Flags say it all
	Flags   []string // what to add to the command that was typed; nil: no flag helps
}

// Error returns what is wrong.
func (e *ChoiceError) Error() string { return e.Problem }

// Hint returns what to do, on the device or here.
func (e *ChoiceError) Hint() string { return strings.TrimSpace(e.Advice + " " + Quote(e.Flags)) }

// Short returns what a device says of itself, harmless and at most 60 characters of it.
func Short(text string) string {
	const longest = 60
	if letters := []rune(text); len(letters) > longest {
		text = string(letters[:longest]) + "…"
	}
	return plain.Text(text)
}
