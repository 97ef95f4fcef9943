package tui

import (
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"

	"telltale/capture"
	"telltale/diagnosis"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/flow/plain"
	"telltale/guard/raced"
	"telltale/locate"
)

// sgr is the one control sequence that a screen may hold: a style (ECMA-48, 8.3.117).
var sgr = regexp.MustCompile("\x1b\\[[0-9;]*m")

// checkScreen fails when the screen is larger than the terminal, holds a control
// character that is not part of a style, or text that could reorder or hide what
// stands beside it.
func checkScreen(t testing.TB, m *model) {
	t.Helper()
	view := m.View()
	lines := strings.Split(view, "\n")
	if len(lines) > m.height {
		t.Fatalf("%d lines on a screen of %d×%d:\n%s", len(lines), m.width, m.height, view)
	}
	for i, line := range lines {
		if n := ansi.StringWidth(line); n > m.width {
			t.Fatalf("line %d has %d columns on a screen of %d×%d: %q", i, n, m.width, m.height, line)
		}
		for _, r := range sgr.ReplaceAllString(line, "") {
			if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) {
				t.Fatalf("line %d of %d×%d holds %U: %q", i, m.width, m.height, r, line)
			}
		}
		if plain.Text(sgr.ReplaceAllString(line, "")) != strings.ReplaceAll(sgr.ReplaceAllString(line, ""), `\`, `\\`) {
			t.Fatalf("line %d of %d×%d holds text that does not show as itself: %q", i, m.width, m.height, line)
		}
	}
}

// TestEverySize draws every picture at every size from 1×1 up.
func TestEverySize(t *testing.T) {
	t.Parallel()
	noColours := lipgloss.NewRenderer(io.Discard)
	noColours.SetColorProfile(termenv.ANSI)
	bold := themeOf(noColours, false)
	for i, p := range pictures {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			s := p.start()
			s.flows = append(s.flows, hostileFlow(flow.ID(len(s.flows)+1)))
			if i%2 == 0 {
				s.theme = &bold
			}
			r := newRig(t, s)
			p.to(r)
			for h := 1 + i%raced.Size(1, 4); h <= 45; h += raced.Size(1, 4) {
				for w := 1; w <= 130; w++ {
					if (w > 12 || h > 8) && (w*7+h*13+i)%raced.Size(37, 74) != 0 {
						continue // each picture has its own sizes; together they have all
					}
					r.m.width, r.m.height = w, h
					r.m.layout()
					checkScreen(t, r.m)
				}
				r.resize(20+h*2, h)
				checkScreen(t, r.m)
			}
		})
	}
}

// everywhereIn goes through every view, tab and panel that shows something of a
// capture.
func everywhereIn(r *rig, visit func()) {
	r.t.Helper()
	for _, steps := range [][]string{
		{"c"}, {"1"}, {"1", "enter"}, {"tab"}, {"tab"}, {"tab"}, {"tab"}, {"esc"}, {"1", "a"}, {"esc"}, {"x"}, {"tab", "tab"}, {"esc"},
		{"1", "R"}, {"tab"}, {"esc"}, {"X"}, {"end"}, {"right"}, {"space"}, {"home"}, {"space"}, {"esc"}, {"1", "F"}, {"esc"}, {"1", "O"}, {"end"}, {"esc"}, {"2"}, {"d"}, {"d"}, {"i"}, {"esc"}, {"y"}, {"esc"}, {"enter"}, {"tab"}, {"r"}, {"tab"}, {"tab"}, {"tab"}, {"y", "u"}, {"esc"},
		{"3"}, {"enter"}, {"tab", "tab", "r"}, {"D"}, {"end"}, {"n"}, {"N"}, {"esc"}, {"esc"}, {"space"}, {"1"}, {"2"}, {"4", "F"}, {"enter"}, {"esc"}, {"esc"}, {"/"}, {"x"}, {"esc"}, {"m"}, {"esc"}, {"e"}, {"esc"}, {"w"}, {"esc"}, {"?"}, {"esc"}, {"a", "enter"}, {"esc"}, {"w"}, {"esc"}, {"q"}, {"esc"},
	} {
		for _, key := range steps {
			r.press(key)
			visit()
		}
	}
}

func TestHostileTextStaysText(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{
		flows: flowtest.Number(hostileFlow(1), flowtest.Get("https://www.canada.ca/"), flowtest.WebSocket("wss://a.example/", []flow.Frame{flowtest.Text(true, 0, hostile)})),
		text:  strings.Replace(covidPolicy, "name: COVID Alert talks to the Government of Canada only", `name: "\u202e\x1b[31m\u200b evil"`, 1),
		change: func(c *Config) {
			c.Capture, c.Experiments = hostile, hostileLamps(hostile)
			c.Problems = func() []string { return []string{hostile} }
			c.Diagnose = hostileDiagnoses
			c.NameDevice = func(string, string) error { return errors.New(hostile) }
			c.App, c.Locate = hostile, locateBy(func(host string) (*locate.Result, error) { return allOf(hostile, host), nil })
		},
	})
	everywhereIn(r, func() { checkScreen(t, r.m) })
	r.resize(200, 60)
	everywhereIn(r, func() { checkScreen(t, r.m) })
}

// FuzzHostileText puts a text everywhere in a capture and looks at every view.
func FuzzHostileText(f *testing.F) {
	for _, s := range []string{"", "plain", hostile, "\x1b]8;;http://evil\x07x\x1b]8;;\x07", "\u202e\u2066\u2069", "\xff", strings.Repeat("字", 300), "e" + strings.Repeat("\u0301", 60), "\u2028\u2029\u0085", `\x1b[31m \\ "quote`, "a.b\u3002c", "👩‍👩‍👧‍👦🏳️‍🌈"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 1000 {
			return
		}
		x := flowtest.Post("https://host.example/"+s, s, flowtest.Header("X-"+s, s), flowtest.UserAgentOf(s), flowtest.Device(s), flowtest.Phase(s),
			flowtest.ResponseBody(s, s), flowtest.Host(s), flowtest.SNI(s), flowtest.Altered(s))
		x.Server.Asked, x.Error, x.Request.Method, x.Response.Reason = s+":443", s, s, s
		socket := flowtest.WebSocket("wss://a.example/"+s, []flow.Frame{flowtest.Text(true, 0, s)})
		r := newRig(t, setting{flows: flowtest.Number(x, socket, flowtest.Tunnel("t.example", func(f *flow.Flow) { f.Error = s })), w: 90, h: 20, change: func(c *Config) {
			c.Capture, c.Problems, c.NameDevice = s, func() []string { return []string{s} }, func(string, string) error { return errors.New(s) }
			c.Diagnose = func(capture.Device) []diagnosis.Diagnosis { return diagnosesOf(s) }
			c.Experiments = hostileLamps(s)
			c.App, c.Locate = s, locateBy(func(host string) (*locate.Result, error) { return allOf(s, host), nil })
		}})
		everywhereIn(r, func() { checkScreen(t, r.m) })
	})
}
