package policy

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/guard/raced"
)

// TestEveryFormAtEveryPlace holds that each way to write a value is found at each place,
// that the evidence names the place, that nothing shows the value, and that a masked copy
// of the request no longer holds it.
func TestEveryFormAtEveryPlace(t *testing.T) {
	p := canaryPolicy()
	n := 0
	for i, secret := range canaries {
		for k, w := range wrappings() {
			if w.name == "reversed" && len(secret.value) < minReversed {
				continue // documented: found by chance
			}
			written := w.write(secret.value)
			for j, s := range spots() {
				// What a hash is of makes no difference to where it stands.
				if w.binary && !s.binary || (i > 0 && k > 16 || raced.Detector) && (i+j+k)%raced.Size(20, 40) != 0 {
					continue
				}
				n++
				label := secret.Name + ", " + w.name + ", " + s.name
				f := s.put(written)
				where := s.where
				if w.binary { // a text of any field, for who knows no schema
					where, _, _ = strings.Cut(where, ".")
				}
				checkFound(t, label, p, f, secret, where)
				if !s.packed {
					checkMasked(t, label, p, f)
				}
			}
		}
	}
	if n < raced.Size(300, 100) {
		t.Errorf("only %d requests", n)
	}
	t.Logf("%d requests with a value", n)
}

func checkFound(t *testing.T, label string, p *Policy, f *flow.Flow, secret Secret, where string) {
	t.Helper()
	var leaks []Finding
	for _, x := range p.Judge(f).Findings {
		if x.Rule == ValueLeaked {
			leaks = append(leaks, x)
		}
	}
	if len(leaks) != 1 || leaks[0].Subject != secret.Name {
		t.Errorf("%s: found %d values", label, len(leaks))
		return
	}
	x := leaks[0]
	if !slices.ContainsFunc(x.Evidence, func(e Evidence) bool { return strings.HasPrefix(e.Where, where) && e.Form != "" }) {
		t.Errorf("%s: evidence %+v, want %s", label, x.Evidence, where)
	}
	shown := strings.ToLower(fmt.Sprintf("%+v %+v", x, p.Leaks(f)))
	if strings.Contains(shown, strings.ToLower(secret.value)) || p.Mask(shown) != shown {
		t.Errorf("%s: shows the value: %s", label, shown)
	}
}

func checkMasked(t *testing.T, label string, p *Policy, f *flow.Flow) {
	t.Helper()
	masked := *f
	request := *f.Request
	request.URL = p.Mask(request.URL)
	request.Header = nil
	for _, field := range f.Request.Header {
		request.Header = append(request.Header, flow.NewField(field.Name, p.Mask(field.Reveal())))
	}
	request.Body.Content = []byte(p.Mask(string(request.Body.Content)))
	masked.Request, masked.Frames = &request, nil
	for _, frame := range f.Frames {
		frame.Data = []byte(p.Mask(string(frame.Data)))
		masked.Frames = append(masked.Frames, frame)
	}
	if leaks := p.Leaks(&masked); len(leaks) > 0 {
		t.Errorf("%s: masked it still holds %v: %s %q", label, leaks, request.URL, request.Body.Content)
	}
}

