package compare

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/guard/raced"
	"telltale/policy"
)

func TestActions(t *testing.T) {
	tests := map[string]string{
		"/":                   "",
		"/users/42":           "/users/*",
		"/users/42?page=3#x":  "/users/*",
		"/v2/items/":          "/v2/items",
		"/oauth2/md5/cafe":    "/oauth2/md5/cafe",
		"/k/2652.zip":         "/k/*.zip",
		"/k/2026-11-20T12:00": "/k/*",
		"/a/3f2a91bc":         "/a/*",
		"/a/123e4567-e89b-12d3-a456-426614174000/b": "/a/*/b",
		"/a/deadbeef":                   "/a/deadbeef",
		"/t/eyJhbGciOiJIUzI1NiJ9a":      "/t/*",
		"/generate_204":                 "/generate_204",
		"/font/roboto.woff2":            "/font/roboto.woff2",
		"/%34%32":                       "/*",
		"/a/" + strings.Repeat("x", 60): "/a/*",
		"/1/2/3/4/5/6/7/8/9":            "/*/*/*/*/*/*/*/*/…",
		"/" + "*":                       "/*",
	}
	for path, want := range tests {
		got := string(appendAction(nil, flowtest.Get("https://a.example"+path), "a.example"))
		if got != "GET a.example"+want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if got := string(appendAction(nil, flowtest.Refused("a.example"), "a.example")); got != "CONNECT a.example" {
		t.Errorf("an unread connection is %q", got)
	}
}

func TestCoarse(t *testing.T) {
	name := "GET a.example/b/c/d"
	for level, want := range []string{name, "GET a.example/b/…", "GET a.example/…"} {
		if got := coarse(name, detail(level)); got != want {
			t.Errorf("level %d: %q", level, got)
		}
		if again := coarse(want, detail(level)); again != want {
			t.Errorf("level %d twice: %q", level, again)
		}
	}
	if got := coarse("CONNECT a.example", hostAlone); got != "CONNECT a.example" || hostOf(got) != "a.example" {
		t.Errorf("%q", got)
	}
}

// TestTooManyActions checks that the level of detail does not depend on the order.
func TestTooManyActions(t *testing.T) {
	for _, tt := range []struct {
		hosts, first, rest int
		want               detail
	}{{2, 2, 2, wholePath}, {2, 2, 10, firstSegment}, {2, 20, 1, hostAlone}, {30, 1, 1, hostAlone}} {
		var flows []*flow.Flow
		for h := range tt.hosts {
			for a := range tt.first {
				for b := range tt.rest {
					flows = append(flows, flowtest.Get(fmt.Sprintf("https://h%d.example/%s/%s", h, word(a), word(b))))
				}
			}
		}
		var first []string
		for seed := range uint64(5) {
			rand.New(rand.NewPCG(seed, 1)).Shuffle(len(flows), func(i, k int) { flows[i], flows[k] = flows[k], flows[i] })
			a := newActions(16)
			numbers := make([]uint32, len(flows))
			for i, f := range flows {
				numbers[i] = a.of(f, f.Host())
			}
			names := map[string]bool{}
			for i, f := range flows {
				want := coarse(string(appendAction(nil, f, f.Host())), tt.want)
				if got := a.names[numbers[i]]; got != want {
					t.Fatalf("%+v: %q is %q, want %q", tt, f.URL(), got, want)
				}
				names[want] = true
			}
			all := make([]string, 0, len(names))
			for name := range names {
				all = append(all, name)
			}
			slices.Sort(all)
			if first == nil {
				first = all
			}
			if a.level != tt.want || !slices.Equal(all, first) || len(a.number) != len(all) {
				t.Errorf("%+v: level %d, %d names for %d", tt, a.level, len(a.number), len(all))
			}
		}
	}
}

// word spells a number in letters that no hexadecimal number has.
func word(n int) string {
	if n < 16 {
		return string(rune('g' + n))
	}
	return word(n/16) + word(n%16)
}

func TestProduct(t *testing.T) {
	for agent, want := range map[string]string{
		"CovidShield/1.0.2 CFNetwork/1120": "CovidShield", "COVID Alert/1.2 (iPhone)": "COVID Alert", "curl": "curl",
		"Some App 3 (x)": "Some", "/1": "", ownApp + "/1": "", "\xff/1": "", strings.Repeat("a", 100) + "/1": strings.Repeat("a", 64),
	} {
		if got := product(agent); got != want {
			t.Errorf("%q: %q", agent, got)
		}
	}
}

func FuzzAction(f *testing.F) {
	f.Add("https://a.example/users/42?x", "GET")
	f.Add("https://a.example/%zz/..//\xff", "")
	f.Fuzz(func(t *testing.T, url, method string) {
		fl := flowtest.Get("https://a.example/")
		fl.Request.URL, fl.Request.Method = url, method
		name := string(appendAction(nil, fl, "a.example"))
		for level := wholePath; level <= hostAlone; level++ {
			if once := coarse(name, level); coarse(once, level) != once {
				t.Errorf("%q is not stable at level %d", name, level)
			}
		}
	})
}

// BenchmarkDiff compares two captures of 100,000 flows each: recording, without
// judging, and comparing.
func BenchmarkDiff(b *testing.B) {
	p := parse(b, "")
	flows := many(100_000)
	a := audit(b, p, flows...)
	judgements := make([]policy.Judgement, len(flows))
	for i, f := range flows {
		judgements[i] = p.Judge(f)
	}
	b.Run("record", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r := NewRecorder(p, p)
			for i, f := range flows {
				r.note(f, judgements[i])
			}
			r.Audit(a.Summary, false)
		}
	})
	b.Run("compare", func(b *testing.B) {
		for b.Loop() {
			Captures(a, a)
		}
	})
}

