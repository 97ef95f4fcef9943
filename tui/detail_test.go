package tui

import (
	"slices"
	"strings"
	"testing"
	"time"

	"telltale/flow"
	"telltale/flow/flowtest"
)

func TestNextAndPrevious(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story()})
	steps := func(key string, want ...string) {
		t.Helper()
		for _, w := range want {
			r.press(key)
			r.sees(w)
		}
	}
	r.onto("1", "clients3").press("enter")
	r.sees("flow 20")
	steps("n", "no flow further in this direction")
	steps("p", "flow 19 ", "flow 5 ", "flow 2 ", "no flow further")
	steps("n", "flow 5 ")
	r.press("esc").onto("2", "forms.canada.ca").press("enter")
	r.sees("flow 12")
	steps("p", "flow 11 ", "no flow further")
	steps("n", "flow 12 ")
	r.press("esc", "3", "home", "enter")
	r.sees("flow 1 ")
	steps("p", "no flow further")
	steps("n", "flow 2 ", "flow 3 ", "flow 4 ")
	r.press("esc", "/").typeText("generate_204").press("enter", "end", "enter")
	r.sees("flow 20")
	steps("p", "flow 19 ", "flow 5 ", "flow 2 ", "no flow further")
}

// A flow that was asked for by a detail that was closed since is not shown in another
// one, whichever comes first.
func TestDetailOfAnotherFlow(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: visits(1, 3, "a.example")})
	r.press("3", "home")
	r.hold = true
	r.press("enter", "esc", "down", "enter")
	slices.Reverse(r.held)
	r.release()
	r.sees("flow 2 ")
}

// A flow that was being read while a decision came into force is read again.
func TestDetailReadUnderAFormerPolicy(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story()})
	r.onto("1", "clients3").press("enter")
	before := *r.m.detail.recorded
	r.press("a", "enter")
	r.sees("✓ Allowed by telltale.yaml")
	r.send(detailMsg{of: r.m.detail, recorded: &before, judged: r.m.desk.past[0].policy})
	r.sees("✗ captive-portal-probe")
	r.news()
	r.sees("✓ Allowed by telltale.yaml")
}

// secrets are what no screen may show before a person asks for it.
var secrets = []string{secretMail, secretToken, "alice%40example.ca"}

func TestSecretsAreMaskedUntilRevealed(t *testing.T) {
	t.Parallel()
	flows := story()
	frames := flowtest.WebSocket("wss://push.canada.ca/socket?who="+secretMail, []flow.Frame{flowtest.Text(false, 0, secretMail)}, flowtest.ID(30))
	failed := flowtest.Failed("https://down.canada.ca/"+secretMail, flow.FailureDNS, flowtest.ID(31))
	failed.Error = "cannot reach https://x/" + secretMail
	tunnel := flowtest.Tunnel("t.example.com", flowtest.ID(32))
	tunnel.Error = "said " + secretMail
	cookie := flowtest.Get("https://www.canada.ca/cookie?e=alice%40example.ca", flowtest.ID(33), flowtest.ResponseHeader("Set-Cookie", "a="+secretToken),
		flowtest.Header("Proxy-Authorization", "Basic "+secretToken), flowtest.UserAgentOf("App of "+secretMail))
	r := newRig(t, setting{flows: append(flows, frames, failed, tunnel, cookie), w: 120, h: 40})
	look := func(what string) {
		t.Helper()
		r.seesNot(secrets...)
		_ = what
	}
	for _, view := range []string{"c", "1", "2", "3"} {
		r.press(view)
		look(view)
	}
	r.press("3", "home", "enter")
	for range 24 {
		for range detailTabs {
			for range 3 {
				look("detail")
				r.press("pgdown")
			}
			r.press("tab")
		}
		for _, key := range []string{"u", "c"} {
			r.press("y", key)
			look("copy")
		}
		for _, keys := range [][]string{{"a", "down"}, {"i"}, {"x"}} {
			if r.press(keys[0]); r.m.panel == nil {
				continue // no permission changes what is wrong with it
			}
			r.press(keys[1:]...)
			look("form")
			r.press("esc")
		}
		r.press("n")
	}
	for _, text := range r.copied {
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("a copy holds a secret: %s", text)
			}
		}
	}
	if len(r.copied) < 40 {
		t.Fatalf("only %d copies were made", len(r.copied))
	}
	r.press("esc").onto("2", "clients3").press("a", "enter", "w")
	look("write")
}

