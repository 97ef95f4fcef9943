package cmd

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"
)

// bounce is how soon a second signal still is the first: a terminal, a shell and
// timeout(1) may each deliver one for a single wish.
const bounce = 300 * time.Millisecond

// interruptible returns a context that ends at the first SIGINT, SIGTERM or SIGHUP,
// or after a while. A later SIGINT or SIGTERM ends the program at once, also where a
// shell started it with SIGINT ignored, as it does with jobs in the background of a
// script. SIGHUP says that the terminal is gone, once or several times; nohup(1) starts
// programs that are to outlive it with SIGHUP ignored, which is kept.
func interruptible(parent context.Context, after time.Duration) (context.Context, context.CancelFunc) {
	i := &interruption{}
	ctx, cancel := i.begin(context.WithValue(parent, interruptionKey{}, i), after)
	interrupts, hangups := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(hangups, syscall.SIGHUP)
	}
	released := make(chan struct{})
	go func() {
		for heard := hangups; ; {
			select {
			case <-interrupts:
				if !i.end() {
					os.Exit(ExitFailed) //nolint:forbidigo // at once: deferred work is what the person no longer waits for
				}
			case <-heard:
				i.end()
				heard = nil
			case <-released:
				return
			}
		}
	}()
	return ctx, func() {
		cancel()
		signal.Stop(interrupts)
		signal.Stop(hangups)
		close(released)
	}
}

// stepOf returns a context for one step of what an interruptible context is about, or of what
// comes when that has ended: the next signal ends the step alone, and the one after that what
// it would have ended. The caller must cancel it.
func stepOf(ctx context.Context) (context.Context, context.CancelFunc) {
	i, ok := ctx.Value(interruptionKey{}).(*interruption)
	if !ok {
		return context.WithCancel(ctx)
	}
	return i.begin(ctx, 0)
}

type interruptionKey struct{}

// An interruption is what signals end: what began last, then that which it is a step of.
type interruption struct {
	mu    sync.Mutex
	steps []*step   // under way, the innermost last
	ended time.Time // when a signal last ended one, or none was left
}

type step struct{ cancel context.CancelFunc }

// begin adds a step, which ends with parent and after a while too, unless that is 0.
func (i *interruption) begin(parent context.Context, after time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	if after > 0 {
		cancel()
		ctx, cancel = context.WithTimeout(parent, after)
	}
	s := &step{cancel}
	i.mu.Lock()
	i.steps = append(i.steps, s)
	i.mu.Unlock()
	context.AfterFunc(ctx, func() { i.leave(s) })
	return ctx, cancel
}

func (i *interruption) leave(s *step) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if at := slices.Index(i.steps, s); at >= 0 {
		i.steps = slices.Delete(i.steps, at, at+1)
	}
	if len(i.steps) == 0 {
		i.ended = time.Now()
	}
}

// end ends the innermost step. It reports false where there is none, and has not been for
// longer than one signal can be delivered twice.
func (i *interruption) end() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if time.Since(i.ended) < bounce {
		return true
	}
	last := len(i.steps) - 1
	if last < 0 {
		return false
	}
	i.steps[last].cancel()
	i.steps, i.ended = i.steps[:last], time.Now()
	return true
}
