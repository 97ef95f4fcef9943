package cmd

import (
	"telltale/capture"
	"telltale/flow/plain"
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
}

func startProgress(s *streams, a *audit) (stop func()) {
	p := &progress{s: s, store: a.store, told: map[string]bool{}}
	return follow(a.store, p.tell)
}

func (p *progress) tell() {
	sum := p.store.Summary()
	for _, d := range sum.Health.Devices {
		p.once("device "+d.Addr, "device %s is connected", plain.Text(d.Addr))
	}
	for _, v := range sum.Violations {
		p.once(v.ID, "violation %s: %s: %s %s", v.Finding.Rule, plain.Text(v.Finding.Host), plain.Text(v.Method), plain.Text(v.URL))
	}
}

func (p *progress) once(key, format string, args ...any) {
	if !p.told[key] {
		p.told[key] = true
		p.s.say(format, args...)
	}
}