// many returns flows of 200 hosts: the use of an app, with a probe now and then.
func many(n int) []*flow.Flow {
	flows := make([]*flow.Flow, n)
	for i := range flows {
		at := flowtest.At(time.Duration(i) * 20 * time.Millisecond)
		if i%50 == 0 {
			flows[i] = flowtest.Head(probe, at)
			continue
		}
		flows[i] = flowtest.Get(fmt.Sprintf("https://h%d.canada.ca/%s/%d", i%200, word(i%40), i), at)
	}
	return flows
}

// TestManyFlowsStaySmall holds what the package promises of memory, with as many
// kinds of requests as there can be, times that need sorting, and no answer to any.
func TestManyFlowsStaySmall(t *testing.T) {
	raced.SkipMeasure(t)
	p := parse(t, "")
	r := NewRecorder(p, p)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	start := heap()
	f := flowtest.Get("https://h.canada.ca/", flowtest.Outcome(flow.Open))
	bad := p.Judge(flowtest.Head(probe))
	good := p.Judge(f)
	for i := range 250_000 {
		f.ID = flow.ID(i + 1)
		f.Times.Start = flowtest.Epoch.Add(time.Duration(i^5) * time.Millisecond)
		j := good
		if i%10 == 0 {
			j = bad
		}
		j.Host = "h" + word(i%100) + ".canada.ca"
		f.Request.URL = "https://" + j.Host + "/" + word(i%20) + "/" + word(i%60_000)
		r.note(f, j)
	}
	recorded := heap() - start
	a := r.Audit(capture.Summary{}, false)
	distilled := heap() - start
	t.Logf("recorded: %d KiB, distilled: %d KiB, level %d", recorded>>10, distilled>>10, a.level)
	if limit := uint64(10 << 20); recorded > limit || distilled > limit { // the collector may let it double
		t.Errorf("%d bytes while recording, %d after", recorded, distilled)
	}
	runtime.KeepAlive(a)
}