// TestNothingIsAccusedByChance holds what is near the values and is none of them.
func TestNothingIsAccusedByChance(t *testing.T) {
	p := canaryPolicy()
	random := rand.New(rand.NewPCG(5, 6))
	n, turn := 0, 0
	innocent := func(label, value string) {
		turn++
		for j, s := range spots() {
			if (j+turn)%raced.Size(2, 8) != 0 {
				continue
			}
			n++
			for _, x := range p.Judge(s.put([]byte(value))).Findings {
				if x.Rule == ValueLeaked {
					t.Errorf("%s at %s: %+v", label, s.name, x.Evidence)
				}
			}
		}
	}
	for _, secret := range canaries {
		v := secret.value
		innocent("the beginning of "+secret.Name, v[:len(v)-1])
		innocent("the end of "+secret.Name, v[1:len(v)-1])
		innocent("a neighbour of "+secret.Name, v[:len(v)-1]+"~")
		for _, w := range hashings() {
			if strings.Contains(w.name, "lower") {
				innocent("the hash of another than "+secret.Name, string(w.write("x"+v)))
			}
			if sum := string(w.write(v)); strings.HasSuffix(w.name, "raw hex") {
				innocent("half a hash of "+secret.Name, sum[:len(sum)/2])
			}
		}
	}
	for i := range 20 {
		b := make([]byte, 16+random.IntN(200))
		for j := range b {
			b[j] = byte(random.Uint32())
		}
		innocent("random hex", hex.EncodeToString(b))
		innocent("random base64", base64.StdEncoding.EncodeToString(b))
		innocent("somebody else", fmt.Sprintf("jane.roe%d@example.com", i))
		innocent("digits", fmt.Sprint(random.Uint64()))
	}
	innocent("a longer number", "917319402")
	innocent("a longer number", "73194021")
	innocent("part of a longer address", "Jane.Doe+tester@example.com")
	if n < raced.Size(300, 100) {
		t.Errorf("only %d requests", n)
	}
	t.Logf("%d requests without a value", n)
}

// A name asked of DNS holds what fits in labels; they may be several.
func TestLeaksInNames(t *testing.T) {
	p := canaryPolicy()
	for label, name := range map[string]string{
		"as typed":     "jane.doe+test@example.com.a.example",
		"bare":         "6d92078a82464ba4ae5b76104861e7dc.a.example",
		"hex":          hex.EncodeToString([]byte(canaries[0].value)) + ".t.a.example",
		"two labels":   hex.EncodeToString([]byte(canaries[0].value))[:20] + "." + hex.EncodeToString([]byte(canaries[0].value))[20:] + ".t.a.example",
		"MD5":          strings.Split(hex.EncodeToString(hashes[0].sum("jane.doe+test@example.com")), "\n")[0] + ".a.example",
		"with hyphens": "6D92078A-8246-4BA4-AE5B-76104861E7DC.a.example",
	} {
		for where, f := range map[string]*flow.Flow{"DNS name": flowtest.DNS(name), "TLS server name": flowtest.PassedThrough("192.0.2.1:443", flowtest.SNI(name))} {
			leaks := p.Leaks(f)
			if len(leaks) != 1 || !strings.HasPrefix(leaks[0].Where[0], where) {
				t.Errorf("%s in %s: %v", label, where, leaks)
			}
		}
	}
}

// Short values count where they stand alone.
func TestShortValues(t *testing.T) {
	p, _ := New([]string{"a.example"})
	p.setSecrets([]Secret{{Name: "PIN", value: "1234"}, {Name: "nick", value: "Jane"}, {Name: "number", value: "7319402"}})
	for text, want := range map[string]string{
		"pin=1234": "PIN", "1234": "PIN", "pin 91234567": "", "x1234": "", "1234é": "", "MTIzNA==": "PIN", "dXNlcj1tZSZwaW49MTIzNA==": "PIN", "dXNlcj1tZSZwaW49MTIzNDU=": "",
		"31323334": "PIN", "3931323334": "", "jane": "nick", "JANE@x": "nick", "janet": "", "amFuZQ": "nick", "amFuZXQ": "",
		"7319402": "number", "id7319402x": "number", "17319402": "", "2049137": "",
	} {
		leaks := p.Leaks(flowtest.Post("https://a.example/", text))
		got := ""
		for _, leak := range leaks {
			got += leak.Name
		}
		if got != want {
			t.Errorf("%q: found %q, want %q", text, got, want)
		}
		if masked := p.Mask(text) != text; masked != (want != "") {
			t.Errorf("Mask(%q) = %q", text, p.Mask(text))
		}
	}
}

// A value that goes from one piece of the flow over into the next has its part as place.
func TestLeakAcrossValues(t *testing.T) {
	p, _ := New([]string{"a.example"})
	p.setSecrets([]Secret{{Name: "pair", value: "x=1&mail=jane"}})
	leaks := p.Leaks(flowtest.Get("https://a.example/?x=1&mail=jane"))
	if len(leaks) != 1 || leaks[0].Where[0] != "URL (as typed)" {
		t.Errorf("leaks %v", leaks)
	}
}

