package cmd

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"telltale/actions"
	"telltale/capture"
	"telltale/event"
	"telltale/flow/plain"
	"telltale/policy"
	"telltale/reports"
	"telltale/tui"
)

// This file is what comes back from the user's own programs, and from people at the screen.

// answer carries out what a program has answered.
func (t *telling) answer(e event.Event, rule policy.Action, answer actions.Answer) {
	a := t.audit
	author := capture.AuthorOf(rule.Source.String())
	if answer.Annotate != "" && e.Violation != nil {
		t.note(capture.Annotation{Violation: e.Violation.ID, Kind: capture.Remark, Author: author, Text: answer.Annotate})
	}
	if w := answer.Waive; w != nil && e.Violation != nil {
		t.waive(e.Violation, author, w.Reason, w.Until)
	}
	if m := answer.Notify; m != nil {
		a.store.Tell(string(event.OfAction), "", func(seq int64) []byte {
			asked := a.occasion(event.OfAction, seq, time.Now())
			asked.Client, asked.Device, asked.Phase = e.Client, e.Device, e.Phase
			asked.Message = masker(a.policy.Load(), false)(strings.TrimSpace(m.Title + "\n" + m.Text))
			asked.To = m.To
			return asked.Document()
		})
	}
}

// note keeps an annotation in the capture.
func (t *telling) note(n capture.Annotation) {
	n.Time = time.Now()
	if err := t.audit.store.Annotate(n); err != nil {
		t.audit.store.Note("an annotation could not be kept: " + err.Error())
	}
}

// waive excuses a violation until a time, as a program has said. It is judged again soon.
func (t *telling) waive(v *event.Violation, author, reason string, until time.Time) {
	t.note(capture.Annotation{Violation: v.ID, Kind: capture.Excused, Author: author, Text: reason, Until: until})
	w := policy.Waiver{Violation: v.ID, Reason: reason, Until: until, By: author}
	t.mu.Lock()
	t.waivers = append(t.waivers, w)
	t.audit.policy.Store(t.audit.policy.Load().WithWaiver(w))
	t.mu.Unlock()
	t.waiving.again()
}

// waiveAgain excuses what programs of the policy have excused in earlier sessions of the
// capture.
func (t *telling) waiveAgain() {
	pol := t.audit.policy.Load()
	if t.waivers = waiversOf(pol, t.audit.store.Annotations()); len(t.waivers) > 0 {
		t.audit.policy.Store(t.withWaiversLocked(pol))
		t.waiving.again()
	}
}

// waiving judges the audit again when programs have waived something. To do so reads the
// whole capture: what is waived meanwhile is judged together, in one go.
type waiving struct {
	audit *audit
	log   *slog.Logger
	news  chan struct{}
	end   chan struct{}
	done  chan struct{}
	stop  context.CancelFunc
}

func startWaiving(a *audit, log *slog.Logger) *waiving {
	ctx, stop := context.WithCancel(context.Background())
	w := &waiving{audit: a, log: log, news: make(chan struct{}, 1), end: make(chan struct{}), done: make(chan struct{}), stop: stop}
	go w.run(ctx)
	return w
}

// again says that something was waived. It does not wait.
func (w *waiving) again() { nudge(w.news) }

// finish applies what was waived last, and gives up when ctx ends.
func (w *waiving) finish(ctx context.Context) {
	defer w.stop()
	defer context.AfterFunc(ctx, w.stop)()
	close(w.end)
	<-w.done
}

func (w *waiving) run(ctx context.Context) {
	defer close(w.done)
	for {
		select {
		case <-w.news:
			w.judge(ctx)
		case <-w.end:
			select {
			case <-w.news:
				w.judge(ctx)
			default:
			}
			return
		}
	}
}

// judge judges until it was by the policy that is in force in the end.
func (w *waiving) judge(ctx context.Context) {
	a := w.audit
	for {
		pol := a.policy.Load()
		if err := a.store.Rejudge(ctx, a.flags.gate.judge(pol), nil); err != nil {
			w.log.Warn("what a program has waived counts all the same: the audit could not be judged again", "error", err)
			a.store.Note("a waiver of a program could not be applied: " + err.Error())
			return
		}
		if a.policy.Load() == pol {
			return
		}
	}
}

// adopt puts a policy into force that somebody has changed on the screen. What programs have
// waived stays so, also what they have since the screen has judged by it.
func (a *audit) adopt(pol *policy.Policy) {
	t := a.telling
	if t == nil {
		a.policy.Store(pol)
		return
	}
	t.mu.Lock()
	a.policy.Store(t.withWaiversLocked(pol))
	waived := len(t.waivers) > 0
	t.mu.Unlock()
	if waived {
		t.waiving.again()
	}
}

// beside is how the flows of the screen are judged under a policy.
func (a *audit) beside(judge policy.Judge) policy.Judge {
	if pol, ok := judge.(*policy.Policy); ok && a.telling != nil {
		a.telling.mu.Lock()
		judge = a.telling.withWaiversLocked(pol)
		a.telling.mu.Unlock()
	}
	return a.flags.gate.rest.beside(judge)
}

func (t *telling) withWaiversLocked(pol *policy.Policy) *policy.Policy {
	for _, w := range t.waivers {
		pol = pol.WithWaiver(w)
	}
	return pol
}

// output shows a line that a program has written to those who look, and keeps it for
// nobody.
func (t *telling) output(l actions.Line) {
	t.said.add(plain.Text(filepath.Base(l.Action.Run[0]) + ": " + l.Text))
	if f := t.audit.feed; f != nil && f.server != nil {
		_ = reports.NewLines(publisher{f.server}).Encode(map[string]any{
			"event": "output", "time": stamp(time.Now()), "program": filepath.Base(l.Action.Run[0]), "event_id": l.Event, "text": l.Text,
		})
	}
}

// told says for the screen how far people were told, and what programs say.
func (a *audit) told() tui.Told {
	t := a.telling
	if t == nil {
		return tui.Told{}
	}
	out := tui.Told{Output: t.said.all()}
	if t.delivery != nil {
		status := t.delivery.Status()
		out.Waiting, out.Failed = status.Waiting, status.Dead
	}
	return out
}

// lastLines keeps the last lines of what programs wrote, for the screen.
type lastLines struct {
	mu    sync.Mutex
	lines []string
	live  func(line string) // who looks at a terminal; nil: nobody
}

// keptLines is how many lines the screen can show.
const keptLines = 8

func (l *lastLines) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.live != nil {
		l.live(line)
	}
	l.lines = append(l.lines, line)
	if over := len(l.lines) - keptLines; over > 0 {
		l.lines = append(l.lines[:0:0], l.lines[over:]...)
	}
}

// follow has each line from now on shown as it comes.
func (l *lastLines) follow(live func(line string)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.live = live
}

func (l *lastLines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.lines...)
}
