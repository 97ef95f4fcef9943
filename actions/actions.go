// Package actions runs the user's own programs when something happens in an audit: the
// section on of a policy.
//
// It knows which rules take an event, how a program is run, held to its limits and ended
// with everything that it started, and what a program may answer. A program gets the event
// as one JSON document on its standard input, a scrubbed environment and a fresh folder to
// work in; it has no shell around it, no descriptor of ours and no terminal. What it writes
// to standard error goes live to those who look, and is not kept.
//
// It promises that whoever offers an event never waits, and that neither a program that
// hangs, floods, forks or eats memory nor the end of this process leaves anything behind:
// no process and no folder. The limits guard against mistakes. They are no sandbox: a
// program runs with the rights of whoever runs the audit (docs/actions.md has what each
// system can hold).
//
// It does not apply answers (cmd does), send messages (package notify) or mask events: they
// were masked when they were made. Whatever goes wrong is a [Failure], which names the
// policy's line; to debug a rule, run it again over a recording: telltale replay CAPTURE --on.
package actions

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"telltale/event"
	"telltale/policy"
)

// The defaults of what a rule and a [Config] leave open.
const (
	DefaultTimeout = 10 * time.Second
	DefaultOutput  = 64 << 10  // bytes
	DefaultMemory  = 256 << 20 // bytes
	DefaultQueue   = 256       // events
	DefaultAtOnce  = 2         // programs
)

// Config says what is run, and who hears of it.
//
// The functions may be called by several goroutines at once and must not block: a program
// waits while they do. Any of them may be nil.
type Config struct {
	Rules []policy.Action
	// Destinations are the names that an answer's message may be for.
	Destinations []string
	// Folder is where the programs' folders are made; "" is the system's for temporary files.
	Folder string
	// Queue is how many events may wait, AtOnce how many programs run at once; 0 is the default.
	Queue, AtOnce int
	// Now is the clock that answers are held against; nil is the system's.
	Now func() time.Time

	// Answer gets what a program has answered, if it is not empty.
	Answer func(event.Event, policy.Action, Answer)
	// Output gets each line that a program writes to standard error, as it comes.
	Output func(Line)
	// Room is called when events are taken again, after [Runner.Offer] took one no more.
	Room func()
	// Trouble gets what went wrong: a *Failure, an *Overdue, or an error about left-over
	// folders. An event that is made of it must not be offered again where a rule takes
	// trouble: it would not end.
	Trouble func(error)
}

// A Line is what a program has written to standard error. The text is harmless on a
// terminal and bounded; a mark says where it was cut.
type Line struct {
	Event  string // ID of the event
	Action policy.Action
	Text   string
}

// An Overdue says that events still waited for their programs when the end came.
type Overdue struct {
	Events int // that ran no program
}

// Error says how many events ran no program, and why.
func (o *Overdue) Error() string {
	return fmt.Sprintf("%d events ran no program: the audit ended before their turn", o.Events)
}

// A Runner runs the programs of a policy.
type Runner struct {
	config Config
	rules  []rule
	queue  chan event.Event
	// kill ends every program that a worker runs.
	kill    context.CancelFunc
	workers sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	refused bool // an event, since Room was called
	overdue int  // events that were taken and ran no program
}

// New returns a runner whose workers wait for events. Folders that dead processes have left
// behind are removed. Without rules nothing is started or looked at.
func New(c Config) *Runner {
	c = c.filled()
	r := &Runner{config: c, rules: resolved(c.Rules), queue: make(chan event.Event, c.Queue), kill: func() {}}
	if len(r.rules) == 0 {
		return r
	}
	if err := sweep(c.Folder); err != nil {
		c.Trouble(fmt.Errorf("cannot remove folders that programs of a former audit have left: %w", err))
	}
	ctx, kill := context.WithCancel(context.Background())
	r.kill = kill
	for range c.AtOnce {
		r.workers.Go(func() { r.work(ctx) })
	}
	return r
}