func TestReveal(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story(), w: 120, h: 40})
	r.press("3", "home", "down", "down", "enter", "tab")
	r.sees("Authorization: [redacted]")
	r.seesNot(secretToken)
	r.press("r")
	r.sees("Authorization: Bearer "+secretToken, "secrets of this flow are shown")
	r.press("y", "u")
	r.press("n") // another flow is masked again
	r.press("p")
	r.seesNot(secretToken)
	r.press("r", "r")
	r.seesNot(secretToken)

	r.press("esc", "/", "ctrl+u").typeText(`path == "/private"`).press("enter", "enter", "tab")
	r.seesNot(secretToken)
	r.press("y", "u")
	r.press("r")
	r.sees("user:" + secretToken + "@")
	r.press("y", "u")
	if n := len(r.copied); n != 3 || strings.Contains(r.copied[1], secretToken) || !strings.Contains(r.copied[2], secretToken) {
		t.Fatalf("copied: %q", r.copied)
	}
}

func TestRevealFromTheStart(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story(), w: 120, h: 40, change: func(c *Config) { c.Reveal = true }})
	detailOf("/claim-key", "Request")(r)
	r.sees(secretToken)
	r.press("r", "r")
	r.sees(secretToken)
	r.seesNot("masked again")
}

func TestOpenFlowIsReadAgain(t *testing.T) {
	t.Parallel()
	open := flowtest.Get("https://slow.canada.ca/poll", flowtest.Outcome(flow.Open))
	open.Response = nil
	r := newRig(t, setting{flows: []*flow.Flow{open}})
	r.press("3", "enter", "tab", "tab")
	r.sees("No response yet.")
	r.observe(flowtest.Get("https://slow.canada.ca/poll", flowtest.ResponseBody("text/plain", "at last")))
	r.news()
	r.sees("at last")
}

func TestScrolling(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("line\n", 100) + "the end"
	r := newRig(t, setting{flows: flowtest.Number(flowtest.Get("https://www.canada.ca/", flowtest.ResponseBody("text/plain", body)))})
	r.press("3", "enter", "tab", "tab")
	r.sees("top")
	r.seesNot("the end")
	r.press("end")
	r.sees("the end", "end")
	r.press("home")
	r.seesNot("the end")
	for range 20 {
		r.press("pgdown")
	}
	r.sees("the end")
	r.resize(40, 10)
	checkScreen(t, r.m)
	r.resize(120, 200)
	r.sees("HTTP/1.1 200 OK", "the end")
}

// TestLongLinesKeepTheirColours wraps a coloured text: no line may leave its colour
// on to the next, which may not be on the screen.
func TestLongLinesKeepTheirColours(t *testing.T) {
	t.Parallel()
	body := `{"key":"` + strings.Repeat("long text ", 100) + `"}`
	r := newRig(t, setting{theme: colourTheme(true), flows: flowtest.Number(flowtest.Get("https://www.canada.ca/", flowtest.ResponseBody("application/json", body)))})
	r.press("3", "enter", "tab", "tab")
	n := 0
	for i, line := range strings.Split(r.m.View(), "\n") {
		codes := sgr.FindAllString(line, -1)
		if len(codes) == 0 {
			continue
		}
		n++
		if last := codes[len(codes)-1]; last != "\x1b[0m" && last != "\x1b[m" {
			t.Errorf("line %d ends in the style %q: %q", i, last, line)
		}
		if strings.Contains(line, "long text") && codes[0] == "\x1b[0m" {
			t.Errorf("line %d has no style of its own: %q", i, line)
		}
	}
	if n < 10 {
		t.Fatalf("only %d lines have a style", n)
	}
}

func TestFlowThatIsGone(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story()})
	r.press("3")
	check(t, r.store.Close())
	r.press("enter")
	r.sees("! cannot read the flow")
	checkScreen(t, r.m)
}

// TestUpdateDoesNothingThatBlocks holds back every command and closes the store: keys
// are answered all the same.
func TestUpdateDoesNothingThatBlocks(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story()})
	r.press("3", "enter")
	check(t, r.store.Close())
	r.m.cfg.Reports.Write = func([]string) error { panic("a report was written in the loop") }
	r.m.cfg.Clipboard = func(string) (string, error) { panic("the clipboard was used in the loop") }
	r.m.cfg.Policy.Adopt = nil
	r.m.desk.cfg.Parse = nil // a panic
	r.hold = true
	start := time.Now()
	n := 0
	for range 3 {
		for _, b := range bindings {
			for _, key := range b.keys {
				r.press(key, "enter")
				if r.m.panel != nil {
					r.press("down", "tab", "x", "esc")
				}
				r.m.panel = nil
				n++
			}
		}
		r.press("1", "2", "3", "enter")
	}
	if took := time.Since(start); took > time.Duration(n)*50*time.Millisecond {
		t.Fatalf("%d keys took %v", n, took)
	}
}

// Contents that the policy does not keep are not shown as empty.
func TestContentsThatWereNotRecorded(t *testing.T) {
	t.Parallel()
	f := flowtest.Post("https://a.example/", "x", flowtest.ID(1))
	f.Omitted = true
	f.Request.Body = flow.Body{Size: 12, Truncated: true}
	r := newRig(t, setting{flows: []*flow.Flow{f}})
	r.press("3", "home", "enter", "tab")
	r.sees("Not recorded, as the policy asks")
}
