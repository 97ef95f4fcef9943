package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// A load is what is driven through each contender.
type load struct {
	unit   string  // of an operation: "request", "MiB"
	wanted float64 // at least this part of the interceptor's CPU and rate
	peak   int64   // at most this much memory; 0 for no limit
	rounds int     // at most; 0 for as many as the flags say
	// open prepares for rounds through one proxy.
	open func(proxy string) (session, error)
}

// A session drives one proxy.
type session struct {
	// round returns how many operations it did.
	round func(n int) (operations int, err error)
	// requests returns how many requests were made in all.
	requests func() int
	close    func()
}

// entrant is a contender in a comparison.
type entrant struct {
	contender
	process *process
	session session
	cpu     []time.Duration // of one operation, for each round
	rate    []float64       // operations a second, for each round
	peak    int64
}

// compare drives the load through every contender, interleaved, and returns a
// row for each.
func (b *bench) compare(scenario string, l load) (rows []row, err error) {
	entrants, err := b.enter(l)
	defer func() {
		for _, e := range entrants {
			err = errors.Join(err, e.leave(b))
		}
	}()
	if err != nil {
		return nil, err
	}
	rounds := b.rounds
	if l.rounds > 0 {
		rounds = min(rounds, l.rounds)
	}
	for n := range rounds {
		for _, e := range entrants {
			if err := e.measure(n); err != nil {
				return nil, fmt.Errorf("%s: %w\n%s", e.name, err, e.process.words())
			}
		}
	}
	base := entrants[1]
	for _, e := range entrants {
		rows = append(rows, e.row(scenario, l, base))
	}
	return rows, nil
}

// enter starts the contenders in the order of the list. What it returns has to
// leave, also when there was an error.
func (b *bench) enter(l load) (entrants []*entrant, err error) {
	for _, c := range b.contenders {
		e := &entrant{contender: c}
		if e.process, err = c.start(); err != nil {
			return entrants, fmt.Errorf("starting %s: %w", c.name, err)
		}
		entrants = append(entrants, e)
		if e.session, err = l.open(e.process.address); err != nil {
			return entrants, fmt.Errorf("opening connections through %s: %w\n%s", c.name, err, e.process.words())
		}
		if _, err = e.process.settle(); err != nil {
			return entrants, fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return entrants, nil
}

// measure does one round.
func (e *entrant) measure(n int) error {
	before, err := used(e.process.Process.Pid)
	if err != nil {
		return err
	}
	begin := time.Now()
	operations, err := e.session.round(n)
	took := time.Since(begin)
	if err != nil {
		return err
	}
	after, err := e.process.settle()
	if err != nil {
		return err
	}
	e.cpu = append(e.cpu, (after.cpu-before.cpu)/time.Duration(operations))
	e.rate = append(e.rate, float64(operations)/took.Seconds())
	e.peak = max(e.peak, after.peak)
	return nil
}

// leave ends the process. Of telltale it wants to know that nothing was lost: a
// proxy that drops records is quick for the wrong reason.
func (e *entrant) leave(b *bench) error {
	if e.session.close != nil {
		e.session.close()
	}
	if err := e.process.stop(); err != nil {
		return fmt.Errorf("%s: %w", e.name, err)
	}
	if e.name != telltaleName || e.session.requests == nil {
		return nil
	}
	_, err := b.recorded(e.session.requests())
	return err
}

// recorded returns the bytes on disk of the last capture, which must hold as many
// flows as requests were made.
func (b *bench) recorded(want int) (size int64, err error) {
	out, err := exec.Command(b.telltale, "check", "--policy", b.policy, "--format", "json", b.capture()).Output()
	if err != nil {
		return 0, fmt.Errorf("checking the capture: %w\n%s", err, exitWords(err))
	}
	var report struct{ Summary struct{ Flows int } }
	if err := json.Unmarshal(out, &report); err != nil {
		return 0, fmt.Errorf("reading the report of the capture: %w", err)
	}
	if report.Summary.Flows != want {
		return 0, fmt.Errorf("the capture holds %d flows of %d requests", report.Summary.Flows, want)
	}
	return sizeOf(b.capture() + "*")
}

// sizeOf sums the files that match.
func sizeOf(pattern string) (size int64, err error) {
	names, err := filepath.Glob(pattern)
	for _, name := range names {
		err = errors.Join(err, filepath.WalkDir(name, func(_ string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			info, err := entry.Info()
			if err == nil {
				size += info.Size()
			}
			return err
		}))
	}
	return size, err
}

// exitWords returns what a failed command wrote to standard error.
func exitWords(err error) string {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(exit.Stderr)
	}
	return ""
}

// row sums an entrant up beside the interceptor.
func (e *entrant) row(scenario string, l load, base *entrant) row {
	cpu, rate := e.ratios(base)
	r := row{
		scenario: scenario,
		subject:  e.name,
		cost:     micros(median(e.cpu)) + " CPU/" + l.unit,
		rate:     fmt.Sprintf("%.0f %s/s", median(e.rate), l.unit),
		peak:     mebibytes(e.peak),
	}
	if e != base {
		r.ratio, r.share = fmt.Sprintf("CPU %.2f, rate %.2f", cpu, rate), min(cpu, rate)
	}
	if e.name == telltaleName {
		r.wanted, r.met = fmt.Sprintf("≥ %.1f", l.wanted), min(cpu, rate) >= l.wanted
		if l.peak > 0 {
			r.wanted += ", < " + mebibytes(l.peak)
			r.met = r.met && e.peak < l.peak
		}
	}
	return r
}

// ratios compares within each round, so that a slow moment of the machine hits
// both sides: 1 is as good as base, more is better.
func (e *entrant) ratios(base *entrant) (cpu, rate float64) {
	var cpus, rates []float64
	for n := range min(len(e.cpu), len(base.cpu)) {
		cpus = append(cpus, float64(base.cpu[n])/max(1, float64(e.cpu[n])))
		rates = append(rates, e.rate[n]/base.rate[n])
	}
	return median(cpus), median(rates)
}

// drive runs op on several workers, with numbers that count up, for as long as
// more holds. The first error ends it.
func drive(workers int, more func(n int) bool, op func(worker, n int) error) (operations int, err error) {
	var next, done atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	for worker := range workers {
		all.Go(func() {
			for failed.Load() == nil {
				n := int(next.Add(1)) - 1
				if !more(n) {
					return
				}
				if err := op(worker, n); err != nil {
					err = fmt.Errorf("operation %d: %w", n, err)
					failed.CompareAndSwap(nil, &err)
					return
				}
				done.Add(1)
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return int(done.Load()), *err
	}
	return int(done.Load()), nil
}

// lasting holds for a period from now.
func lasting(period time.Duration) func(int) bool {
	end := time.Now().Add(period)
	return func(int) bool { return time.Now().Before(end) }
}

// counting holds for the first total numbers.
func counting(total int) func(int) bool { return func(n int) bool { return n < total } }
