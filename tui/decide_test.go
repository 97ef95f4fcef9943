package tui

import (
	"errors"
	"os"
	"strings"
	"testing"

	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
)

func (r *rig) fileText() string {
	r.t.Helper()
	text, err := os.ReadFile(r.file)
	check(r.t, err)
	return string(text)
}

func TestAllowWriteUndo(t *testing.T) {
	t.Parallel()
	var adopted []*policy.Policy
	r := newRig(t, setting{flows: story(), change: func(c *Config) {
		c.Policy.Adopt = func(p *policy.Policy) { adopted = append(adopted, p) }
	}})
	r.onto("1", "clients3").press("a").typeText("") // the form
	r.sees("── Allow clients3.google.com", "+  - clients3.google.com", "names 1 host of this capture, 4 flows")
	r.press("tab").typeText("the probe").press("enter")
	r.news()
	r.sees("5 VIOLATIONS", "● policy not written (w)", "allowed clients3.google.com")
	r.seesNot("captive-portal-probe")
	r.press("2")
	if _, row := r.onto("2", "clients3").line(); !strings.HasPrefix(row, "✓") {
		t.Fatalf("the host is %q", row)
	}
	if len(adopted) != 1 {
		t.Fatalf("%d policies were adopted", len(adopted))
	}
	if r.fileText() != covidPolicy {
		t.Fatal("the file was written without a question")
	}

	r.press("w")
	r.sees("── Write ", "+  - host: clients3.google.com")
	r.press("esc")
	if r.fileText() != covidPolicy {
		t.Fatal("the file was written although the question was left")
	}
	r.press("w", "enter")
	r.sees("wrote ")
	r.seesNot("not written")
	text := r.fileText()
	if without := strings.Replace(text, "  - host: clients3.google.com\n    reason: the probe\n", "", 1); without != covidPolicy {
		t.Fatalf("the file is more than what it was and the entry:\n%s", text)
	}
	r.press("w")
	r.sees("nothing to write")

	r.press("u")
	r.news()
	r.sees("6 VIOLATIONS", "undone: allowed clients3.google.com", "not written (w)")
	if r.fileText() != text {
		t.Fatal("undoing wrote the file")
	}
	r.press("w", "enter")
	if r.fileText() != covidPolicy {
		t.Fatalf("after undoing and writing the file is\n%s", r.fileText())
	}
	r.press("u")
	r.sees("nothing to undo")
	if len(adopted) != 2 {
		t.Fatalf("%d policies were adopted", len(adopted))
	}
}

func TestUndoBeforeWriting(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story()})
	r.onto("2", "clients3").press("i", "enter").onto("2", "captive.example").press("i", "enter")
	r.news()
	r.sees("4 VIOLATIONS")
	r.press("u")
	r.news()
	r.sees("5 VIOLATIONS", "not written")
	r.press("u")
	r.news()
	r.sees("6 VIOLATIONS")
	r.seesNot("not written")
	r.press("q")
	if !r.quit {
		t.Fatal("nothing is unsaved, and q does not quit at once")
	}
}

func TestWaive(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story()})
	r.onto("1", "clients3").press("x")
	r.sees("── Waive clients3.google.com", "captive-portal-probe", "2027-02-20")
	r.press("enter")
	r.sees("── Waive", "!", "reason") // a waiver needs one
	r.press("tab", "tab").typeText("until the next version").press("tab", "ctrl+u").typeText("tomorrow").press("enter")
	r.sees("── Waive", "! until: write a day as 2027-01-31")
	r.press("ctrl+u").typeText("2020-01-01").press("enter")
	r.sees("── Waive", "!")
	r.press("ctrl+u").typeText("2027-01-31").press("enter")
	r.news()
	r.sees("5 VIOLATIONS", "waived captive-portal-probe for clients3.google.com until 2027-01-31")
	if _, row := r.onto("2", "clients3").line(); !strings.HasPrefix(row, "~") {
		t.Fatalf("the host is %q", row)
	}
}

