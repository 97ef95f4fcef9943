package tui

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/locate"
)

// A picture is a state of the screen: where it starts, and the keys that lead to it.
type picture struct {
	name  string
	start func() setting
	to    func(r *rig)
}

func withStory() setting { return setting{flows: story()} }
func withNothing() setting {
	return setting{}
}

// recorded is a capture that exists already.
func recorded(flows []*flow.Flow) setting {
	return setting{flows: flows, change: func(c *Config) { c.Live, c.Connect = false, nil }}
}

func press(names ...string) func(*rig) { return func(r *rig) { r.t.Helper(); r.press(names...) } }

// detailOf opens the newest flow to a path and goes to a tab of its detail.
func detailOf(path, tab string) func(*rig) {
	return func(r *rig) {
		r.t.Helper()
		r.press("3", "/").typeText("path == \""+path+"\"").press("enter", "enter")
		for _, t := range detailTabs {
			if t.name == tab {
				return
			}
			r.press("tab")
		}
	}
}

// openFlow opens the newest flow that an expression picks, and goes to a tab.
func openFlow(expression string, tab int) func(*rig) {
	return func(r *rig) {
		r.t.Helper()
		r.press("3", "/").typeText(expression).press("enter", "enter")
		for range tab {
			r.press("tab")
		}
	}
}

func then(steps ...func(*rig)) func(*rig) {
	return func(r *rig) {
		r.t.Helper()
		for _, step := range steps {
			step(r)
		}
	}
}

