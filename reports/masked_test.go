package reports

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"  //nolint:gosec // a form in which apps send values
	"crypto/sha1" //nolint:gosec // likewise
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
)

// canaries are values of a test account, as a policy lists them.
var canaries = []string{"Canary.Tester+7@example.org", "490154203237518", "+49 151 2345 6789"}

// identifiers are values that no policy lists, of kinds that are found all the same.
var identifiers = []string{"6d92078a-8246-4ba4-ae5b-76104861e7dc", "someone.else@mail.test"}

// formsOf are the ways in which a value may stand in what is sent.
func formsOf(v string) map[string]string {
	forms := map[string]string{
		"as typed": v, "lower case": strings.ToLower(v), "upper case": strings.ToUpper(v), "percent-encoded": url.QueryEscape(v),
		"percent-encoded twice": url.QueryEscape(url.QueryEscape(v)), "HTML entities": entities(v), "JSON escapes": escapes(v),
		"hex": hex.EncodeToString([]byte(v)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(v))), "UTF-16": wide(v), "reversed": backwards(v),
		"JSON in JSON": nested(v),
	}
	for i := range 3 { // alignments
		text := []byte("xyz"[:i] + v + "&next=1")
		forms[fmt.Sprintf("base64 at %d", i)] = base64.StdEncoding.EncodeToString(text)
		forms[fmt.Sprintf("base64url at %d", i)] = base64.RawURLEncoding.EncodeToString(text)
	}
	for _, spelled := range []string{v, strings.ToLower(v)} {
		five, one, two := md5.Sum([]byte(spelled)), sha1.Sum([]byte(spelled)), sha256.Sum256([]byte(spelled)) //nolint:gosec // forms
		three, longest := sha512.Sum384([]byte(spelled)), sha512.Sum512([]byte(spelled))
		for name, sum := range map[string][]byte{"MD5": five[:], "SHA-1": one[:], "SHA-256": two[:], "SHA-384": three[:], "SHA-512": longest[:]} {
			forms[name+" in hex of "+spelled] = hex.EncodeToString(sum)
			forms[name+" in base64 of "+spelled] = base64.StdEncoding.EncodeToString(sum)
		}
	}
	return forms
}

func entities(s string) string {
	var b strings.Builder
	for _, r := range s {
		fmt.Fprintf(&b, "&#%d;", r)
	}
	return b.String()
}

func escapes(s string) string {
	var b strings.Builder
	for _, r := range s {
		fmt.Fprintf(&b, `\u%04x`, r)
	}
	return b.String()
}

func wide(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

func backwards(s string) string {
	runes := []rune(s)
	slices.Reverse(runes)
	return string(runes)
}

func nested(s string) string {
	inner, _ := json.Marshal(map[string]string{"v": s})
	outer, _ := json.Marshal(string(inner))
	return string(outer)
}

func zipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.String()
}

// bodyOf is JSON with a form in it.
func bodyOf(form string) string {
	quoted, _ := json.Marshal(form)
	return `{"user":{"mail":` + string(quoted) + `}}`
}

func formatOf(name string) *Format {
	f, _ := ByName(name)
	return &f
}

// carrying are flows that have a form in every place where a text of a flow may be.
func carrying(n int, form string) []*flow.Flow {
	at := flowtest.At(time.Duration(n) * time.Second)
	body := bodyOf(form)
	flows := []*flow.Flow{
		flowtest.Post("https://collect.tracker.example/v1/"+url.PathEscape(form)+"?m="+url.QueryEscape(form)+"#"+url.PathEscape(form), body, at),
		flowtest.Post("https://collect.tracker.example/raw", form, at),
		flowtest.Post("https://collect.tracker.example/zip", zipped(body), at, flowtest.Header("Content-Encoding", "gzip")),
		flowtest.Post("https://collect.tracker.example/magic", zipped(body), at),
		flowtest.Post("https://collect.tracker.example/b64", base64.StdEncoding.EncodeToString([]byte(zipped(body))), at),
		flowtest.Get("https://collect.tracker.example/back", at, flowtest.ResponseBody("application/json", body)),
	}
	if !strings.ContainsFunc(form, func(r rune) bool { return r < ' ' || r > '~' }) {
		flows = append(flows, flowtest.Get("https://collect.tracker.example/header", at, flowtest.Header("X-User", form), flowtest.Header("Cookie", "sid="+form), flowtest.UserAgentOf("App/1 "+form)))
	}
	return flows
}