func TestAllowDomain(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story()})
	r.press("2", "d").onto("2", ".example.com").press("a")
	r.sees("── Allow example.com", "names 2 hosts of this capture, 2 flows")
	r.press("down")
	r.sees(`*.example.com`)
	r.press("up", "enter")
	r.news()
	// What was said to them still could not be read, which is a violation of its own.
	r.seesNot("host-not-allowed     1 push.example.com")
}

func TestMistakesStayInTheForm(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story(), w: 200, h: 24})
	r.onto("2", "clients3").press("a", "ctrl+u").typeText("goo gle").press("enter")
	r.sees("── Allow", "contains a space")
	r.press("ctrl+u", "enter")
	r.sees("── Allow")
	r.press("ctrl+u").typeText("*.canada.ca").press("enter")
	r.sees("── Allow", "names *.canada.ca")
	r.press("esc")
	r.seesNot("── Allow", "not written")
	r.onto("2", "www.canada.ca").press("a", "enter")
	r.sees("── Allow")
}

// Somebody edits the file while a decision is made: both are kept.
func TestFileThatSomebodyElseChanged(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story(), w: 200, h: 24})
	r.onto("2", "clients3").press("a", "enter")
	theirs := covidPolicy + "# somebody else\n"
	check(t, os.WriteFile(r.file, []byte(theirs), 0o600))
	r.press("w", "enter")
	r.sees("changed by somebody else", "not written")
	if r.fileText() != theirs {
		t.Fatal("what somebody else wrote is gone")
	}
	r.press("w")
	r.sees("+  - clients3.google.com")
	r.press("enter")
	r.seesNot("not written")
	if text := r.fileText(); !strings.Contains(text, "# somebody else\n") || !strings.Contains(text, "- clients3.google.com") {
		t.Fatalf("the file is\n%s", text)
	}
	r.press("q")
	if !r.quit {
		t.Fatal("q does not quit")
	}
}

// What was decided after a written decision was undone is not lost when the file turns
// out to be changed.
func TestFileChangedAfterUndoing(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story(), w: 200, h: 24})
	r.onto("2", "clients3").press("a", "enter", "w", "enter", "u")
	r.onto("2", "captive.example").press("a", "enter")
	check(t, os.WriteFile(r.file, []byte(covidPolicy+"# somebody else\n"), 0o600))
	r.press("w", "enter")
	r.sees("changed by somebody else", "not written")
	r.press("w", "enter")
	if text := r.fileText(); !strings.Contains(text, "# somebody else\n") || !strings.Contains(text, "- captive.example.net") {
		t.Fatalf("the file is\n%s", text)
	}
}

// What somebody else wrote is no policy: nothing is written, nothing lost.
func TestFileThatSomebodyElseBroke(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story(), w: 200, h: 24})
	r.onto("2", "clients3").press("a", "enter")
	check(t, os.WriteFile(r.file, []byte("version: 7\n"), 0o600))
	r.press("q", "w")
	r.sees("! ", "version", "not written")
	if r.quit || r.fileText() != "version: 7\n" {
		t.Fatal("it was left, or written")
	}
}

// Decisions that are not written are not in the verdict that is left with.
func TestQuitWithoutDecisions(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story(), w: 200, h: 24})
	before := len(r.store.Summary().Violations)
	r.onto("2", "clients3").press("a", "enter")
	if len(r.store.Summary().Violations) >= before {
		t.Fatal("the decision changed nothing")
	}
	r.press("q", "q")
	if now := len(r.store.Summary().Violations); !r.quit || now != before {
		t.Fatalf("%d violations before, %d after; left: %v", before, now, r.quit)
	}
}

func TestNewPolicyFile(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story(), noFile: true})
	r.press("w")
	r.sees("nothing to write")
	r.onto("2", "clients3").press("a", "enter")
	r.press("w", "enter")
	r.sees("wrote ")
	if !strings.Contains(r.fileText(), "clients3.google.com") {
		t.Fatalf("the file is\n%s", r.fileText())
	}
}