var pictures = []picture{
	{"connect-nothing", withNothing, press("c")},
	{"connect-half-way", func() setting {
		served := flowtest.Get("http://setup.telltale/", flowtest.Outcome(flow.Served), flowtest.Device("Zoë's phone"))
		return setting{flows: flowtest.Number(served)}
	}, press("c")},
	{"connect-trouble", func() setting {
		return setting{flows: flowtest.Number(flowtest.Refused("api.example.com"), flowtest.Refused("www.canada.ca"))}
	}, press("c")},
	{"violations", withStory, press("1")},
	{"violations-none", func() setting { return setting{flows: story()[:1]} }, press("1")},
	{"violations-nothing-seen", withNothing, press("1")},
	{"hosts", withStory, press("2", "down", "down")},
	{"hosts-by-domain", withStory, press("2", "d")},
	{"flows-following", withStory, press("3")},
	{"flows-new-below", withStory, func(r *rig) {
		r.press("3", "up", "up", "up")
		for i := range 3 {
			r.observe(flowtest.Get("https://www.canada.ca/more", flowtest.ID(flow.ID(21+i)), flowtest.At(4*time.Minute)))
		}
		r.news()
	}},
	{"flows-hostile", func() setting { return setting{flows: []*flow.Flow{hostileFlow(1)}} }, press("3")},
	{"detail-why", withStory, detailOf("/generate_204", "Why")},
	{"detail-why-allowed", withStory, detailOf("/claim-key", "Why")},
	{"detail-request", withStory, detailOf("/claim-key", "Request")},
	{"detail-request-revealed", withStory, then(detailOf("/claim-key", "Request"), press("r"))},
	{"detail-request-form", withStory, detailOf("/submit", "Request")},
	{"detail-request-multipart", withStory, detailOf("/upload", "Request")},
	{"detail-request-protobuf", withStory, detailOf("/v1.Keys/Get", "Request")},
	{"detail-response", withStory, detailOf("/exposure-configuration/CA.json", "Response")},
	{"detail-response-image", withStory, detailOf("/logo.png", "Response")},
	{"detail-response-none", withStory, detailOf("/health", "Response")},
	{"detail-websocket", withStory, detailOf("/socket", "Request")},
	{"detail-refused", withStory, func(r *rig) { r.onto("1", "pinned").press("enter") }},
	{"detail-tls", withStory, detailOf("/claim-key", "TLS")},
	{"detail-tls-refused", withStory, func(r *rig) { r.onto("1", "pinned").press("enter", "tab", "tab", "tab") }},
	{"detail-timing", withStory, detailOf("/claim-key", "Timing")},
	{"filter-words", withStory, func(r *rig) { r.press("3", "/").typeText("generate_204") }},
	{"filter-expression", withStory, func(r *rig) { r.press("2", "/").typeText(`host endsWith ".google.com"`) }},
	{"filter-mistake", withStory, func(r *rig) { r.press("3", "/").typeText(`hots == "a"`) }},
	{"filter-empty-line", withStory, press("3", "/")},
	{"filter-no-match", withStory, func(r *rig) { r.press("1", "/").typeText(`host == "nowhere.example"`).press("enter") }},
	{"filter-off", withStory, func(r *rig) { r.press("3", "/").typeText(`probe`).press("enter", "f") }},
	{"allow", withStory, func(r *rig) { r.onto("2", "clients3").press("a") }},
	{"allow-mistake", withStory, func(r *rig) { r.onto("2", "clients3").press("a", "ctrl+u").typeText("goo gle..com") }},
	{"ignore", withStory, func(r *rig) { r.onto("2", "clients3").press("i") }},
	{"waive", withStory, func(r *rig) { r.onto("1", "clients3").press("x", "tab", "tab").typeText("known, ticket 12") }},
	{"allowed", withStory, func(r *rig) { r.onto("2", "clients3").press("a", "enter"); r.news() }},
	{"write", withStory, func(r *rig) { r.onto("2", "clients3").press("a", "enter", "w") }},
	{"written", withStory, func(r *rig) {
		r.onto("2", "clients3").press("a", "enter", "w", "enter")
		r.m.status.text = strings.ReplaceAll(r.m.status.text, r.file, "telltale.yaml")
	}},
	{"undone", withStory, func(r *rig) { r.onto("2", "clients3").press("a", "enter", "u"); r.news() }},
	{"phase", withStory, press("3", "m")},
	{"export", withStory, press("e")},
	{"copy", withStory, press("3", "y")},
	{"devices", withDevices, press("4")},
	{"devices-nothing", withNothing, press("4")},
	{"devices-unknown", func() setting { return recorded(fromNobody()) }, press("4")},
	{"devices-filtered", withDevices, func(r *rig) { r.press("1", "/").typeText("generate_204").press("enter", "4") }},
	{"device", withDevices, func(r *rig) { r.onto("4", "Pixel").press("enter") }},
	{"device-clean", withDevices, func(r *rig) { r.onto("4", "iPhone").press("enter") }},
	{"device-recorded", func() setting {
		s := withDevices()
		change := s.change
		s.change = func(c *Config) { change(c); c.Live, c.Connect, c.NameDevice = false, nil, nil }
		return s
	}, func(r *rig) { r.onto("4", "Pixel").press("enter", "N") }},
	{"device-hostile", func() setting {
		return setting{flows: []*flow.Flow{hostileFlow(1)}, change: func(c *Config) { c.Diagnose = hostileDiagnoses }}
	}, press("D")},
	{"device-name", withDevices, func(r *rig) { r.onto("4", "192.168.1.40").press("N").typeText("Tablet of the lab") }},
	{"only-violations", withDevices, func(r *rig) { r.onto("4", "Pixel").press("space", "1") }},
	{"only-hosts", withDevices, func(r *rig) { r.onto("4", "Pixel").press("space", "2") }},
	{"only-flows-filtered", withDevices, func(r *rig) { r.onto("4", "iPhone").press("F", "/").typeText("HEAD").press("enter") }},
	{"only-nothing", withDevices, func(r *rig) { r.onto("4", "192.168.1.40").press("space", "1") }},
	{"flows-of-devices", withDevices, press("3")},
	{"diagnosed", withDevices, press("1")},
	{"detail-refused-diagnosed", withDevices, func(r *rig) { r.onto("1", "pinned").press("enter") }},
	{"connect-devices", withDevices, func(r *rig) { r.onto("4", "Pixel").press("c") }},
	{"packets", withPackets, press("3")},
	{"packets-violations", withPackets, press("1")},
	{"packets-hosts", withPackets, press("2")},
	{"packets-quiet", withPackets, press("3", "h")},
	{"packets-question-why", withPackets, openFlow("kind == \"dns\" and host == \"ads.example\"", 0)},
	{"packets-question", withPackets, openFlow("kind == \"dns\" and host == \"www.canada.ca\"", 1)},
	{"packets-answer", withPackets, openFlow("kind == \"dns\" and host == \"www.canada.ca\"", 2)},
	{"packets-udp-why", withPackets, openFlow("host == \"time.example\"", 0)},
	{"packets-udp", withPackets, openFlow("host == \"time.example\"", 1)},
	{"packets-quic", withPackets, openFlow("outcome == \"quic-refused\"", 2)},
	{"packets-contact", withPackets, openFlow("kind == \"contact\"", 0)},
	{"packets-names", withPackets, openFlow("kind == \"http\"", 3)},
	{"packets-hostile", func() setting { return setting{flows: flowtest.Number(hostileQuestion())} }, press("3", "enter", "tab", "tab")},
	{"origin", withApp(fromNetInfo), func(r *rig) { r.onto("1", "clients3").press("O") }},
	{"origin-end", withApp(fromNetInfo), func(r *rig) { r.onto("2", "clients3").press("O", "end") }},
	{"origin-of-flow", withApp(fromObfuscated), then(detailOf("/generate_204", "Why"), press("O"))},
	{"origin-not-found", withApp(notInApp), func(r *rig) { r.onto("2", "clients3").press("O") }},
	{"origin-searching", withApp(fromNetInfo), func(r *rig) {
		r.hold = true
		r.onto("2", "clients3").press("O")
		r.send(originProgressMsg{r.m.panel.(*originPanel), locate.Progress{File: "Payload/CovidShield.app/Frameworks/hermes.framework/hermes", Files: 1203, Bytes: 48_213_000}})
	}},
	{"origin-trouble", withApp(func(string) (*locate.Result, error) {
		return nil, errors.New("open covid-alert.ipa: permission denied")
	}), func(r *rig) { r.onto("2", "clients3").press("O") }},
	{"origin-hostile", withApp(fromHostile), func(r *rig) { r.onto("2", "clients3").press("O") }},
	{"origin-without-app", withStory, func(r *rig) { r.onto("2", "clients3").press("O") }},
	{"help", withStory, press("?")},
	{"quit", withStory, func(r *rig) { r.onto("2", "clients3").press("a", "enter", "q") }},
	{"loading", func() setting {
		s := recorded(nil)
		s.change = func(c *Config) {
			c.Live, c.Connect = false, nil
			c.Load = func(context.Context, func(done, total int)) error { return nil }
		}
		return s
	}, func(r *rig) {
		r.m.Init()
		r.send(progressMsg{r.m.loading, 41_000, 100_000})
	}},
	{"recorded", func() setting { return recorded(story()) }, press("3")},
	{"recorded-empty", func() setting { return recorded(nil) }, press("3")},
	{"recording-stopped", withStory, func(r *rig) {
		n := r.m.feed.read().(newsMsg)
		n.err = errors.New("disk full")
		n.problems = []string{"cannot write audit.telltale: no space left on device"}
		r.send(n)
	}},
}

