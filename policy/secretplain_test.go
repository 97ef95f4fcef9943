package policy

import (
	"errors"
	"strings"
	"testing"
	"time"

	"telltale/flow/flowtest"
)

func TestValuesThatCannotBeMeant(t *testing.T) {
	env := func(name string) (string, bool) { return "Mira.Quell", name == "mail" || name == "BB_MAIL" }
	for value, want := range map[string]string{
		"$BB_MAIL": "${BB_MAIL}", "$OTHER": "${OTHER}", "$mail": "${mail}", "$env:BB_MAIL": "${BB_MAIL}", "$(BB_MAIL)": "${BB_MAIL}",
		"'%BB_MAIL%'": "${BB_MAIL}", "'{{ BB_MAIL }}'": "${BB_MAIL}", "'${{ secrets.BB_MAIL }}'": "variable", "'$BB_MAIL'": "${BB_MAIL}",
		"'....----'": "no letter", "'    .'": "no letter", "'____'": "no letter", "'\u3000\u2014\u2014'": "no letter", "====": "no letter",
		"${BB_MAIL}": "", "$ecret1": "", "$BB_MAIL!": "", "pa$$word": "", "'????1'": "", "東京都港": "", "$${BB_MAIL}": "",
	} {
		_, err := Parse("p.yaml", []byte("version: 1\nnever-send:\n  - name: m\n    value: "+value+"\n"), Options{Env: env})
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", value, err)
			}
			continue
		}
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: error %v", value, err)
			continue
		}
		if said := e.Error() + e.Hint(); !strings.Contains(said, want) {
			t.Errorf("%s: %s", value, said)
		}
	}
}

func TestLintCommonValues(t *testing.T) {
	for value, want := range map[string]string{
		"https": "scheme", "HTTPS": "scheme", "POST": "word of HTTP", "canada": "line 2", "weather.canada.example": "line 2", "unlikely-value-9": "",
	} {
		p := parse(t, "version: 1\nallow: [\"*.weather.canada.example\"]\nnever-send:\n  - {name: m, value: \""+value+"\"}\n")
		said := ""
		for _, w := range Lint(p, time.Now()) {
			if !strings.Contains(w.Message, "characters") {
				said += w.Message
			}
		}
		if want == "" && said != "" || !strings.Contains(said, want) {
			t.Errorf("%s: %q", value, said)
		}
	}
}

// A scheme that is listed is no leak in the URL of every request, and no report loses its
// URLs by it.
func TestSchemesAreNotSearchedForInURLs(t *testing.T) {
	p := parse(t, "version: 1\nallow: [a.example]\nnever-send:\n  - {name: m, value: https}\n")
	if leaks := p.Leaks(flowtest.Get("https://a.example/x?u=https%3A%2F%2Fb.example")); len(leaks) != 0 {
		t.Errorf("%+v", leaks)
	}
	if got := p.Mask("HTTPS://a.example/ https:\\/\\/b.example"); got != "HTTPS://a.example/ https:\\/\\/b.example" {
		t.Error(got)
	}
	if leaks := p.Leaks(flowtest.Get("https://a.example/x?u=https")); len(leaks) != 1 {
		t.Error("a value that is a scheme is not found elsewhere")
	}
}

func TestLintShowsNoValue(t *testing.T) {
	p := parse(t, "version: 1\nallow: [mira-quell.example]\nignore: [mira-quell.example]\nnever-send:\n  - {name: m, value: mira-quell}\n")
	warnings := Lint(p, time.Now())
	if len(warnings) < 2 {
		t.Fatalf("%v", warnings)
	}
	for _, w := range warnings {
		if strings.Contains(w.String()+w.Hint(), "mira-quell") {
			t.Error(w.String())
		}
	}
}
