package tui

import (
	"context"
	"errors"
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"

	"telltale/locate"
	"telltale/locate/app"
	"telltale/locate/hosts"
	"telltale/locate/library"
	"telltale/locate/reading"
)

// locateBy is a Config.Locate that answers at once.
func locateBy(find func(host string) (*locate.Result, error)) func(context.Context, string, func(locate.Progress)) (*locate.Result, error) {
	return func(_ context.Context, host string, progress func(locate.Progress)) (*locate.Result, error) {
		progress(locate.Progress{Files: 1})
		return find(host)
	}
}

// withApp is the story with an app at hand.
func withApp(find func(host string) (*locate.Result, error)) func() setting {
	return func() setting {
		return setting{flows: story(), change: func(c *Config) { c.App, c.Locate = "covid-alert.ipa", locateBy(find) }}
	}
}

const bundle = "Payload/CovidShield.app/main.jsbundle"

// inApp is a search of the app that found these leads.
func inApp(host string, leads ...locate.Lead) *locate.Result {
	res := &locate.Result{
		Apps:   []locate.App{{Info: app.Info{Path: "covid-alert.ipa", Kind: "IPA"}, Identity: reading.Identity{ID: "ca.gc.hcsc.canada.stopcovid", Name: "COVID Alert", Version: "1.0.2"}, Platform: "iOS"}},
		Wanted: locate.Wanted{Hosts: []string{host}}, Files: 412, Bytes: 78_310_442,
		Kinds: []locate.Kind{{Name: "React Native bundle (plain)", Files: 1}, {Name: "property list", Files: 38}},
	}
	for _, l := range leads {
		l.Wanted = host
		res.Leads = append(res.Leads, l)
	}
	return res
}

// probeLead is NetInfo's default in a minified bundle.
func probeLead() locate.Lead {
	return locate.Lead{
		File: bundle, Offset: 1_234_567, Form: locate.WholeURL, Text: "https://clients3.google.com/generate_204",
		Place: reading.Place{Line: 1, Column: 48_213, Module: &reading.Module{ID: "413"}, Users: []reading.User{{Name: "fetchReachability"}}},
		Snippet: locate.Snippet{
			Before: `Object.defineProperty(e,"__esModule",{value:!0}),e.default={key:"AIzaSyA1b2C3d4E5f6G7h8",reachabilityUrl:"`,
			Match:  "https://clients3.google.com/generate_204", After: `",reachabilityTest:function(t){return Promise.resolve(204===t.status)}`,
		},
		Origin: &library.Origin{
			Library: &library.Library{What: "React Native's network state"}, Name: "@react-native-community/netinfo", Ecosystem: "npm", Version: "5.5.0 to 7.1.11", VersionBy: "the names in its code",
			Confidence: library.Likely, Reasons: []string{"the module has the names of its settings: reachabilityUrl, reachabilityTest"},
			Default: &library.Default{URL: "https://clients3.google.com/generate_204", Setting: "reachabilityUrl", File: "src/internal/defaultConfiguration.ts", Line: 12, When: "a HEAD every 60 s while it is reachable"},
			Remedy:  "Point it at a server of your own, or switch it off, before the first use:\n\n    NetInfo.configure({\n      reachabilityUrl: '',\n    });",
			Docs:    "https://github.com/react-native-netinfo/react-native-netinfo#configure",
		},
	}
}

func fromNetInfo(host string) (*locate.Result, error) {
	off := probeLead()
	off.Overrides = []library.Override{{File: bundle, Line: 1, Column: 3102, Stops: true, Says: "the app sets reachabilityUrl to ''"}}
	hidden := locate.Lead{File: "Payload/CovidShield.app/Ads", Form: locate.Base64, Text: "https://clients3.google.com", Snippet: locate.Snippet{Before: "(", Match: "aHR0cHM6Ly9jbGllbnRzMy5nb29nbGUuY29t", After: ")"}}
	leads := []locate.Lead{probeLead(), off, hidden}
	for i := range 30 {
		l := probeLead()
		l.Place.Column, l.Same = i+1, i
		leads = append(leads, l)
	}
	return inApp(host, leads...), nil
}

func fromObfuscated(host string) (*locate.Result, error) {
	return inApp(host, locate.Lead{
		File: "base.apk!/classes2.dex", Offset: 881_204, Form: locate.WholeURL, Text: "https://clients3.google.com/generate_204",
		Place:   reading.Place{Section: "string table", Users: []reading.User{{Name: "a.b.c.<clinit>", Package: "a.b", Obfuscated: true}}, More: 2},
		Snippet: locate.Snippet{Before: "generateSalt\x00", Match: "https://clients3.google.com/generate_204", After: "\x00getAction"},
		Mention: hosts.Mention{Template: true},
	}), nil
}

func notInApp(host string) (*locate.Result, error) {
	res := inApp(host, locate.Lead{File: bundle, Form: locate.Parent, Text: "google.com", Place: reading.Place{Line: 1, Column: 7}})
	res.Unread = []locate.Unread{{File: "Payload/CovidShield.app/CovidShield", Why: "the code is encrypted (FairPlay), its strings cannot be seen"}}
	return res, nil
}