var sizes = []struct{ w, h int }{{80, 24}, {120, 40}, {40, 10}}

// wide are the further sizes of pictures with devices.
var wide = []struct{ w, h int }{{160, 30}, {40, 24}, {60, 16}}

func TestPictures(t *testing.T) {
	t.Parallel()
	for _, p := range pictures {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			s := p.start()
			if p.name != "written" {
				s.file = "telltale.yaml"
			}
			r := newRig(t, s)
			p.to(r)
			var b strings.Builder
			shown := sizes
			if strings.HasPrefix(p.name, "device") || strings.HasPrefix(p.name, "only") || strings.HasPrefix(p.name, "diagnosed") {
				shown = slices.Concat(sizes, wide)
			}
			for _, size := range shown {
				r.resize(size.w, size.h)
				writeScreen(&b, size.w, size.h, r)
			}
			compare(t, p.name, b.String())
		})
	}
}

// writeScreen writes the screen in a frame.
func writeScreen(b *strings.Builder, w, h int, r *rig) {
	b.WriteString("╔" + strings.Repeat("═", w) + "╗\n")
	lines := strings.Split(r.m.View(), "\n")
	if len(lines) > h {
		r.t.Errorf("%d lines on a screen of %d", len(lines), h)
	}
	for _, line := range lines {
		line = strings.ReplaceAll(line, "\x1b", "␛")
		b.WriteString("║" + strings.TrimRight(line, " ") + "\n")
	}
	b.WriteString("╚" + strings.Repeat("═", w) + "╝\n")
}

// compare holds a text against the golden of that name.
func compare(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		check(t, os.MkdirAll("testdata", 0o755))
		check(t, os.WriteFile(file, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(file)
	check(t, err)
	if got != string(want) {
		t.Errorf("%s differs; look at it and run `go test ./tui -update` when it is right. Now:\n%s", file, got)
	}
}

// TestColours holds what the sixteen colours look like on dark and light ground.
func TestColours(t *testing.T) {
	t.Parallel()
	for _, dark := range []bool{true, false} {
		for _, name := range []string{"connect-trouble", "violations", "hosts", "flows-following", "detail-response", "allow", "quit", "devices", "device", "only-violations"} {
			for _, p := range pictures {
				if p.name != name {
					continue
				}
				ground := map[bool]string{true: "dark", false: "light"}[dark]
				t.Run(name+"-"+ground, func(t *testing.T) {
					t.Parallel()
					s := p.start()
					s.theme, s.file = colourTheme(dark), "telltale.yaml"
					r := newRig(t, s)
					p.to(r)
					var b strings.Builder
					writeScreen(&b, 80, 24, r)
					compare(t, name+"-"+ground, b.String())
				})
			}
		}
	}
}
