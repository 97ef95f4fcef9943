package capture

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func sum(counts []int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

func activityOf(starts []time.Time) Activity {
	var a activityTotal
	for _, t := range starts {
		a.add(t)
	}
	return a.activity()
}

// slowActivity is the definition: the narrowest buckets that are few enough.
func slowActivity(starts []time.Time) Activity {
	if len(starts) == 0 {
		return Activity{}
	}
	for shift := 0; ; shift++ {
		counts := map[int64]int{}
		first, last := starts[0].Unix()>>shift, starts[0].Unix()>>shift
		for _, t := range starts {
			b := t.Unix() >> shift
			counts[b]++
			first, last = min(first, b), max(last, b)
		}
		if last-first >= MaxBuckets {
			continue
		}
		a := Activity{Start: time.Unix(first<<shift, 0).UTC(), Width: time.Second << shift, Counts: make([]int, last-first+1)}
		for b, n := range counts {
			a.Counts[b-first] = n
		}
		return a
	}
}

func TestActivityIsWhatItsDefinitionSays(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		starts := make([]time.Time, random.IntN(200))
		reach := int64(1) << random.IntN(36)
		for i := range starts {
			starts[i] = time.Unix(random.Int64N(2*reach)-reach, random.Int64N(1e9)).UTC()
		}
		want := slowActivity(starts)
		if diff := cmp.Diff(want, activityOf(starts)); diff != "" {
			t.Fatalf("reach %d (-want +got):\n%s", reach, diff)
		}
	}
}

// FuzzActivity: any order of any starts gives the same bounded, complete activity.
func FuzzActivity(f *testing.F) {
	f.Add(int64(0), int64(1), int64(63), uint64(1))
	f.Add(int64(-1), int64(0), int64(64), uint64(2))
	f.Add(int64(-1<<62), int64(1<<62), int64(1_800_000_000), uint64(3))
	f.Fuzz(func(t *testing.T, a, b, c int64, seed uint64) {
		random := rand.New(rand.NewPCG(seed, seed))
		starts := []time.Time{time.Unix(a, 0), time.Unix(b, 5), time.Unix(c, 999_999_999)}
		for range 20 {
			starts = append(starts, starts[random.IntN(3)].Add(time.Duration(random.Int64N(1e13))))
		}
		starts = slices.DeleteFunc(starts, time.Time.IsZero)
		want := activityOf(starts)
		if len(want.Counts) > MaxBuckets || want.Width <= 0 || sum(want.Counts) != len(starts) || want.Start.Unix()%int64(want.Width/time.Second) != 0 {
			t.Fatalf("%+v of %d starts", want, len(starts))
		}
		random.Shuffle(len(starts), func(i, j int) { starts[i], starts[j] = starts[j], starts[i] })
		if diff := cmp.Diff(want, activityOf(starts)); diff != "" {
			t.Fatalf("in another order (-want +got):\n%s", diff)
		}
		for _, columns := range []int{1, 7, 64, 300} {
			row := want.Spread(time.Unix(min(a, b, c), 0), time.Unix(max(a, b, c), 0).Add(1e13), columns)
			if len(row) != columns || slices.Min(row) < 0 || sum(row) > len(starts) {
				t.Fatalf("%d columns: %v of %d starts", columns, row, len(starts))
			}
		}
	})
}

func TestActivityDoesNotChangeOnceHandedOut(t *testing.T) {
	var a activityTotal
	a.add(time.Unix(100, 0))
	one := a.activity()
	over := a.clone()
	over.add(time.Unix(100, 0))
	a.add(time.Unix(90, 0))
	a.add(time.Unix(100_000, 0))
	if one.Counts[0] != 1 || over.activity().Counts[0] != 2 || sum(a.activity().Counts) != 3 {
		t.Errorf("%+v", one)
	}
	if (&activityTotal{}).activity().Counts != nil {
		t.Error("nothing has counts")
	}
}

func TestSpread(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	a := Activity{Start: at(100), Width: 2 * time.Second, Counts: []int{4, 0, 1, 8}} // 100 to 108
	for _, tt := range []struct {
		name     string
		a        Activity
		from, to time.Time
		columns  int
		want     []int
	}{
		{"as it is", a, at(100), at(108), 4, []int{4, 0, 1, 8}},
		{"narrower columns", a, at(100), at(108), 8, []int{2, 2, 0, 0, 1, 0, 4, 4}},
		{"wider columns", a, at(100), at(108), 2, []int{4, 9}},
		{"a longer axis", a, at(96), at(112), 8, []int{0, 0, 4, 0, 1, 8, 0, 0}},
		{"cut at both ends: what was there is not lost", a, at(101), at(107), 3, []int{4, 1, 8}},
		{"off the axis", a, at(110), at(120), 2, []int{0, 0}},
		{"before the axis", a, at(108), at(120), 2, []int{0, 0}},
		{"touching the end", a, at(90), at(100), 2, []int{0, 4}},
		{"no time", a, at(100), at(100), 2, []int{2, 2}},
		{"time backwards", a, at(100), at(0), 1, []int{4}},
		{"one flow over many columns", Activity{at(0), 8 * time.Second, []int{1}}, at(0), at(8), 3, []int{0, 1, 0}},
		{"empty", Activity{}, at(0), at(1), 2, []int{0, 0}},
		{"no columns", a, at(0), at(1), 0, nil},
		{"negative columns", a, at(0), at(1), -1, nil},
		{"ages", Activity{at(0), time.Second << 33, []int{3}}, at(earliestSecond), at(latestSecond), 1, []int{3}},
	} {
		if got := tt.a.Spread(tt.from, tt.to, tt.columns); !cmp.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
