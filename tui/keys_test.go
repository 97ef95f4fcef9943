package tui

import (
	"slices"
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"

	"telltale/flow/flowtest"
	"telltale/guard/raced"
)

var scopes = map[string]scope{"connect": inConnect, "violations": inViolations, "hosts": inHosts, "flows": inFlows, "detail": inDetail, "devices": inDevices, "device": inDevice}

func TestNoKeyMeansTwoThings(t *testing.T) {
	t.Parallel()
	for name, in := range scopes {
		seen := map[string]action{}
		for _, b := range bindings {
			for _, key := range b.keys {
				if b.in&in == 0 {
					continue
				}
				if was, ok := seen[key]; ok {
					t.Errorf("%s: %q is action %d and %d", name, key, was, b.do)
				}
				seen[key] = b.do
				if find(key, in) != b.do {
					t.Errorf("%s: %q finds another action", name, key)
				}
			}
		}
	}
}

func TestEveryActionHasAKeyAndDoesSomething(t *testing.T) {
	t.Parallel()
	for a := none + 1; a <= quit; a++ {
		i := slices.IndexFunc(bindings, func(b binding) bool { return b.do == a })
		if i < 0 {
			t.Errorf("no key leads to action %d", a)
		}
	}
	// Each key changes the screen, or asks for something, in each scope that has it.
	for name, in := range scopes {
		for i, b := range bindings {
			if b.in&in == 0 || i%raced.Size(1, 8) != 0 {
				continue
			}
			r := newRig(t, setting{flows: append(story(), visits(100, 125, "")...), w: 40, h: 14})
			r.press(map[scope]string{inConnect: "c", inViolations: "1", inHosts: "2", inFlows: "3", inDetail: "3", inDevices: "4", inDevice: "4"}[in])
			r.press("down", "down", "down", "down")
			if in == inDetail {
				r.press("up", "up", "up", "enter", "tab")
			}
			if in == inDevice {
				r.press("enter")
			}
			before := r.m.View()
			key := b.keys[0]
			_, cmd := r.m.Update(keyMsg(map[string]string{" ": "space"}[key] + strings.TrimPrefix(key, " ")))
			if cmd == nil && r.m.View() == before && !slices.Contains([]action{showConnect, showViolations, showHosts, showFlows, showDevices, goBack, moveDown, moveUp, goFirst, goLast, pageUp, pageDown}, b.do) {
				t.Errorf("%s: %q does nothing", name, key)
			}
		}
	}
}

func TestHelpListsEveryKey(t *testing.T) {
	t.Parallel()
	for _, b := range bindings {
		switch {
		case b.hidden && b.topic != "":
			t.Errorf("%v: hidden, and under a topic", b.keys)
		case !b.hidden && (b.help == "" || !slices.Contains([]string{topicLook, topicFind, topicDecide, topicLeave}, b.topic)):
			t.Errorf("%v: not in the help", b.keys)
		}
	}
	r := newRig(t, setting{flows: story()})
	for _, size := range sizes {
		r.resize(size.w, size.h)
		r.press("?")
		all := r.m.View()
		for range 100 {
			r.press("down")
			all += r.m.View()
		}
		for _, line := range helpText(&r.m.theme, size.w) {
			if line = cut(line, size.w); !strings.Contains(all, strings.TrimRight(line, " ")) {
				t.Errorf("%d×%d: the help never shows %q", size.w, size.h, line)
			}
		}
		r.press("end", "home", "pgdown", "pgup")
		r.sees("── Keys")
		r.press("x")
		r.seesNot("── Keys")
	}
}

func TestHintsFit(t *testing.T) {
	t.Parallel()
	th := plainTheme()
	for name, in := range scopes {
		for w := 1; w < 200; w++ {
			line := hints(&th, in, w)
			if n := width(line); n > w {
				t.Fatalf("%s: the hints need %d of %d columns", name, n, w)
			}
			if w >= 20 && (!strings.Contains(line, "? keys") || !strings.Contains(line, "q quit")) {
				t.Fatalf("%s: %d columns do not show how to find the keys and the way out: %q", name, w, line)
			}
		}
		all := hints(&th, in, 1000)
		for _, b := range bindings {
			if b.in&in != 0 && b.hint != "" && !strings.Contains(all, b.label()+" "+b.hint) {
				t.Errorf("%s: no hint at %s", name, b.hint)
			}
		}
	}
}

func TestEscapeClosesEveryPanel(t *testing.T) {
	t.Parallel()
	for _, esc := range []string{"esc", "ctrl+c"} {
		r := newRig(t, setting{flows: story()})
		r.onto("2", "clients3").press("a", "enter")
		for _, key := range []string{"/", "a", "i", "x", "w", "m", "e", "y", "?", "X", "q"} {
			r.press(key)
			if r.m.panel == nil {
				t.Fatalf("%s opens no panel", key)
			}
			checkScreen(t, r.m)
			r.resize(40, 10).resize(80, 24)
			if key == "q" && esc == "ctrl+c" {
				break // twice it quits
			}
			r.press(esc)
			if r.m.panel != nil {
				t.Fatalf("%s does not close what %s opens", esc, key)
			}
			if r.quit {
				t.Fatalf("%s in the panel of %s ends the program", esc, key)
			}
		}
	}
}

func TestKeysTypedFastComeOneByOne(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story()})
	r.send(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("3/prob")})
	r.send(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("e 204")})
	if r.m.search.typed != "probe 204" || r.m.view != inFlows {
		t.Fatalf("the filter is %q in view %d", r.m.search.typed, r.m.view)
	}
}

func TestPaste(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story()})
	r.send(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("qqqwau3"), Paste: true})
	if r.quit || r.m.panel != nil {
		t.Fatal("what was pasted into a list was taken for keys")
	}
	r.press("/")
	r.send(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("a\u202eb\u200b\x1b[31m\nc"), Paste: true})
	checkScreen(t, r.m)
	if got := r.m.search.typed; strings.ContainsAny(got, "\u202e\u200b\x1b\n") {
		t.Fatalf("the filter is %q", got)
	}
}

func TestRandomKeys(t *testing.T) {
	t.Parallel()
	var all []string
	for _, b := range bindings {
		all = append(all, b.keys...)
	}
	all = append(all, "enter", "esc", "tab", "down", "up", "x", "1", "-", "backspace", "ctrl+u", "enter")
	for i := range all {
		if all[i] == " " {
			all[i] = "space"
		}
	}
	for seed := range uint64(3) {
		r := newRig(t, setting{flows: append(story(), hostileFlow(50))})
		r.m.cfg.Reports.Write = func([]string) error { return nil }
		state := seed*0x9E3779B97F4A7C15 + 1
		next := func(n int) int {
			state ^= state << 13
			state ^= state >> 7
			state ^= state << 17
			return int(state % uint64(n))
		}
		for i := range 250 {
			switch next(12) {
			case 0:
				r.resize(1+next(130), 1+next(45))
			case 1:
				r.observe(flowtest.Get("https://www.canada.ca/x", flowtest.ID(0)))
				r.news()
			case 2:
				r.send(tea.MouseMsg{X: next(130), Y: next(45), Action: tea.MouseActionPress, Button: []tea.MouseButton{tea.MouseButtonLeft, tea.MouseButtonWheelUp, tea.MouseButtonWheelDown}[next(3)]})
			default:
				r.press(all[next(len(all))])
			}
			if i%5 == 0 {
				checkScreen(t, r.m)
			}
		}
	}
}