func TestLeakMessage(t *testing.T) {
	p := canaryPolicy()
	hash := hex.EncodeToString(hashes[2].sum("jane.doe+test@example.com"))
	f := flowtest.Post("https://api.a.example/v1?m=jane.doe%2Btest@example.com", gzipped(`{"user":{"h":"`+hash+`"}}`),
		flowtest.Header("Content-Type", "application/json"), flowtest.Header("Content-Encoding", "gzip"))
	x := p.Judge(f).Findings[0]
	for _, want := range []string{
		"e-mail must not leave the device; it was sent to api.a.example: ",
		"in the URL, parameter m, inside percent-encoding (in another case of its letters)",
		"in the JSON of the request body, at $.user.h, inside gzip (SHA-256 of it in lower case, in hexadecimal)",
		"A hash such as SHA-256 is no disguise",
	} {
		if !strings.Contains(x.Message, want) {
			t.Errorf("the message lacks %q: %s", want, x.Message)
		}
	}
	for _, want := range []string{"random number", "logs of servers"} {
		if !strings.Contains(x.Remedy, want) {
			t.Errorf("the remedy lacks %q: %s", want, x.Remedy)
		}
	}
}

// fifty returns a policy with as many values as a test account and its device have.
func fifty(n int) *Policy {
	p, _ := New([]string{"a.example"})
	var secrets []Secret
	for i := range n {
		value := fmt.Sprintf("jane.doe%d@mail%d.example.com", i, i*7919)
		switch i % 4 {
		case 1:
			value = fmt.Sprintf("6D92078A-8246-4BA4-AE5B-%012X", i*7919)
		case 2:
			value = fmt.Sprintf("+1 555 01%02d %04d", i, i*79)
		case 3:
			value = fmt.Sprintf("Jane%d van der Doe", i)
		}
		secrets = append(secrets, Secret{Name: fmt.Sprint("value ", i), value: value})
	}
	if n > 0 {
		p.setSecrets(secrets)
	}
	return p
}

// post4K is a POST of 4 KiB of JSON, as apps make them.
func post4K() *flow.Flow {
	var b strings.Builder
	b.WriteString(`{"events":[`)
	for i := 0; b.Len() < 4<<10; i++ {
		fmt.Fprintf(&b, `{"id":%d,"name":"screen_view","session":"6b1f%04x","props":{"path":"/items/%d","title":"Some words of a title"},"time":%d},`, i, i, i, 1700000000000+i)
	}
	return flowtest.Post("https://a.example/v1/events?app=demo", b.String()+"{}]}")
}

func BenchmarkJudgePost(b *testing.B) {
	for _, n := range []int{0, 50} {
		b.Run(fmt.Sprintf("values=%d", n), func(b *testing.B) {
			p, f := fifty(n), post4K()
			b.SetBytes(int64(len(f.Request.Body.Content)))
			b.ReportAllocs()
			for b.Loop() {
				if len(p.Judge(f).Findings) > 0 {
					b.Fatal("found")
				}
			}
		})
	}
}

func BenchmarkMask(b *testing.B) {
	p := fifty(50)
	for name, text := range map[string]string{
		"line": "POST https://api.a.example/v1/events?app=demo&n=12 200 application/json 4.1 KiB 120 ms",
		"body": string(post4K().Request.Body.Content),
		"held": "user=jane.doe0%40mail0.example.com&x=1",
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				p.Mask(text)
			}
		})
	}
}

func BenchmarkCompileForms(b *testing.B) {
	p := fifty(50)
	b.ReportMetric(float64(p.forms.set.Len()), "forms")
	b.ReportAllocs()
	for b.Loop() {
		compileForms(p.secrets)
	}
}

