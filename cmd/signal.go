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

// interruptible returns a context that ends at the first SIGINT, SIGTERM or SIGHUP,
// or after a while. A later SIGINT or SIGTERM ends the program at once, also where a
// shell started it with SIGINT ignored, as it does with jobs in the background of a
// script. SIGHUP says that the terminal is gone, once or several times; nohup(1) starts
// programs that are to outlive it with SIGHUP ignored, which is kept.
func interruptible(parent context.Context, after time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	if after > 0 {
		cancel()
		ctx, cancel = context.WithTimeout(parent, after)
	}
	interrupts, hangups := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(hangups, syscall.SIGHUP)
	}
	released := make(chan struct{})
	go func() {
		select {
		case <-interrupts:
			cancel()
		case <-hangups:
			cancel()
		case <-ctx.Done():
		}
		for began := time.Now(); ; {
			select {
			case <-interrupts:
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
		signal.Stop(interrupts)
		signal.Stop(hangups)
		close(released)
	}
}
