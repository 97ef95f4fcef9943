package experiment

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"telltale/flow/flowtest"
	"telltale/guard/raced"
	"telltale/proxy"
)

// story is what flaky did to the first contacts of some hosts at each stage, told by host.
func story(t *testing.T, seed string, contacts int, concurrently bool) string {
	t.Helper()
	s := New(config(t))
	on(t, s, "flaky="+seed)
	const hosts = 6
	told := make([]strings.Builder, hosts)
	var done sync.WaitGroup
	for h := range hosts {
		one := func() {
			for i := range contacts {
				for _, stage := range stageNames {
					d := s.Decide(stages[stage](fmt.Sprintf("host%d.example", h)))
					fmt.Fprintf(&told[h], "%d %s %v %s %d %s\n", i, stage, d.Admission, d.Refusal, d.Cut, d.Why)
				}
			}
		}
		if !concurrently {
			one()
			continue
		}
		done.Go(one)
	}
	done.Wait()
	all := ""
	for h := range told {
		all += told[h].String()
	}
	return all
}

func TestFlakyIsTheSameForTheSameSeed(t *testing.T) {
	contacts := raced.Size(100, 30)
	first := story(t, "42", contacts, false)
	if story(t, "42", contacts, true) != first {
		t.Error("the order in which hosts are contacted decides")
	}
	if story(t, "43", contacts, false) == first {
		t.Error("the seed decides nothing")
	}
}

func TestFlakyKeepsItsShares(t *testing.T) {
	const contacts = 4000
	for _, tt := range []struct {
		stage             string
		reset, hang, cuts float64
	}{
		{"connect", resetShare, hangShare, 0},
		{"arrival", resetShare, hangShare, 0},
		{"https", resetShare, hangShare, cutShare},
		{"dns", 0, resetShare + hangShare, 0},
		{"udp", 0, resetShare + hangShare, 0},
		{"hello", 0, 0, 0}, // decided about when it was opened
		{"quic", 0, 0, 0},
	} {
		s := New(config(t))
		on(t, s, "flaky=7")
		var reset, hang, cuts float64
		for range contacts {
			f := stages[tt.stage]("a.example")
			d := s.Decide(f)
			switch {
			case d.Admission == proxy.Block && d.Refusal == proxy.Reset:
				reset++
			case d.Admission == proxy.Block && d.Refusal == proxy.Silent:
				hang++
			case d.Cut > 0:
				cuts++
				if d.Cut > maxCut || len(d.CutBy) != 1 || d.CutBy[0] != "flaky 7" || d.By != nil || d.Why == "" {
					t.Errorf("cut %+v", d)
				}
			case d.Admission != proxy.Inspect || d.By != nil:
				t.Errorf("%s: %+v", tt.stage, d)
			}
		}
		for name, share := range map[string][2]float64{"reset": {reset, tt.reset}, "hang": {hang, tt.hang}, "cut": {cuts, tt.cuts}} {
			if got := share[0] * 100 / contacts; got < share[1]*0.75 || got > share[1]*1.25 {
				t.Errorf("%s: %s %.1f %%, want %.1f %%", tt.stage, name, got, share[1])
			}
		}
	}
}

// What breaks an answer off is said only where the request is inspected after all.
func TestFlakyBeforeOthers(t *testing.T) {
	s := New(config(t))
	on(t, s, "flaky=7", "server-error", "slow")
	answered := 0
	for range 200 {
		d := s.Decide(stages["https"]("a.example"))
		if d.Cut != 0 || d.CutBy != nil {
			t.Fatalf("an answer of telltale itself is cut: %+v", d)
		}
		if d.Refusal == proxy.Answered {
			if answered++; strings.Join(d.By, ",") != "server-error 503" || !strings.HasPrefix(d.Why, "server-error") {
				t.Fatalf("answered by %q: %q", d.By, d.Why)
			}
		}
	}
	if answered == 0 || answered == 200 {
		t.Errorf("%d of 200 were answered", answered)
	}
	off := New(config(t))
	on(t, off, "flaky=7", "slow")
	for range 200 {
		if d := off.Decide(stages["https"]("a.example")); d.Cut > 0 && (len(d.By) > 0 || strings.Join(d.CutBy, ",") != "flaky 7") {
			t.Fatalf("cut by %q beside %q", d.CutBy, d.By)
		}
	}
}

// A device that invents names does not fill the memory.
func TestCountsAreBounded(t *testing.T) {
	c := &counts{}
	for i := range maxCounted + 100 {
		c.next(atQuestion, fmt.Sprintf("h%d.example", i))
	}
	if len(c.of) != maxCounted || c.other != 100 {
		t.Errorf("%d counted, %d others", len(c.of), c.other)
	}
	if n := c.next(atQuestion, "h0.example"); n != 2 {
		t.Errorf("contact %d of a host that was counted before", n)
	}
}

func TestSwitchingOnAgainStartsAgain(t *testing.T) {
	s := New(config(t))
	var told [2]string
	for i := range told {
		on(t, s, "flaky=5")
		for range 50 {
			d := s.Decide(flowtest.DNS("a.example"))
			told[i] += d.Why + "\n"
		}
		if err := s.Switch(Spec{Name: "flaky"}, false); err != nil {
			t.Fatal(err)
		}
	}
	if told[0] != told[1] {
		t.Error("the second time differs from the first")
	}
}