// What masking texts does not reach is taken out as a whole.
func TestMaskBody(t *testing.T) {
	p := canaryPolicy()
	value := canaries[0].value
	for label, tt := range map[string]struct{ kind, body, want string }{
		"text":         {"text/plain", "to " + value + ".", "to [redacted]."},
		"nothing":      {"text/plain", "to nobody", "to nobody"},
		"empty":        {"text/plain", "", ""},
		"gzip unnamed": {"application/octet-stream", gzipped("to " + value), flow.Redacted},
		"gzip of none": {"application/octet-stream", gzipped("to nobody"), gzipped("to nobody")},
		"packed twice": {"application/json", `{"a":"` + base64.StdEncoding.EncodeToString([]byte(gzipped(gzipped("to "+value)))) + `"}`, flow.Redacted},
		"gRPC":         {"application/grpc", string(messageOf(1, []byte(gzipped(string(protobufOf([]byte(value))))))), flow.Redacted},
		"a number":     {"text/plain", "a short PIN 7319402!", "a short PIN [redacted]!"},
	} {
		header := []flow.Field{flow.NewField("Content-Type", tt.kind), flow.NewField("grpc-encoding", "gzip"), flow.NewField("X-Mail", value)}
		if got := string(p.MaskBody(header, flow.Body{Content: []byte(tt.body), Decoded: true})); got != tt.want {
			t.Errorf("%s: %q, want %q", label, got, tt.want)
		}
	}
}

// TestNeverSendReference holds docs/never-send.md against the code: its policy parses, each
// of its examples of a form is found, and the limits that it names are those of the code.
func TestNeverSendReference(t *testing.T) {
	data, err := os.ReadFile("../docs/never-send.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(data)
	example := strings.Split(strings.Split(doc, "```yaml\n")[1], "```")[0]
	opts := options()
	opts.ReadFile = func(string) ([]byte, error) { return []byte("+1 (555) 010-4477\n"), nil }
	opts.Env = func(string) (string, bool) { return "Jane.Doe@example.org", true }
	p, err := Parse("docs/never-send.md", []byte(example), opts)
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(doc, "| form | of")
	table, _, _ = strings.Cut(table, "\n\n")
	n := 0
	for _, row := range strings.Split(table, "\n") {
		cells := strings.Split(row, " | ")
		if len(cells) < 2 || strings.HasPrefix(row, " `Jane") {
			continue
		}
		for i, example := range strings.Split(cells[1], "`") {
			if i%2 == 0 || example == "+1 (555) 010-4477" {
				continue
			}
			n++
			if leaks := p.Leaks(flowtest.Post("https://www.canada.ca/", example)); len(leaks) != 1 {
				t.Errorf("%q is not found", example)
			}
			if masked := p.Mask(example); masked != flow.Redacted && masked != flow.Redacted+"=" {
				t.Errorf("Mask(%q) = %q", example, masked)
			}
		}
	}
	if n < 10 {
		t.Errorf("%d examples", n)
	}
	for _, limit := range []string{
		fmt.Sprintf("A value has %d to %d bytes", minSecret, maxSecret),
		fmt.Sprintf("a value of %d or %d characters counts where", minSecret, minAnywhere-1),
		fmt.Sprintf("up to %d digits count where", minNumber-1),
		fmt.Sprintf("counts from %d characters on, reversed from %d", minStripped, minReversed),
		fmt.Sprintf("the whole text, and always that of more than %d KiB", maxHidden>>10),
	} {
		if !strings.Contains(doc, limit) {
			t.Errorf("the reference does not say %q", limit)
		}
	}
}

// Of JSON in a string, the member is the place, and not the string around it as well.
func TestLeakIsNamedOnce(t *testing.T) {
	p := canaryPolicy()
	f := flowtest.Post("https://a.example/", `{"payload":"{\"mail\":\"`+canaries[0].value+`\"}"}`)
	leaks := p.Leaks(f)
	if len(leaks) != 1 || len(leaks[0].Where) != 1 || !strings.HasPrefix(leaks[0].Where[0], "body.json $.payload $.mail, inside JSON in a string") {
		t.Errorf("leaks %q", leaks)
	}
}