func fromHostile(host string) (*locate.Result, error) { return allOf(hostile+secretMail, host), nil }

// allOf has a text everywhere.
func allOf(bad, host string) *locate.Result {
	l := probeLead()
	l.File, l.Text, l.Snippet = bad, bad, locate.Snippet{Before: bad, Match: bad, After: bad}
	l.Place = reading.Place{
		Section: bad, Line: 1, Module: &reading.Module{ID: bad, Name: bad}, Source: &reading.Source{File: bad, By: bad, Line: 2},
		Users: []reading.User{{Name: bad, File: bad, Line: 3}},
	}
	l.Mention.Noise = bad
	l.Origin = &library.Origin{
		Library: &library.Library{What: bad}, Name: bad, Ecosystem: "npm", Version: bad, VersionBy: bad, Reasons: []string{bad}, Remedy: bad + "\n\n    " + bad, Docs: bad,
		Default: &library.Default{URL: bad, Setting: bad, File: bad, When: bad, Versions: bad, Package: bad},
	}
	l.Overrides = []library.Override{{File: bad, Says: bad, Line: 1, Column: 2}}
	res := inApp(host, l, l, l, l, l, l, locate.Lead{File: bad, Form: locate.Parent, Text: bad})
	res.Apps[0].Name, res.Apps[0].Version = bad, bad
	res.Unread, res.Failures = []locate.Unread{{File: bad, Why: bad}}, []app.Failure{{Path: bad, Err: errors.New(bad)}}
	res.Kinds = []locate.Kind{{Name: bad, Files: 1}}
	return res
}

// TestOriginIsSearchedOnce checks that what was found of a host is kept, that a search that
// failed is tried again, and that secrets of the app are hidden.
func TestOriginIsSearchedOnce(t *testing.T) {
	t.Parallel()
	asked := 0
	r := newRig(t, withApp(func(host string) (*locate.Result, error) {
		if asked++; asked == 1 {
			return nil, errors.New("the disk is away")
		}
		return fromNetInfo(host)
	})())
	r.onto("1", "clients3").press("O")
	r.sees("the disk is away")
	r.press("x", "O")
	r.sees("Where clients3.google.com comes from", "module 413")
	if text := r.m.View(); strings.Contains(text, "SyA1b2C3d4") {
		t.Errorf("a key is shown:\n%s", text)
	}
	r.press("esc", "2").onto("2", "clients3").press("O")
	r.sees("module 413")
	if asked != 2 {
		t.Errorf("the app was searched %d times", asked)
	}
	r.press("esc").onto("2", "canada").press("O")
	if asked != 3 {
		t.Errorf("another host was not looked for: %d", asked)
	}
}

// TestOriginCanBeStopped checks that a search does not hold up the screen, that it shows how
// far it is, and that leaving it gives it up.
func TestOriginCanBeStopped(t *testing.T) {
	t.Parallel()
	began, stopped := make(chan struct{}), make(chan error, 1)
	s := withApp(fromNetInfo)()
	r := newRig(t, s)
	r.m.cfg.Locate = func(ctx context.Context, _ string, progress func(locate.Progress)) (*locate.Result, error) {
		for i := range 100 {
			progress(locate.Progress{Files: i + 1})
		}
		close(began)
		<-ctx.Done()
		stopped <- ctx.Err()
		return nil, ctx.Err()
	}
	r.onto("1", "clients3")
	r.hold = true
	r.press("O")
	p := r.m.panel.(*originPanel)
	r.sees("Searching covid-alert.ipa")
	if len(r.held) != 1 {
		t.Fatalf("%d commands run beside the loop", len(r.held))
	}
	said := make(chan tea.Msg, 1)
	go func() { said <- r.held[0]() }()
	<-began
	if at, ok := p.next().(originProgressMsg); !ok || at.at.Files != 100 {
		t.Errorf("the newest progress is %+v", at)
	} else {
		r.send(at)
	}
	r.sees("100 files")
	r.news() // the audit goes on
	r.press("down")
	r.sees("Searching")
	r.press("esc")
	if err := <-stopped; !errors.Is(err, context.Canceled) {
		t.Errorf("the search ended with %v", err)
	}
	r.send(<-said)
	r.seesNot("Searching")
	if p.next() != nil {
		t.Error("progress is awaited after the end")
	}
	if len(r.m.origins) != 0 {
		t.Error("what was stopped is kept")
	}
}

// TestOriginSaysHowToGiveTheApp checks what the key says where it can do nothing.
func TestOriginSaysHowToGiveTheApp(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story()})
	r.onto("1", "clients3").press("O")
	r.sees("give the app with --app APP")
	r = newRig(t, withApp(fromNetInfo)())
	r.press("2", "d").onto("2", "google.com").press("O")
	if r.m.panel == nil {
		r.sees("choose a host of the domain")
	}
	r = newRig(t, setting{change: func(c *Config) { c.Locate = locateBy(fromNetInfo) }})
	r.press("1", "O")
	r.sees("nothing is selected")
	r = newRig(t, withApp(func(string) (*locate.Result, error) { return nil, nil })())
	r.onto("1", "clients3").press("O")
	r.sees("could not be searched")
}
