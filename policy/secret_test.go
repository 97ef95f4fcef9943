package policy

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"telltale/flow"
	"telltale/flow/flowtest"
)

const secret = "Jane.Doe+test@example.com"

const secretPolicy = "version: 1\nallow: [a.example]\nignore: [n.example]\nnever-send:\n  - name: e-mail\n    value: " + secret + "\n  - name: phrase\n    value: correct horse/battery\n"

// encodings are the forms in which the secret must be found and masked.
func encodings() map[string]string {
	everyByte := ""
	for _, c := range []byte(secret) {
		everyByte += fmt.Sprintf("%%%02x", c)
	}
	escaped := ""
	for _, r := range secret {
		escaped += fmt.Sprintf("\\u%04x", r)
	}
	inString, _ := json.Marshal(`{"mail":"` + strings.ReplaceAll(secret, "@", `\u0040`) + `"}`)
	m := map[string]string{
		"as it is":                secret,
		"lower case":              strings.ToLower(secret),
		"upper case":              strings.ToUpper(secret),
		"query-escaped":           url.QueryEscape(secret),
		"path-escaped":            url.PathEscape(secret),
		"twice percent-encoded":   url.QueryEscape(url.QueryEscape(secret)),
		"every byte encoded":      everyByte,
		"every byte, upper case":  strings.ToUpper(everyByte),
		"JSON escapes":            escaped,
		"JSON in a JSON string":   string(inString),
		"percent-encoded JSON":    url.QueryEscape(escaped),
		"hexadecimal":             hex.EncodeToString([]byte(secret)),
		"hexadecimal, upper case": strings.ToUpper(hex.EncodeToString([]byte(secret))),
		"gzip in base64":          base64.StdEncoding.EncodeToString([]byte(gzipped("to " + secret))),
		"deflate in base64":       base64.RawURLEncoding.EncodeToString(packings["deflate"]([]byte("to " + secret))),
		"zstd in base64":          base64.StdEncoding.EncodeToString(packings["zstd"]([]byte("to " + secret))),
		"a phrase with plus":      "correct+horse%2Fbattery",
		"a phrase with %20":       "correct%20horse%2fbattery",
		"a phrase in JSON":        `correct horse\/battery`,
	}
	for offset := range 3 {
		text := []byte(strings.Repeat("x", offset) + secret + "tail")
		m[fmt.Sprintf("base64 at %d", offset)] = base64.StdEncoding.EncodeToString(text)
		m[fmt.Sprintf("base64url at %d", offset)] = base64.RawURLEncoding.EncodeToString(text)
		m[fmt.Sprintf("base64 percent-encoded at %d", offset)] = url.QueryEscape(base64.StdEncoding.EncodeToString(text))
	}
	return m
}

func TestLeaksAreFoundInEveryForm(t *testing.T) {
	p := parse(t, secretPolicy)
	for name, form := range encodings() {
		j := p.Judge(flowtest.Post("https://a.example/", `{"a":1,"m":"`+form+`"}`))
		if j.Rule() != ValueLeaked {
			t.Errorf("%s: %q in a body: %+v", name, form, j)
			continue
		}
		x := j.Findings[0]
		text := fmt.Sprintf("%+v", j)
		for _, part := range []string{"Doe+test", "doe+test", "horse"} {
			if strings.Contains(text, part) {
				t.Errorf("%s: the judgement shows the value: %s", name, text)
			}
		}
		if x.Subject != "e-mail" && x.Subject != "phrase" || x.Severity != SeverityError || x.Source.Line == 0 {
			t.Errorf("%s: finding %+v", name, x)
		}
	}
}

