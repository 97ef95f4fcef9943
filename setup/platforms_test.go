package setup

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestPlatformsAreComplete(t *testing.T) {
	served := []string{"", pemPath, derPath, profilePath, "/{android}"}
	seen := map[string]bool{}
	for _, p := range Platforms {
		if p.ID == "" || p.Name == "" || seen[p.ID] || len(p.Steps) < 2 || len(p.Undo) == 0 {
			t.Errorf("platform %q (%s) is not complete", p.ID, p.Name)
		}
		seen[p.ID] = true
		if first := p.Steps[0].Text; !strings.Contains(first, "{host}") || !strings.Contains(first, "{port}") {
			t.Errorf("%s: the first step does not set the proxy: %q", p.ID, first)
		}
		downloads, compares, stage := 0, 0, SetProxy
		if p.Steps[len(p.Steps)-1].Stage != OpenApp {
			t.Errorf("%s: no step opens the app", p.ID)
		}
		for i, step := range append(slices.Clone(p.Steps), p.Undo...) {
			if i == len(p.Steps) {
				stage = SetProxy
			}
			for _, text := range []string{step.Text, step.Why} {
				checkMarkup(t, p.ID, text)
			}
			if !slices.Contains(served, step.Link) {
				t.Errorf("%s: a step links to %q", p.ID, step.Link)
			}
			links := 0
			for _, part := range parse(step.Text, Place{}) {
				if part.Kind == linkPart {
					links++
				}
			}
			if (links == 1) != (step.Link != "") || links > 1 {
				t.Errorf("%s: %d links in %q to %q", p.ID, links, step.Text, step.Link)
			}
			if step.Link != "/{android}" {
				downloads += links
			}
			if step.Stage < stage {
				t.Errorf("%s: a step of stage %d follows one of %d: %q", p.ID, step.Stage, stage, step.Text)
			}
			stage = step.Stage
			if strings.Contains(step.Text+step.Why, "fingerprint") {
				compares++
			}
		}
		if downloads != 1 || compares == 0 {
			t.Errorf("%s: %d downloads, the fingerprint is compared in %d steps", p.ID, downloads, compares)
		}
		for _, note := range p.Notes {
			checkMarkup(t, p.ID, note)
		}
	}
}

// checkMarkup finds what is opened and not closed, and fields that do not exist.
func checkMarkup(t *testing.T, platform, text string) {
	t.Helper()
	if strings.Count(text, "`")%2 != 0 || strings.Count(text, "[") != strings.Count(text, "]") {
		t.Errorf("%s: unbalanced markup: %q", platform, text)
	}
	for _, part := range parse(text, Place{"host", "1", "name", "9a5ba575.0"}) {
		if strings.ContainsAny(part.Text, "{}`[]") {
			t.Errorf("%s: %q is left in %q", platform, part.Text, text)
		}
	}
}

func TestParse(t *testing.T) {
	at := Place{"192.0.2.1", "8080", "telltale CA [`x`] {port}", ""}
	for text, want := range map[string][]part{
		"":                      nil,
		"plain":                 {{plainPart, "plain"}},
		"`Wi-Fi › {host}`.":     {{literalPart, "Wi-Fi › 192.0.2.1"}, {plainPart, "."}},
		"In Safari, [get] it":   {{plainPart, "In Safari, "}, {linkPart, "get"}, {plainPart, " it"}},
		"[a]`b`":                {{linkPart, "a"}, {literalPart, "b"}},
		"{address} {page}":      {{plainPart, "192.0.2.1:8080 http://192.0.2.1:8080/"}},
		"`{authority}` is kept": {{literalPart, "telltale CA [`x`] {port}"}, {plainPart, " is kept"}},
		"open `end":             {{plainPart, "open "}, {literalPart, "end"}},
		"open [":                {{plainPart, "open "}, {linkPart, ""}},
	} {
		if got := parse(text, at); !reflect.DeepEqual(got, want) {
			t.Errorf("parse(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestStepsForTheTerminal(t *testing.T) {
	for file, steps := range map[string]func(Platform, Place) []string{"steps.txt": Steps, "undo.txt": UndoSteps} {
		var b strings.Builder
		for _, p := range Platforms {
			b.WriteString(p.Name + "\n")
			for _, step := range steps(p, Place{"192.168.1.5", "8080", "telltale CA 3F2A9C1D", "9a5ba575.0"}) {
				b.WriteString("- " + step + "\n")
			}
		}
		golden(t, file, []byte(b.String()))
		if strings.ContainsAny(b.String(), "`[]{}") {
			t.Errorf("%s: markup is left in the steps", file)
		}
	}
}

func TestStepWithoutAPlace(t *testing.T) {
	got := Step{Text: "Server `{host}`, port `{port}`; [get it]; `{authority}`", Link: "/ca.cer", Why: "Or `else`.", Code: "a\nb"}.String()
	want := "Server this machine's address, port the proxy's port; get it (http://setup.telltale/ca.cer); the telltale CA\nOr else.\n\n  a\n  b\n"
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestPlace(t *testing.T) {
	for place, want := range map[Place][2]string{
		{Host: "192.0.2.1", Port: "8080"}:    {"192.0.2.1:8080", "http://192.0.2.1:8080/"},
		{Host: "2001:db8::1", Port: "8080"}:  {"[2001:db8::1]:8080", "http://[2001:db8::1]:8080/"},
		{Host: "laptop.local", Port: "80"}:   {"laptop.local:80", "http://laptop.local/"},
		{Host: "2001:db8::80", Port: "80"}:   {"[2001:db8::80]:80", "http://[2001:db8::80]/"},
		{Host: "laptop.local", Port: "8080"}: {"laptop.local:8080", "http://laptop.local:8080/"},
	} {
		if got := [2]string{place.String(), place.Page()}; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