// auditOf records flows as an audit does, and reports on what the store made of them.
func auditOf(t *testing.T, flows []*flow.Flow) *Report {
	t.Helper()
	text := "version: 1\nallow: [allowed.example]\nnever-send:\n"
	for i, v := range canaries {
		text += fmt.Sprintf("  - {name: value %d, value: %q}\n", i+1, v)
	}
	p, err := policy.Parse("telltale.yaml", []byte(text), policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	store, err := capture.Create(filepath.Join(t.TempDir(), "audit.telltale"), capture.Options{Judge: p})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	for _, f := range flowtest.Number(flows...) {
		store.Observe(f)
	}
	if err := store.Sync(); err != nil {
		t.Fatal(err)
	}
	r := base()
	r.Checks, r.Summary, r.Verdict = nil, store.Summary(), Violations
	r.Mask, r.MaskBody, r.Leaks = p.Mask, p.MaskBody, p.Leaks
	r.Flows = func(yield func(*flow.Flow) error) error {
		for _, f := range flows {
			if err := yield(f); err != nil {
				return err
			}
		}
		return nil
	}
	return r
}

// shown returns which texts a document shows, as they are or as JSON, HTML, a URL or
// base64 writes them.
func shown(document string, texts map[string]string) []string {
	var out []string
	lower := strings.ToLower(document)
	for name, text := range texts {
		quoted, _ := json.Marshal(text)
		for _, as := range []string{text, strings.Trim(string(quoted), `"`), html.EscapeString(text), url.QueryEscape(text), url.PathEscape(text), base64.StdEncoding.EncodeToString([]byte(text))} {
			if strings.Contains(lower, strings.ToLower(as)) {
				out = append(out, name)
				break
			}
		}
	}
	return out
}

// TestEveryFormOfACanaryIsMasked sends each value in each form at each place, and searches
// each document for the value and for each of its forms.
func TestEveryFormOfACanaryIsMasked(t *testing.T) {
	t.Parallel()
	for _, canary := range canaries {
		forms := formsOf(canary)
		var flows []*flow.Flow
		for _, form := range forms {
			flows = append(flows, carrying(len(flows), form)...)
		}
		r := auditOf(t, flows)
		if n := len(r.Summary.Violations); n < 2 {
			t.Fatalf("%d violations: what was sent was not found", n)
		}
		searched := maps.Clone(forms)
		for name, form := range forms {
			searched[name+", in gzip"] = zipped(bodyOf(form))
		}
		for _, f := range Formats {
			for _, name := range shown(render(t, f, r), searched) {
				t.Errorf("%s shows %s, %s", f.Name, canary, name)
			}
		}
		r.Reveal = true
		if all := shown(render(t, *formatOf("har"), r), searched); len(all) < len(forms) {
			t.Errorf("the search finds only %q where everything is revealed", all)
		}
	}
}

// TestIdentifiersAreNotShown looks for identifiers that no policy lists in what is made of
// totals. Formats that hold the traffic itself, and URLs, have them as they were sent.
func TestIdentifiersAreNotShown(t *testing.T) {
	t.Parallel()
	texts := map[string]string{}
	var flows []*flow.Flow
	for i, v := range identifiers {
		texts[v] = v
		body, _ := json.Marshal(map[string]string{"advertising_id": v, "email": v})
		flows = append(flows, flowtest.Post("https://collect.tracker.example/v1", string(body), flowtest.At(time.Duration(i)*time.Second)),
			flowtest.Post("https://graph.facebook.com/v1", base64.StdEncoding.EncodeToString(body), flowtest.At(time.Duration(i)*time.Minute)))
	}
	r := auditOf(t, flows)
	if len(r.Summary.Trails) == 0 {
		t.Fatal("no identifier was found")
	}
	for _, f := range Formats {
		if f.Private {
			continue
		}
		document := render(t, f, r)
		for _, name := range shown(document, texts) {
			t.Errorf("%s shows %s", f.Name, name)
		}
		if f.Name != "csv" && f.Name != "gitlab" && !strings.Contains(document, "advertising") {
			t.Errorf("%s does not say what was sent", f.Name)
		}
	}
}
