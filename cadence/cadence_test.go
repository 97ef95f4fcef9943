package cadence_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"telltale/cadence"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// rhythmOf returns the rhythm of contacts at so many seconds, in whatever order.
func rhythmOf(seconds ...float64) cadence.Rhythm {
	var s cadence.Series
	for _, at := range seconds {
		s.Add(epoch.Add(time.Duration(at * float64(time.Second))))
	}
	r, ok := s.Rhythm()
	if ok != (r != cadence.Rhythm{}) {
		panic("a rhythm that is none")
	}
	return r
}

// timer returns n contacts whose gaps are the period, give or take a share of it.
func timer(random *rand.Rand, n int, period, jitter float64) []float64 {
	var at float64
	out := make([]float64, n)
	for i := range out {
		out[i] = at
		at += period * (1 + jitter*(2*random.Float64()-1))
	}
	return out
}

func near(t *testing.T, got cadence.Rhythm, seconds float64, about string) {
	t.Helper()
	if every := got.Every.Seconds(); every < 0.9*seconds || every > 1.1*seconds {
		t.Errorf("%s: every %v, want %v s", about, got.Every, seconds)
	}
}

func TestTimersAreFound(t *testing.T) {
	for _, period := range []float64{1, 2, 5, 30, 60, 300, 3600, 86400} {
		for seed := range uint64(40) {
			random := rand.New(rand.NewPCG(1, seed))
			near(t, rhythmOf(timer(random, 5, period, 0.02)...), period, "five contacts")
			near(t, rhythmOf(timer(random, 9, period, 0.10)...), period, "± 10 %")
			near(t, rhythmOf(timer(random, 60, period, 0.20)...), period, "± 20 %")
		}
	}
	r := rhythmOf(0, 60, 120, 180, 240)
	if want := (cadence.Rhythm{Every: time.Minute, Count: 5}); r != want {
		t.Errorf("%+v", r)
	}
	if r := rhythmOf(0, 48, 120, 168, 240); r.Every != time.Minute { // 48, 72, 48, 72: the limits
		t.Errorf("%+v", r)
	}
}

func TestTooFewPeriods(t *testing.T) {
	for _, seconds := range [][]float64{nil, {0}, {0, 60}, {0, 60, 120}, {0, 60, 120, 180}, {0, 60, 60, 120, 180, 180}} {
		if r := rhythmOf(seconds...); r.Count != 0 {
			t.Errorf("%v: %+v", seconds, r)
		}
	}
}

func TestMissedBeats(t *testing.T) {
	near(t, rhythmOf(0, 60, 120, 240, 300, 480, 540, 600), 60, "three were missed")
	near(t, rhythmOf(0, 60, 120, 180, 240, 7*3600, 7*3600+60, 7*3600+120, 7*3600+180, 7*3600+240), 60, "a night between")
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(2, seed))
		all := timer(random, 80, 60, 0.03)
		kept := slices.DeleteFunc(all, func(float64) bool { return random.Float64() < 0.25 })
		near(t, rhythmOf(kept...), 60, "a quarter was missed")
	}
}

func TestBurstsCountOnce(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(3, seed))
		var all []float64
		for _, at := range timer(random, 12, 60, 0.05) {
			all = append(all, at)
			for range random.IntN(30) {
				all = append(all, at+random.Float64()*20)
			}
		}
		near(t, rhythmOf(all...), 60, "bursts of twenty seconds")
	}
	var steady []float64 // ten requests, 1.2 s apart, each minute
	for beat := range 10 {
		for i := range 10 {
			steady = append(steady, float64(beat)*60+float64(i)*1.2)
		}
	}
	near(t, rhythmOf(steady...), 60, "regular bursts")
}

// series is how many are tried.
const series = 400

// falseAlarms is how many of some hundred random series are said to have a rhythm.
func falseAlarms(seed uint64, make func(*rand.Rand) []float64) int {
	alarms := 0
	for i := range uint64(series) {
		if rhythmOf(make(rand.New(rand.NewPCG(seed, i)))...).Count > 0 {
			alarms++
		}
	}
	return alarms
}

