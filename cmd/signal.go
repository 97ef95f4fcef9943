package cmd

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// bounce is how soon a second signal still is the first: a terminal, a shell and
// timeout(1) may each deliver one for a single wish.
const bounce = 300 * time.Millisecond

// interruptible returns a context that ends at the first SIGINT or SIGTERM, or
// after a while. A later signal ends the program at once, also where a shell
// started it with SIGINT ignored, as it does with jobs in the background of a script.
func interruptible(parent context.Context, after time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	if after > 0 {
		ctx, cancel = context.WithTimeout(parent, after)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	released := make(chan struct{})
	go func() {
		select {
		case <-signals:
			cancel()
		case <-ctx.Done():
		}
		for began := time.Now(); ; {
			select {
			case <-signals:
				if time.Since(began) >= bounce {
					os.Exit(ExitFailed) //nolint:forbidigo // at once: deferred work is what the person no longer waits for
				}
			case <-released:
				return
			}
		}
	}()
	return ctx, func() {
		cancel()
		signal.Stop(signals)
		close(released)
	}
}