func TestLeaksAreFoundEverywhere(t *testing.T) {
	p := parse(t, secretPolicy)
	zipped := flowtest.Post("https://a.example/", gzipped("x"+secret), flowtest.Header("Content-Encoding", "gzip"))
	var long strings.Builder
	long.WriteString(secret)
	for i := range 10_000 {
		fmt.Fprint(&long, i*i)
	}
	cut := flowtest.Post("https://a.example/", gzipped(long.String())[:10_000], flowtest.Header("Content-Encoding", "gzip"))
	lying := flowtest.Post("https://a.example/", secret, flowtest.Header("Content-Encoding", "gzip"))
	decoded := flowtest.Post("https://a.example/", secret, flowtest.Header("Content-Encoding", "gzip"))
	decoded.Request.Body.Decoded = true
	trailer := flowtest.Post("https://a.example/", "x")
	trailer.Request.Trailer = []flow.Field{flow.NewField("X-Sum", secret)}
	for name, tt := range map[string]struct {
		f     *flow.Flow
		where string
		rules string
	}{
		"URL":           {flowtest.Get("https://a.example/?m=" + url.QueryEscape(secret)), "in the URL, parameter m, inside percent-encoding (as typed)", "value-leaked"},
		"path":          {flowtest.Get("https://a.example/" + secret), "in the path of the URL (as typed)", "value-leaked"},
		"header":        {flowtest.Get("https://a.example/", flowtest.Header("X-Mail", secret)), "header field, named X-Mail (as typed)", "value-leaked"},
		"cookie":        {flowtest.Get("https://a.example/", flowtest.Header("Cookie", "m="+secret)), "in a cookie, named m (as typed)", "value-leaked"},
		"authorization": {flowtest.Get("https://a.example/", flowtest.Header("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(secret+":pw")))), "named Authorization, inside base64 (as typed)", "value-leaked"},
		"gzip body":     {zipped, "the request body", "value-leaked"},
		"cut gzip body": {cut, "the request body", "value-leaked"},
		"lying coding":  {lying, "the request body", "value-leaked"},
		"decoded body":  {decoded, "the request body", "value-leaked"},
		"trailer":       {trailer, "in a trailer field, named X-Sum (as typed)", "value-leaked"},
		"WebSocket":     {flowtest.WebSocket("wss://a.example/", []flow.Frame{flowtest.Text(true, 0, secret)}), "in WebSocket message 1 (as typed)", "value-leaked"},
		"ignored host":  {flowtest.Get("https://n.example/?" + secret), "in the URL, ", "value-leaked"},
		"question":      {flowtest.DNS(hex.EncodeToString([]byte(secret)) + ".a.example"), "in a name that DNS was asked for, inside hex", "host-not-allowed+value-leaked"},
		"server name":   {flowtest.PassedThrough("a.example", flowtest.SNI(hex.EncodeToString([]byte(secret))+".a.example")), "in the server name of TLS, inside hex", "host-mismatch+value-leaked"},
		"unknown host":  {flowtest.Get("https://x.example/?" + secret), "in the URL, ", "host-not-allowed+value-leaked"},
	} {
		j := p.Judge(tt.f)
		if got := judged(j); !strings.HasPrefix(got, "violation "+tt.rules+" ") {
			t.Errorf("%s: judged %q", name, got)
			continue
		}
		if last := j.Findings[len(j.Findings)-1]; !strings.Contains(last.Message, tt.where) {
			t.Errorf("%s: message %q lacks %q", name, last.Message, tt.where)
		}
	}
	both := p.Judge(flowtest.Post("https://a.example/", secret+" correct horse/battery"))
	if len(both.Findings) != 2 || both.Findings[0].Fingerprint() == both.Findings[1].Fingerprint() {
		t.Errorf("two values: %+v", both.Findings)
	}
}

// A redacted copy of a flow has the verdict of the flow itself.
func TestLeaksOutliveRedaction(t *testing.T) {
	p := parse(t, secretPolicy)
	whole := flowtest.Get("https://a.example/?m="+secret, flowtest.Header("X-Mail", secret))
	redacted := flowtest.Get("https://a.example/?m="+flow.Redacted, flowtest.Header("X-Mail", flow.Redacted))
	if j := p.Judge(redacted); j.Verdict != Allowed {
		t.Fatalf("without leaks: %+v", j)
	}
	redacted.Leaks = p.Leaks(whole)
	if want, got := p.Judge(whole), p.Judge(redacted); !reflect.DeepEqual(want, got) {
		t.Errorf("the whole flow: %+v\nthe redacted one: %+v", want, got)
	}
	if text := fmt.Sprintf("%+v", redacted.Leaks); len(redacted.Leaks) != 1 || strings.Contains(text, "Doe") {
		t.Errorf("leaks %s", text)
	}
	if again := p.Leaks(redacted); !reflect.DeepEqual(again, redacted.Leaks) {
		t.Errorf("a second copy says %+v", again)
	}
	foreign := []flow.Leak{{Name: "of another policy", Where: []string{"the URL"}}}
	redacted.Leaks = foreign
	if j := p.Judge(redacted); j.Verdict != Allowed || !reflect.DeepEqual(p.Leaks(redacted), foreign) {
		t.Errorf("another policy's value: %+v, kept %+v", j, p.Leaks(redacted))
	}
}

func TestLeaksAreNotSeenWhereThereAreNone(t *testing.T) {
	p := parse(t, secretPolicy)
	for name, f := range map[string]*flow.Flow{
		"nothing":             flowtest.Get("https://a.example/"),
		"half of it":          flowtest.Post("https://a.example/", secret[:len(secret)-1]),
		"what came back":      flowtest.Get("https://a.example/", flowtest.ResponseBody("text/plain", secret)),
		"a server's message":  flowtest.WebSocket("wss://a.example/", []flow.Frame{flowtest.Text(false, 0, secret)}),
		"percent at the end":  flowtest.Post("https://a.example/", "100%"),
		"backslash at end":    flowtest.Post("https://a.example/", `\`),
		"half an escape":      flowtest.Post("https://a.example/", `\u00`),
		"half a surrogate":    flowtest.Post("https://a.example/", `\ud83d\u0041`),
		"base64 of something": flowtest.Post("https://a.example/", base64.StdEncoding.EncodeToString([]byte(strings.Repeat("John.Roe@example.com", 50)))),
	} {
		if j := p.Judge(f); j.Verdict != Allowed {
			t.Errorf("%s: %+v", name, j)
		}
	}
}

func TestMaskTakesEveryFormOut(t *testing.T) {
	p := parse(t, secretPolicy)
	for name, form := range encodings() {
		in := "before " + form + " after"
		got := p.Mask(in)
		if !strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, " after") || !strings.Contains(got, flow.Redacted) {
			t.Errorf("%s: Mask(%q) = %q", name, in, got)
		}
		if again := p.Mask(got); again != got {
			t.Errorf("%s: masked twice: %q, then %q", name, got, again)
		}
		if strings.Contains(name, "base64") {
			continue
		}
		for _, part := range []string{"jane", "example", "6a616e65", "4a616e65", "horse"} {
			if strings.Contains(strings.ToLower(got), part) {
				t.Errorf("%s: Mask(%q) = %q still holds %q", name, in, got, part)
			}
		}
	}
}

func TestMaskLeavesTheRest(t *testing.T) {
	p := parse(t, secretPolicy)
	for in, want := range map[string]string{
		"":    "",
		"abc": "abc",
		"nothing to hide, 100% of it \\ \\u00zz %zz": "nothing to hide, 100% of it \\ \\u00zz %zz",
		secret:                    flow.Redacted,
		secret + secret:           flow.Redacted,
		secret + " and " + secret: flow.Redacted + " and " + flow.Redacted,
		"m=" + url.QueryEscape(secret) + "&x=%20": "m=" + flow.Redacted + "&x=%20",
		"é" + secret + "é":                        "é" + flow.Redacted + "é",
	} {
		if got := p.Mask(in); got != want {
			t.Errorf("Mask(%q) = %q, want %q", in, got, want)
		}
	}
	none, _ := New(nil)
	if got := none.Mask(secret); got != secret {
		t.Errorf("without secrets: %q", got)
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	p := parse(t, secretPolicy)
	s := p.Secrets()[0]
	encoded, err := json.Marshal(map[string]any{"s": s})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q %d %x", s, s, s, s, s, s, s), string(encoded), fmt.Sprint(p.Secrets())} {
		if strings.Contains(strings.ToLower(text), "jane") || strings.Contains(text, hex.EncodeToString([]byte("Jane"))) {
			t.Errorf("printed: %s", text)
		}
	}
	if s.Reveal() != secret {
		t.Errorf("Reveal() = %q", s.Reveal())
	}
}

func FuzzMask(f *testing.F) {
	for _, form := range encodings() {
		f.Add("a", form, "b")
	}
	f.Add("%", "%25", "\\u")
	p, err := Parse("p.yaml", []byte(secretPolicy), options())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, before, form, after string) {
		got := p.Mask(before + form + after)
		for i := range p.secrets {
			if strings.Contains(strings.ToLower(got), strings.ToLower(p.secrets[i].value)) {
				t.Errorf("Mask(%q) = %q", before+form+after, got)
			}
		}
		if p.forms.stands(got) {
			t.Errorf("Mask(%q) = %q, in which the search finds a value", before+form+after, got)
		}
		p.Mask(before + secret + after)
	})
}

func BenchmarkLeakBody(b *testing.B) {
	p, err := Parse("p.yaml", []byte(secretPolicy), options())
	if err != nil {
		b.Fatal(err)
	}
	body := strings.Repeat(`{"key":"value","n":1234},`, 4096)
	f := flowtest.Post("https://a.example/", body)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		p.Judge(f)
	}
}