func (c Config) filled() Config {
	if c.Folder == "" {
		c.Folder = os.TempDir()
	}
	if absolute, err := filepath.Abs(c.Folder); err == nil {
		c.Folder = absolute // programs and their launchers run elsewhere
	}
	if c.Queue <= 0 {
		c.Queue = DefaultQueue
	}
	if c.AtOnce <= 0 {
		c.AtOnce = DefaultAtOnce
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Answer == nil {
		c.Answer = func(event.Event, policy.Action, Answer) {}
	}
	if c.Output == nil {
		c.Output = func(Line) {}
	}
	if c.Room == nil {
		c.Room = func() {}
	}
	if c.Trouble == nil {
		c.Trouble = func(error) {}
	}
	return c
}

// Offer hands over an event, and reports whether it was taken. It never blocks: where too
// many wait already it takes none until it calls [Config.Room]. What no rule is for counts as
// taken; so does everything after Close, which does nothing.
func (r *Runner) Offer(e event.Event) bool {
	if !r.takes(e) {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return true
	}
	select {
	case r.queue <- e:
		return true
	default:
		r.refused = true
		return false
	}
}

// takes reports whether a rule is for the event. An event that a program asked for runs no
// program: it could ask for ever.
func (r *Runner) takes(e event.Event) bool {
	for _, each := range r.rules {
		if each.takes(e) {
			return true
		}
	}
	return false
}

// Close takes no more events, lets programs run for those that wait until the context ends,
// and kills what is left then. Events that still waited are said as trouble. It returns when
// every program has ended; a second call does nothing.
func (r *Runner) Close(ctx context.Context) {
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		close(r.queue)
	}
	r.mu.Unlock()
	stop := context.AfterFunc(ctx, r.kill)
	r.workers.Wait()
	stop()
	r.kill()
	r.sayOverdue()
}

// work runs programs until there are no more events.
func (r *Runner) work(ctx context.Context) {
	for e := range r.queue {
		if ctx.Err() != nil {
			r.mu.Lock()
			r.overdue++
			r.mu.Unlock()
			continue
		}
		for _, each := range r.rules {
			if !each.takes(e) || ctx.Err() != nil {
				continue
			}
			result := r.run(ctx, e, each, func(text string) {
				r.config.Output(Line{Event: e.ID, Action: each.Action, Text: text})
			})
			switch {
			case result.Err != nil:
				r.config.Trouble(result.Err)
			case !result.Answer.IsZero():
				r.config.Answer(e, each.Action, result.Answer)
			}
		}
		r.sayRoom()
	}
}

// sayRoom calls those back whose event was not taken: one has left the queue since.
func (r *Runner) sayRoom() {
	r.mu.Lock()
	refused := r.refused && !r.closed
	r.refused = false
	r.mu.Unlock()
	if refused {
		r.config.Room()
	}
}

// sayOverdue says how many events ran no program.
func (r *Runner) sayOverdue() {
	r.mu.Lock()
	overdue := r.overdue
	r.overdue = 0
	r.mu.Unlock()
	if overdue > 0 {
		r.config.Trouble(&Overdue{Events: overdue})
	}
}

// A Result is what came of one rule for one event.
type Result struct {
	Action policy.Action
	Answer Answer   // zero with an error
	Output []string // lines of standard error, harmless and bounded
	Err    error    // a *Failure; nil when the program did well
	Took   time.Duration
}

// Run runs the programs of the rules that take an event, one after the other in the order of
// the policy, and returns what came of each. It is for developing rules: nothing is queued,
// and the functions of the Config are not called. When the context ends, so do the programs.
func (r *Runner) Run(ctx context.Context, e event.Event) []Result {
	var results []Result
	for _, each := range r.rules {
		if !each.takes(e) || ctx.Err() != nil {
			continue
		}
		var lines []string
		result := r.run(ctx, e, each, func(text string) { lines = append(lines, text) })
		result.Output = lines
		results = append(results, result)
	}
	return results
}

// Check returns a *Failure for each rule whose program is not there or may not be run, so
// that it is said at the start and not in the night.
func (r *Runner) Check() []error { return check(r.rules) }

// Check is [Runner.Check] for whoever runs nothing.
func Check(of []policy.Action) []error { return check(resolved(of)) }

func check(rules []rule) []error {
	var failures []error
	for _, each := range rules {
		if _, err := each.program(); err != nil {
			failures = append(failures, each.failure(event.Event{}, err))
		}
	}
	return failures
}

// A rule is an action of the policy with what it leaves open filled in.
type rule struct {
	policy.Action
	folder string // of the policy, absolute
}

func resolved(actions []policy.Action) []rule {
	var rules []rule
	for _, a := range actions {
		if a.Timeout <= 0 {
			a.Timeout = DefaultTimeout
		}
		if a.Output <= 0 {
			a.Output = DefaultOutput
		}
		if a.Memory <= 0 {
			a.Memory = DefaultMemory
		}
		folder := filepath.Dir(a.Source.File)
		if absolute, err := filepath.Abs(folder); err == nil {
			folder = absolute
		}
		rules = append(rules, rule{Action: a, folder: folder})
	}
	return rules
}

func (r rule) takes(e event.Event) bool {
	return e.Kind != event.OfAction && e.Selected(r.When)
}