func TestQuitAsksOnlyWhereSomethingWouldBeLost(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"q", "ctrl+c"} {
		r := newRig(t, setting{flows: story()})
		r.press(key)
		if !r.quit {
			t.Fatalf("%s does not quit", key)
		}
		r = newRig(t, setting{flows: story()})
		r.onto("2", "clients3").press("a", "enter", key)
		r.sees("── Quit")
		r.press("esc")
		r.seesNot("── Quit")
		r.press(key, "w")
		if !r.quit || !strings.Contains(r.fileText(), "clients3") {
			t.Fatalf("written: %v, ended: %v", strings.Contains(r.fileText(), "clients3"), r.quit)
		}
	}
}

func TestDecidingWhileEverythingIsJudgedAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story()})
	r.onto("2", "clients3").press("a")
	r.hold = true
	r.press("enter")
	r.sees("judging every flow again")
	r.press("a", "u", "i", "x") // nothing of it now
	if r.m.panel != nil {
		t.Fatal("a decision can be begun while one is under way")
	}
	r.press("q")
	if r.quit {
		t.Fatal("a decision that is under way is lost without a question")
	}
	r.press("esc")
	r.release()
	r.news()
	r.sees("5 VIOLATIONS", "not written")
}

// A file that cannot be written does not make the screen believe that judging is over.
func TestWritingFailsWhileEverythingIsJudgedAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story(), w: 200, h: 24})
	r.onto("2", "clients3").press("a", "enter")
	check(t, os.Remove(r.file))
	check(t, os.Mkdir(r.file, 0o700))
	r.onto("2", "captive.example").press("a")
	r.hold = true
	r.press("enter")
	judging := r.held
	r.held, r.hold = nil, false
	r.press("w", "enter")
	r.sees("! ")
	if r.press("a"); r.m.panel != nil {
		t.Fatal("a decision can be begun while one is under way")
	}
	for _, cmd := range judging {
		r.run(cmd)
	}
	r.news()
	r.sees("allowed captive.example.net", "not written")
	if n := len(r.m.desk.past); n != 2 {
		t.Fatalf("%d decisions can be undone", n)
	}
}

// A host that breaks several rules can be allowed where one of them is about the host.
func TestAllowWhereItIsOneOfSeveralRules(t *testing.T) {
	t.Parallel()
	fronted := flowtest.Get("https://x.example.org/", flowtest.ID(1))
	fronted.Server.SNI = "other.example.com"
	r := newRig(t, setting{flows: []*flow.Flow{fronted}, w: 200, h: 24})
	rules := r.m.rulesOf(selection{host: "x.example.org"})
	if len(rules) < 2 || policy.Rule(rules[0]).OfContact() {
		t.Fatalf("it breaks %v, and it should break a rule first that no permission changes", rules)
	}
	r.onto("2", "x.example.org").press("a")
	r.sees("── Allow x.example.org")
}

func TestDetailShowsTheNewVerdict(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story()})
	r.onto("1", "clients3").press("enter")
	r.sees("✗ captive-portal-probe")
	r.press("a", "enter")
	r.news()
	r.sees("✓ Allowed by telltale.yaml")
	r.press("u")
	r.news()
	r.sees("✗ captive-portal-probe")
}

func TestPhase(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story()})
	r.press("3", "m")
	r.sees("── Mark a phase")
	r.press("down", "enter")
	r.news()
	r.sees("phase: ", "● rec")
	r.press("m", "ctrl+u").typeText("my own phase").press("enter")
	r.news()
	r.sees("phase: my own phase")
	r.observe(flowtest.Get("https://www.canada.ca/later", flowtest.ID(30)))
	r.news()
	r.press("end", "enter")
	r.sees("my own phase")
	r.press("esc", "m", "ctrl+u", "enter")
	r.sees("the phase has ended")
	r.news()
	r.press("up")
	r.seesNot("phase: my own")
}

