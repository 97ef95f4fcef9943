package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTable(t *testing.T) {
	got := table([]row{
		{scenario: "h1", subject: "tunnel", cost: "13.7 µs"},
		{scenario: "h1", subject: "telltale", cost: "81.0 µs", ratio: "CPU 0.85", wanted: "≥ 0.8", met: true},
		{scenario: "check", subject: "telltale", wanted: "< 64 MiB"},
	})
	want := `| scenario | subject  | cost    | rate | peak memory | result   | wanted   |           |
| -------- | -------- | ------- | ---- | ----------- | -------- | -------- | --------- |
| h1       | tunnel   | 13.7 µs |      |             |          |          |           |
| h1       | telltale | 81.0 µs |      |             | CPU 0.85 | ≥ 0.8    | met       |
| check    | telltale |         |      |             |          | < 64 MiB | **short** |
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestInsert(t *testing.T) {
	name := filepath.Join(t.TempDir(), "performance.md")
	write := func(text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("above\n" + beginMark + "\nold\n" + endMark + "\nbelow\n")
	for range 2 { // the second time must not pile up
		if err := insert(name, "new\n"); err != nil {
			t.Fatal(err)
		}
	}
	got, _ := os.ReadFile(name)
	if want := "above\n" + beginMark + "\nnew\n" + endMark + "\nbelow\n"; string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	write("no markers")
	if err := insert(name, "new"); err == nil {
		t.Error("a document without markers was written")
	}
	if err := insert(name+".missing", "new"); err == nil {
		t.Error("a missing document gave no error")
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 2, 100}, 3}} {
		if got := median(c.values); got != c.want {
			t.Errorf("median(%v) = %v, want %v", c.values, got, c.want)
		}
	}
}

// TestRatiosAreMadeWithinARound: a machine that is twice as slow in one round
// must not change what is said about a contender.
func TestRatiosAreMadeWithinARound(t *testing.T) {
	base := &entrant{cpu: []time.Duration{100, 200, 100}, rate: []float64{1000, 500, 1000}}
	subject := &entrant{contender: contender{name: telltaleName}, cpu: []time.Duration{125, 250, 125}, rate: []float64{900, 450, 900}, peak: 10 << 20}
	cpu, rate := subject.ratios(base)
	if cpu != 0.8 || rate != 0.9 {
		t.Errorf("CPU %v, rate %v, want 0.8 and 0.9", cpu, rate)
	}
	for _, c := range []struct {
		load load
		met  bool
	}{
		{load{wanted: 0.8}, true},
		{load{wanted: 0.85}, false}, // the CPU falls short, the rate does not
		{load{wanted: 0.8, peak: 11 << 20}, true},
		{load{wanted: 0.8, peak: 10 << 20}, false},
	} {
		if r := subject.row("h1", c.load, base); r.met != c.met {
			t.Errorf("%+v: met %v", c.load, r.met)
		}
	}
}

func TestParseProc(t *testing.T) {
	const stat = "42 (tell (tale) x) S 1 42 42 0 -1 4194560 9 0 0 0 250 31 0 0 20 0 9 0 100 1 2"
	const status = "Name:\ttelltale\nVmHWM:\t   51200 kB\nVmRSS:\t   40960 kB\n"
	got, err := parseProc(stat, status)
	if want := (usage{2810 * time.Millisecond, 40 << 20, 50 << 20}); got != want || err != nil {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for _, bad := range []string{"", "42 (x) S 1", "42 (x) S 1 42 42 0 -1 4194560 9 0 0 0 much more"} {
		if _, err := parseProc(bad, status); err == nil {
			t.Errorf("%q was taken for a stat", bad)
		}
	}
}

func TestParsePS(t *testing.T) {
	for out, want := range map[string]usage{
		"  0:01.25  2048\n":  {1250 * time.Millisecond, 2 << 20, 2 << 20},
		"1:02:03.50  1024\n": {3723500 * time.Millisecond, 1 << 20, 1 << 20},
		"00:00:07 512":       {7 * time.Second, 512 << 10, 512 << 10},
	} {
		if got, err := parsePS(out); got != want || err != nil {
			t.Errorf("%q: got %+v, %v", out, got, err)
		}
	}
	for _, bad := range []string{"", "0:01.25", "soon 2048", "0:01 many"} {
		if _, err := parsePS(bad); err == nil {
			t.Errorf("%q was taken for ps", bad)
		}
	}
}

// TestUsedSeesWork: a process that works is seen to use CPU and memory.
func TestUsedSeesWork(t *testing.T) {
	before, err := used(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if before.resident == 0 || before.peak < before.resident {
		t.Errorf("memory %+v", before)
	}
	for after := before; after.cpu < before.cpu+30*time.Millisecond; {
		if strings.Repeat("work", 1<<16) == "" {
			t.Fatal("no work")
		}
		if after, err = used(os.Getpid()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := used(1 << 30); err == nil {
		t.Error("a process that is not there has a usage")
	}
}
