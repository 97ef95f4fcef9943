package experiment

import (
	"errors"
	"strings"
	"testing"

	"telltale/policy"
)

func pattern(t testing.TB, text string) policy.Pattern {
	t.Helper()
	p, err := policy.ParsePattern(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestParseSimulation(t *testing.T) {
	for text, want := range map[string]string{
		"offline":                       "offline",
		"captive-portal":                "captive-portal",
		"slow":                          "slow 3g",
		"slow=edge":                     "slow edge",
		"flaky":                         "flaky 1",
		"flaky=42":                      "flaky 42",
		"flaky=42@a.example":            "flaky 42 @a.example",
		"server-error":                  "server-error 503",
		"server-error=502@*.a.example":  "server-error 502 @*.a.example",
		"bad-certificate":               "bad-certificate unknown-authority",
		"bad-certificate=self-signed":   "bad-certificate self-signed",
		"clock-skew=not-yet-valid":      "clock-skew not-yet-valid",
		"no-quic":                       "no-quic",
		"consent-refused":               "consent-refused",
		"offline@*.EXAMPLE.com":         "offline @*.example.com",
		"offline@[2001:db8::1]:443":     "offline @[2001:db8::1]:443",
		"flaky=18446744073709551615":    "flaky 18446744073709551615",
		"server-error=500@10.0.0.0/8":   "server-error 500 @10.0.0.0/8",
		"bad-certificate=wrong-name@*":  "bad-certificate wrong-name @*",
		"clock-skew@münchen.example:80": "clock-skew expired @xn--mnchen-3ya.example:80",
	} {
		spec, err := ParseSimulation(text)
		if err != nil || spec.String() != want {
			t.Errorf("ParseSimulation(%q) = %q, %v; want %q", text, spec, err, want)
		}
	}
}

// hint is what an error advises.
func hint(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

func TestParseSimulationRejects(t *testing.T) {
	for _, tt := range []struct{ text, words, hint string }{
		{"ofline", `did you mean "offline"?`, "captive-portal, offline, slow"},
		{"", "there is no simulation", "offline"},
		{"zzzzzz", `there is no simulation "zzzzzz"`, "consent-refused"},
		{"slow=edgy", `did you mean "edge"?`, "3g, edge, satellite"},
		{"slow=", "there is no slow variant", "3g, edge, satellite"},
		{"server-error=404", "there is no server-error variant", "503, 500, 502, 504"},
		{"bad-certificate=expired", "there is no bad-certificate variant", "unknown-authority"},
		{"offline=1", "offline has no variants", "--simulate offline"},
		{"flaky=x", "is not a number", "--simulate flaky=42"},
		{"flaky=", "is not a number", "42"},
		{"flaky=-1", "is not a number", "42"},
		{"flaky=01", "is not a number", "42"},
		{"flaky=18446744073709551616", "is not a number", "18446744073709551615"},
		{"offline@", "is empty", ""},
		{"offline@*a.example", "not a whole label", `"*.a.example"`},
		{"offline@a.example@b.example", "user name", ""},
		{"slow@a.example", "cannot be restricted", "--simulate slow"},
	} {
		_, err := ParseSimulation(tt.text)
		if err == nil || !strings.Contains(err.Error(), tt.words) || !strings.Contains(hint(err), tt.hint) {
			t.Errorf("ParseSimulation(%q): %v (hint: %s), want %q and %q", tt.text, err, hint(err), tt.words, tt.hint)
		}
	}
}

func TestParseRefuse(t *testing.T) {
	for text, want := range map[string]string{
		"clients3.google.com":      "refuse clients3.google.com",
		"clients3.google.com=204":  "refuse clients3.google.com 204",
		"*.example=hang":           "refuse *.example hang",
		"a.example:8443=reset":     "refuse a.example:8443 reset",
		"a.example=refused":        "refuse a.example",
		"[2001:db8::1]:443=dns":    "refuse [2001:db8::1]:443 dns",
		".example=403":             "refuse .example 403",
		"MÜNCHEN.example.=refused": "refuse xn--mnchen-3ya.example",
	} {
		p, form, err := ParseRefuse(text)
		if err != nil || RefuseName(p, form) != want {
			t.Errorf("ParseRefuse(%q) = %q, %v; want %q", text, RefuseName(p, form), err, want)
		}
	}
	for _, tt := range []struct{ text, words, hint string }{
		{"", "is empty", "canada.ca"},
		{"a.example=", "there is no form of refusal", "refused, dns, 403, 204, hang, reset"},
		{"a.example=rest", `did you mean "reset"?`, "hang"},
		{"a.example=reset=reset", "there is no form of refusal", "hang"},
		{"https://a.example", "has a scheme", `"a.example"`},
		{"=403", "is empty", ""},
	} {
		_, _, err := ParseRefuse(tt.text)
		if err == nil || !strings.Contains(err.Error(), tt.words) || !strings.Contains(hint(err), tt.hint) {
			t.Errorf("ParseRefuse(%q): %v (hint: %s), want %q and %q", tt.text, err, hint(err), tt.words, tt.hint)
		}
	}
}

func TestForms(t *testing.T) {
	for _, name := range Forms {
		if form, err := ParseForm(name); err != nil || string(form) != name {
			t.Errorf("ParseForm(%q) = %q, %v", name, form, err)
		}
	}
	if EnforceName(FormRefused) != "enforce" || EnforceName(FormNoContent) != "enforce 204" {
		t.Errorf("names %q, %q", EnforceName(FormRefused), EnforceName(FormNoContent))
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"offline", "slow=edge", "flaky=42@*.a.example", "a.example=204", "hang", "server-error=503@[::1]:80", "clock-skew@", "=", "@"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if spec, err := ParseSimulation(text); err != nil {
			check(t, err)
		} else {
			again := spec.Name
			if spec.Variant != "" {
				again += "=" + spec.Variant
			}
			for _, host := range spec.Hosts {
				again += "@" + host.String()
			}
			if second, err := ParseSimulation(again); err != nil || second.String() != spec.String() {
				t.Errorf("%q is %q, which is written %q, which is %q (%v)", text, spec, again, second, err)
			}
		}
		if p, form, err := ParseRefuse(text); err != nil {
			check(t, err)
		} else if q, again, err := ParseRefuse(p.String() + "=" + string(form)); err != nil || q != p || again != form {
			t.Errorf("%q is %q, which is %q (%v)", text, RefuseName(p, form), RefuseName(q, again), err)
		}
		if _, err := ParseForm(text); err != nil {
			check(t, err)
		}
	})
}

// check holds that an error is one for people, and short.
func check(t *testing.T, err error) {
	var own *Error
	var bad *policy.PatternError
	if !errors.As(err, &own) && !errors.As(err, &bad) {
		t.Errorf("%v is a %T", err, err)
	}
	if own != nil && len(own.Error()) > 600 {
		t.Errorf("an error of %d bytes", len(own.Error()))
	}
}