func TestExport(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story()})
	r.press("e", "ctrl+u").typeText("out").press("tab", "space", "tab", "space", "tab", "space", "enter")
	if strings.Join(r.wrote, " ") != "out.html out.json" {
		t.Fatalf("written: %v", r.wrote)
	}
	r.sees("wrote /", "out.html")
	r.press("e", "tab", "tab", "space", "enter")
	r.sees("! tick a format and name a file")
	r.press("esc")

	r.m.cfg.Reports.Write = func([]string) error { return errors.New("cannot write\n\x1b[31mreport") }
	r.press("e", "enter")
	r.sees(`! cannot write`)
	checkScreen(t, r.m)

	r.m.loading = newLoading()
	r.press("e")
	r.sees("still being read")
}

func TestHostThatNoPatternNames(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: []*flow.Flow{hostileFlow(1)}})
	for _, key := range []string{"a", "i", "x"} {
		r.press("2", key)
		r.sees("no pattern of a policy can name this")
	}
}

// Decisions that a signal overtakes are not in the verdict, and somebody says so.
func TestSignalBeforeDecisionsAreWritten(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story(), w: 200, h: 24})
	dropped := false
	r.m.desk.cfg.Dropped = func() { dropped = true }
	before := len(r.store.Summary().Violations)
	r.onto("2", "clients3").press("a", "enter")
	r.m.desk.abandon(r.store)
	if now := len(r.store.Summary().Violations); now != before || !dropped {
		t.Errorf("%d violations before, %d after, told: %v", before, now, dropped)
	}
	dropped = false
	r.press("w", "enter")
	after := len(r.store.Summary().Violations)
	r.m.desk.abandon(r.store)
	if dropped || len(r.store.Summary().Violations) != after {
		t.Error("what was written is gone")
	}
}

func TestPolicyFileThatIsGone(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story(), w: 200, h: 24})
	r.onto("2", "clients3").press("a", "enter")
	check(t, os.Remove(r.file))
	r.press("w", "enter")
	r.sees("is gone: w writes it anew", "not written")
	r.press("w", "enter")
	if !strings.Contains(r.fileText(), "- clients3.google.com") {
		t.Fatalf("the file is\n%s", r.fileText())
	}
}

func TestCtrlCTwiceQuits(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story(), w: 200, h: 24})
	r.onto("2", "clients3").press("a", "enter", "ctrl+c")
	if r.sees("── Quit"); r.quit {
		t.Fatal("decisions are lost at once")
	}
	if r.press("ctrl+c"); !r.quit {
		t.Fatal("ctrl+c twice does not quit")
	}
}

// What an idle baseline explains stays explained, whatever policy comes into force.
func TestPolicyIsJudgedBesideABaseline(t *testing.T) {
	t.Parallel()
	alive := flowtest.Head("https://probe.system.example/alive", flowtest.UserAgentOf("Dalvik/2.1"), flowtest.ID(99))
	probe := policy.ShapeOf(alive)
	idle := &policy.Idle{File: "idle.telltale", Shapes: map[policy.Shape]string{probe: "every minute"}}
	r := newRig(t, setting{flows: append(story(), alive), w: 200, h: 24, change: func(cfg *Config) { cfg.Policy.Beside = idle.Beside }})
	check(t, r.store.Rejudge(t.Context(), idle.Beside(r.m.desk.policy), nil))
	subtracted := func() (n int) {
		for _, s := range r.store.Summary().Shapes {
			if s.Shape == probe {
				n += s.Subtracted
			}
		}
		return n
	}
	want := subtracted()
	if want == 0 {
		t.Fatal("nothing is subtracted")
	}
	holds := func(when string) {
		t.Helper()
		if got := subtracted(); got != want {
			t.Errorf("%s, %d are subtracted, want %d", when, got, want)
		}
	}
	r.onto("2", "captive.example").press("a", "enter")
	holds("after a decision about another host")
	r.press("u")
	holds("after it was undone")
	r.onto("2", "captive.example").press("a", "enter")
	r.m.desk.abandon(r.store)
	holds("after a signal")
}
