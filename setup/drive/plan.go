// Package drive carries out a plan: an ordered list of commands of another
// program, such as adb or xcrun, with the reason for each, what is checked after
// it, and what undoes it.
//
// A [Plan] is a value. Those who make one need no device and run nothing, so that
// what would be done can be printed ([Plan.Print]) and tested without doing it.
//
// It promises that no command runs longer than its step allows, that no more than
// 64 KiB of what it says are kept, that a plan stops at the first step that fails,
// and that nothing a program or a device says reaches the screen raw.
//
// It knows nothing of devices. To debug it: run the printed commands by hand, one
// after the other; they are quoted for a POSIX shell.
package drive

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
)

// Plan is what is to be done, in order, and what a person has to know besides.
type Plan struct {
	Steps []Step
	Notes []string // what is left for the person, and limits of what was done
}

// Step is one command.
type Step struct {
	Do   string   // what it does, in words for the person, without a full stop
	Why  string   // why it is needed; ""
	Argv []string // the program and its arguments
	Says string   // its output has to hold this; "": its exit code is enough

	// Check is a read-only command that runs afterwards, whose output has to hold
	// the line Shows. It is repeated until it does, for as long as Settle. nil:
	// nothing more is checked.
	Check  []string
	Shows  string
	Settle time.Duration

	Undo     []string      // the command that undoes it; nil: nothing to undo
	Hint     string        // what the person may try when it fails
	Patience time.Duration // how long it may take; zero: 20 s
	Optional bool          // the plan goes on without it
}

// Print writes the plan as commands for a shell, one a line, each below comments
// that say what it is for, what is checked, and how it is undone.
func (p Plan) Print(w io.Writer) {
	for i, s := range p.Steps {
		fmt.Fprintf(w, "\n# %d. %s.\n", i+1, s.Do)
		if s.Why != "" {
			comment(w, s.Why)
		}
		fmt.Fprintln(w, Quote(s.Argv))
		if s.Says != "" {
			comment(w, "expected: "+s.Says)
		}
		if s.Check != nil {
			comment(w, fmt.Sprintf("check: %s → %s", Quote(s.Check), s.Shows))
		}
		if s.Undo != nil {
			comment(w, "undo: "+Quote(s.Undo))
		}
	}
	if len(p.Notes) > 0 {
		fmt.Fprintln(w)
	}
	for _, note := range p.Notes {
		comment(w, note)
	}
}

// comment writes a text as lines that a shell passes over.
func comment(w io.Writer, text string) {
	for line := range strings.Lines(text) {
		fmt.Fprintln(w, strings.TrimRight("#    "+strings.TrimRight(line, "\n"), " "))
	}
}

var bare = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// Quote returns a command as one line for a POSIX shell (POSIX.1-2024, Shell
// Command Language, 2.2 Quoting).
func Quote(argv []string) string {
	words := make([]string, len(argv))
	for i, word := range argv {
		words[i] = word
		if !bare.MatchString(word) {
			words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}
