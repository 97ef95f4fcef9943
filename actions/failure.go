package actions

import (
	"errors"
	"fmt"
	"strings"

	"telltale/event"
	"telltale/policy"
)

// A Failure is why a rule did not do what it was to: its program could not be run, was
// ended, failed, or gave an answer that cannot be taken. Its text names the policy's line
// and the program, never the program's arguments or values of the environment.
type Failure struct {
	Source  policy.Source // of the rule
	Program string        // as it stands in the policy
	Event   string        // ID; "" when no event was at hand
	Reason  error
	// Said is the last line that the program wrote to standard error, harmless and bounded; "".
	Said string
}

// Error says what failed and why: "telltale.yaml:31: ./triage.py for event 7f-3: …".
func (f *Failure) Error() string {
	var b strings.Builder
	if f.Source.File != "" {
		fmt.Fprintf(&b, "%s:%d: ", f.Source.File, f.Source.Line)
	}
	b.WriteString(f.Program)
	if f.Event != "" {
		fmt.Fprintf(&b, " for event %s", clean(f.Event, maxTitle)) // a recording of somebody else may say anything
	}
	fmt.Fprintf(&b, ": %v", f.Reason)
	if f.Said != "" {
		fmt.Fprintf(&b, "; it said: %s", f.Said)
	}
	return b.String()
}

// Unwrap returns the reason: an *[AnswerError], one of the errors of this package, or what
// the system said.
func (f *Failure) Unwrap() error { return f.Reason }

// Why a program was ended. Each is the reason of a [Failure], with the limit in its text.
var (
	ErrTimeout   = errors.New("ended: it took too long")
	ErrOutput    = errors.New("ended: it wrote too much to standard output")
	ErrMemory    = errors.New("ended: it used too much memory")
	ErrProcesses = errors.New("ended: it started too many processes")
	ErrKilled    = errors.New("ended with the audit")
)

func (r rule) failure(e event.Event, reason error) *Failure {
	program := ""
	if len(r.Run) > 0 {
		program = r.Run[0]
	}
	return &Failure{Source: r.Source, Program: program, Event: e.ID, Reason: reason}
}
