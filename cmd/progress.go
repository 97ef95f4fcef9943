package cmd

import (
	"fmt"
	"time"

	"telltale/capture"
	"telltale/flow/plain"
	"telltale/intake"
	"telltale/reports"
)

// follow calls tell whenever something happened in the store, until stop is called.
// Wake-ups coalesce: a slow tell misses none and slows nobody.
func follow(store *capture.Store, tell func()) (stop func()) {
	wake, cancel := store.Wake()
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-wake:
				tell()
			case <-end:
				return
			}
		}
	}()
	return func() {
		close(end)
		<-done
		cancel()
	}
}

// progress tells a person at a terminal of each device and each violation once, as
// it is first seen.
type progress struct {
	s     *streams
	store *capture.Store
	told  map[string]bool
	mask  func(string) string // nil reveals
}

func startProgress(s *streams, a *audit) (stop func()) {
	p := &progress{s: s, store: a.store, told: map[string]bool{}, mask: masker(a.policy.Load(), a.flags.report.reveal)}
	return follow(a.store, p.tell)
}

func (p *progress) tell() {
	sum := p.store.Summary()
	for _, d := range sum.Health.Devices {
		p.once("device "+d.Addr, "device %s is connected", plain.Text(d.Addr))
	}
	for _, v := range sum.Violations {
		p.once(v.ID, "violation %s: %s: %s %s", v.Finding.Rule, plain.Text(v.Finding.Host), plain.Text(v.Method), plain.Text(reports.URL(v.URL, p.mask)))
	}
}

func (p *progress) once(key, format string, args ...any) {
	if !p.told[key] {
		p.told[key] = true
		p.s.say(format, args...)
	}
}

// meterDelay is how long reading may take before a person wants to know how far it is.
const meterDelay = time.Second

// startMeter shows at a terminal how far a long job is, as line says it.
func startMeter(s *streams, line func() string, quiet bool) (stop func()) {
	if quiet || !isTerminal(s.err) {
		return func() {}
	}
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		shown := false
		tick := time.NewTicker(meterDelay)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				fmt.Fprint(s.err, "\r"+ansiEraseLine+line())
				shown = true
				tick.Reset(meterDelay / 5)
			case <-end:
				if shown {
					fmt.Fprint(s.err, "\r"+ansiEraseLine)
				}
				return
			}
		}
	}()
	return func() {
		close(end)
		<-done
	}
}

// ansiEraseLine erases from the cursor to the end of the line (ECMA-48, 8.3.41).
const ansiEraseLine = "\x1b[K"

// readingOf says how much of captures was read.
func readingOf(in *intake.Set) func() string {
	return func() string { return meter(in.Progress()) }
}

func meter(read, total int64) string {
	const mb = 1e6
	if total <= 0 {
		return fmt.Sprintf("reading: %.0f MB", float64(read)/mb)
	}
	return fmt.Sprintf("reading: %.0f of %.0f MB (%d %%)", float64(read)/mb, float64(total)/mb, 100*read/total)
}