func TestRandomTimesHaveNone(t *testing.T) {
	for _, c := range []struct{ contacts, most int }{{5, 8}, {6, 8}, {8, 9}, {12, 8}, {20, 3}, {50, 0}, {120, 0}} {
		poisson := falseAlarms(uint64(c.contacts), func(random *rand.Rand) []float64 {
			var at float64
			out := make([]float64, c.contacts)
			for i := range out {
				out[i] = at
				at += 60 * random.ExpFloat64()
			}
			return out
		})
		t.Logf("%d contacts: %d of %d", c.contacts, poisson, series)
		if poisson > c.most {
			t.Errorf("%d of %d series of %d contacts at random have a rhythm", poisson, series, c.contacts)
		}
	}
}

// A person opens pages; each loads many things at once.
func TestPageLoadsHaveNone(t *testing.T) {
	pages := falseAlarms(7, func(random *rand.Rand) (out []float64) {
		var at float64
		for range 3 + random.IntN(20) {
			at += 2 + 60*random.ExpFloat64()
			for range 1 + random.IntN(25) {
				out = append(out, at+random.ExpFloat64()*0.8)
			}
		}
		return out
	})
	t.Logf("%d of %d", pages, series)
	if pages > 6 {
		t.Errorf("%d of %d audits with page loads have a rhythm", pages, series)
	}
}

// Also when more come than are kept, and whatever was asked in between.
func TestOrderDoesNotShow(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(4, seed))
		all := timer(random, 100+int(seed)*60, 5, 0.1)
		want := rhythmOf(all...)
		near(t, want, 5, "in order")
		var s cadence.Series
		for _, i := range random.Perm(len(all)) {
			s.Add(epoch.Add(time.Duration(all[i] * float64(time.Second))))
			if random.IntN(50) == 0 {
				s.Rhythm()
			}
		}
		if got, _ := s.Rhythm(); got != want {
			t.Errorf("%+v, in order %+v", got, want)
		}
	}
}

func TestClonesAreApart(t *testing.T) {
	var s cadence.Series
	for i := range 5 {
		s.Add(epoch.Add(time.Duration(i) * time.Minute))
	}
	before, _ := s.Rhythm()
	c := s.Clone()
	for i := range 50 {
		c.Add(epoch.Add(time.Duration(i*i) * 17 * time.Second))
	}
	if got, _ := s.Rhythm(); got != before {
		t.Errorf("%+v was %+v", got, before)
	}
	if got, _ := c.Rhythm(); got == before {
		t.Error("the clone did not change")
	}
}

func TestStrangeTimes(t *testing.T) {
	var s cadence.Series
	for _, at := range []time.Time{{}, time.Unix(1<<40, 0), time.Unix(-1<<40, 0), {}, time.Unix(0, 0), epoch, time.Unix(1<<33, 0)} {
		s.Add(at)
	}
	if r, ok := s.Rhythm(); ok {
		t.Errorf("%+v", r)
	}
}

func TestWords(t *testing.T) {
	for every, want := range map[time.Duration]string{
		0:                        "",
		900 * time.Millisecond:   "every 900 ms",
		time.Second:              "every second",
		1500 * time.Millisecond:  "every 1.5 s",
		2400 * time.Millisecond:  "every 2.4 s",
		5300 * time.Millisecond:  "every 5.3 s",
		5 * time.Second:          "every 5 s",
		5100 * time.Millisecond:  "every 5 s",
		45 * time.Second:         "every 45 s",
		58 * time.Second:         "every minute",
		time.Minute:              "every minute",
		61200 * time.Millisecond: "every minute",
		90 * time.Second:         "every 90 s",
		2 * time.Minute:          "every 2 minutes",
		150 * time.Second:        "every 2.5 minutes",
		15 * time.Minute:         "every 15 minutes",
		time.Hour:                "every hour",
		90 * time.Minute:         "every 90 minutes",
		2 * time.Hour:            "every 2 hours",
		24 * time.Hour:           "every day",
		7 * 24 * time.Hour:       "every 7 days",
		400 * 24 * time.Hour:     "every 400 days",
	} {
		if got := (cadence.Rhythm{Every: every}).String(); got != want {
			t.Errorf("%v: %q, want %q", every, got, want)
		}
	}
}

func BenchmarkRhythm(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	times := timer(random, 512, 5, 0.2)
	for b.Loop() {
		rhythmOf(times...)
	}
}
