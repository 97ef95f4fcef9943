package redact

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"telltale/capture"
	"telltale/exposure"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/guard/raced"
	"telltale/har"
	"telltale/policy"
)

var masks = regexp.MustCompile(`\[redacted:[a-z]{10}\]`)

func redactor(t testing.TB, pol *policy.Policy) *Redactor {
	t.Helper()
	r, err := New(pol)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Equal values have equal masks wherever they stand, and different ones have different ones.
func TestEqualStaysEqual(t *testing.T) {
	r := redactor(t, nil)
	first := r.Flow(flowtest.Post("https://a.example/login?email=jane.roe%40gmail.com", `{"token":"zq81LmPw33xT","mail":"Jane.Roe@gmail.com","id":"6D92078A-8246-4BA4-AE5B-76104861E7DC","idfa":"6D92078A-8246-4BA4-AE5B-76104861E7DC"}`,
		flowtest.Header("Authorization", "Bearer zq81LmPw33xT"), flowtest.Header("Cookie", "sid=aa11bb22cc33"), flowtest.ResponseHeader("Set-Cookie", "sid=aa11bb22cc33; Path=/")))
	body := string(first.Request.Body.Content)
	all := masks.FindAllString(body, -1)
	if len(all) != 4 || all[2] != all[3] || all[0] == all[1] || all[1] == all[2] {
		t.Fatalf("body %s", body)
	}
	for what, pair := range map[string][2]string{
		"token in Authorization":    {revealed(first.Request.Header, "Authorization"), "Bearer " + all[0]},
		"address in the query":      {masks.FindString(first.Request.URL), all[1]},
		"cookie and its Set-Cookie": {masks.FindString(revealed(first.Request.Header, "Cookie")), masks.FindString(revealed(first.Response.Header, "Set-Cookie"))},
	} {
		if pair[0] == "" || pair[0] != pair[1] {
			t.Errorf("%s: %q and %q", what, pair[0], pair[1])
		}
	}
	// A value that is known is found where nothing tells what it is, also encoded.
	second := r.Flow(flowtest.Post("https://b.example/x/6d92078a-8246-4ba4-ae5b-76104861e7dc", `{"z":"zq81LmPw33xT","y":"enE4MUxtUHczM3hU"}`))
	if got, want := string(second.Request.Body.Content), `{"z":"`+all[0]+`","y":"`+all[0]+`"}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if !strings.HasSuffix(second.Request.URL, "/"+all[2]) {
		t.Errorf("URL %s, want %s", second.Request.URL, all[2])
	}
}

// A text beside flows has the masks of the flows.
func TestTextHasTheMasksOfFlows(t *testing.T) {
	r := redactor(t, canaryPolicy(t))
	out := r.Flow(flowtest.Get("https://a.example/?email=jane.roe%40gmail.com"))
	text := r.Text("GET https://a.example/?email=jane.roe@gmail.com&n=purple-elephant-canary-77 of jane.roe@gmail.com")
	mask := masks.FindString(out.Request.URL)
	if mask == "" || strings.Count(text, mask) != 2 || strings.Contains(text, "purple") || strings.Contains(text, "jane") {
		t.Errorf("%s, with %s", text, mask)
	}
}

// revealed returns the value of a header field as the copy has it.
func revealed(fields []flow.Field, name string) string {
	for _, f := range fields {
		if f.Name == name {
			return f.Reveal()
		}
	}
	return ""
}

// What says nothing of a person stays as it is, byte for byte.
func TestWhatIsNoValueStays(t *testing.T) {
	for _, body := range []string{
		`{"ok":true,"items":[1,2,3],"name":"list","code":200,"price":12.50,"version":"1.2.3"}`,
		"<html><body class=\"main page\"><p>It's a code of conduct, 5 < 6 &amp; more.</p></body></html>",
		`function f(a, b) { return a ? "yes" : 'no'; } // it's fine`,
		"a=1&b=two&c=three",
		"Just a sentence: with a colon, and a \"quote\".",
	} {
		f := flowtest.Get("https://www.example.ca/list/page-2.html?sort=asc&page=3", flowtest.ResponseBody("text/plain", body), flowtest.UserAgentOf("Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0"))
		out := redactor(t, nil).Flow(f)
		if got := string(out.Response.Body.Content); got != body {
			t.Errorf("%s\nbecame %s", body, got)
		}
		if out.Request.URL != f.Request.URL || out.UserAgent() != f.UserAgent() {
			t.Errorf("%s %s", out.Request.URL, out.UserAgent())
		}
	}
}

// Content that nobody can look into is left out, and its size stays.
func TestOpaqueContentIsLeftOut(t *testing.T) {
	r := redactor(t, nil)
	f := flowtest.Get("https://a.example/p.png", flowtest.ResponseBody("image/png", "\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"))
	b := r.Flow(f).Response.Body
	if b.Content != nil || b.Digest != "" || !b.Truncated || b.Size != f.Response.Body.Size {
		t.Errorf("%+v", b)
	}
	if got := r.Report().LeftOut[whyUnreadable]; got != 1 {
		t.Errorf("report says %d", got)
	}
}

// Who asks for the name of its own address is not told by that.
func TestOwnAddressInDNS(t *testing.T) {
	for addr, name := range map[string]string{
		"192.168.7.31": "31.7.168.192.in-addr.arpa",
		"fd00::1":      "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa",
	} {
		f := baseFlow(1)
		f.Kind, f.Request, f.Response = flow.DNS, nil, nil
		f.Client.Addr = netip.AddrPortFrom(netip.MustParseAddr(addr), 5000)
		f.Server = flow.Server{Asked: name}
		f.DNS = &flow.Question{Name: name, Type: "PTR", Code: "NXDOMAIN"}
		out := redactor(t, nil).Flow(f)
		if out.DNS.Name == name || out.Server.Asked != out.DNS.Name || !out.IsLookup() {
			t.Errorf("%s became %s, %s", name, out.DNS.Name, out.Server.Asked)
		}
	}
}

// What a hostile sender makes takes no more time than it has bytes.
func TestHostileContentEnds(t *testing.T) {
	size := raced.Size(64<<10, 8<<10)
	start := time.Now()
	for _, unit := range []string{`"\"`, "a://b ", ";base64,", "<script>", "<a =", "&a=", "'", `{"a":`, "[", "--\r\n", "%25", "eyJ", "aGVsbG8g", "@a.bc", "\x0a\x04\x08\x01", "</", "=", "1:", "name:", "a/"} {
		f := baseFlow(1)
		f.Request.URL += "?" + strings.Repeat(unit, 100)
		f.Request.Body = flow.Body{Size: int64(size), Content: []byte(strings.Repeat(unit, size/len(unit)))}
		f.Response.Body = f.Request.Body
		redactor(t, nil).Flow(f)
	}
	if took := time.Since(start); took > 2*time.Minute {
		t.Errorf("it took %v", took)
	}
}

// Addresses are mapped to those of documents, always the same, and those that the policy
// names stay, since it judges by them.
func TestClientsAreMapped(t *testing.T) {
	pol, err := policy.Parse("p.yaml", []byte("version: 1\nallow: [\"*\"]\ndevices:\n  - name: lab phone\n    address: 10.0.0.9\n"), policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := redactor(t, pol)
	seen := map[netip.Addr]bool{}
	for i := range 1000 {
		a := netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
		to := r.Address(a)
		if seen[to] || to == a || to != r.Address(a) {
			t.Fatalf("%v became %v", a, to)
		}
		seen[to] = true
		if i < 762 && !to.Is4() {
			t.Fatalf("%v is no IPv4", to)
		}
	}
	if a := netip.MustParseAddr("10.0.0.9"); r.Address(a) != a || r.DeviceName("lab phone", a) != "lab phone" {
		t.Error("the policy's device was renamed")
	}
	if to := r.Address(netip.MustParseAddr("fe80::a683:e7ff:fe2b:901c")); !to.Is6() || len(exposure.Look(flowtest.Get("https://a.example/?ip="+to.String()))) > 0 {
		t.Errorf("%v", to)
	}
}

// Two copies have no mask and no address in common.
func TestCopiesCannotBeLinked(t *testing.T) {
	flows, _ := everything(t)
	one, two := redactor(t, nil), redactor(t, nil)
	seen := map[string]bool{}
	for _, f := range flows {
		for _, m := range masks.FindAllString(string(dump(one.Flow(f))), -1) {
			seen[m] = true
		}
	}
	if len(seen) < len(secrets) {
		t.Fatalf("only %d masks", len(seen))
	}
	for _, f := range flows[:len(flows)/2] {
		for _, m := range masks.FindAllString(string(dump(two.Flow(f))), -1) {
			if seen[m] {
				t.Fatalf("%s is in both", m)
			}
		}
	}
}

// readHARs returns the flows of real HAR files.
func readHARs(t testing.TB) (flows []*flow.Flow) {
	t.Helper()
	files, err := filepath.Glob("../har/testdata/*.har")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := har.Read(bytes.NewReader(data), har.Options{Name: name, Bodies: true}, func(f *flow.Flow) error {
			f.ID = flow.ID(len(flows) + 1)
			flows = append(flows, f)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return flows
}

// The same policy has the same verdicts on a copy, of files of many programs and of every
// secret at every place.
func TestVerdictsStay(t *testing.T) {
	pol := canaryPolicy(t)
	placed, labels := everything(t)
	for i, f := range append(placed, readHARs(t)...) {
		if raced.Detector && i%5 != 0 {
			continue
		}
		label := fmt.Sprint("flow ", i)
		if i < len(labels) {
			label = labels[i]
		}
		out := redactor(t, pol).Flow(f)
		before, after := pol.Judge(f), pol.Judge(out)
		if f.Examined == 0 { // what was found there stands in the copy as a fact
			examined := *f
			examined.Exposures, examined.Examined = exposure.Look(f), exposure.Version
			before = pol.Judge(&examined)
		}
		if got, want := verdict(after), verdict(before); got != want || out.Host() != f.Host() {
			t.Errorf("%s: %s %s, want %s %s", label, out.Host(), got, f.Host(), want)
		}
		if policy.ShapeOf(out).Host != policy.ShapeOf(f).Host {
			t.Errorf("%s: shape %v, was %v", label, policy.ShapeOf(out), policy.ShapeOf(f))
		}
		if left := append(real(exposure.Finds(requestSide(out))), real(exposure.Finds(responseSide(out)))...); len(left) > 0 {
			t.Errorf("%s: still found %v", label, left)
		}
	}
}

func verdict(j policy.Judgement) string {
	var rules []string
	for _, f := range j.Findings {
		rules = append(rules, string(f.Rule)+" "+f.Host)
	}
	slices.Sort(rules)
	return fmt.Sprint(j.Verdict, rules)
}

// A copy has what a capture keeps beside its flows.
func TestCaptureKeepsTheStory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a"+capture.Ext)
	now := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	store, err := capture.Create(path, capture.Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	client := netip.MustParseAddr("192.168.7.31")
	store.Mark("before consent")
	store.Observe(flowtest.Get("https://a.example/?email=jane.roe%40gmail.com", flowtest.ID(1), flowtest.From("192.168.7.31:4000"),
		flowtest.Experiments("modify jane.roe@gmail.com.json", "offline")))
	now = now.Add(10 * time.Second)
	store.SetExperiments([]string{"modify jane.roe@gmail.com.json", "offline"})
	now = now.Add(10 * time.Second)
	store.SetExperiments([]string{"offline"})
	if err := errors.Join(store.Sync(), store.NameDevice(client, "Jane's phone")); err != nil {
		t.Fatal(err)
	}
	store.Note("the proxy saw jane.roe@gmail.com")
	now = now.Add(40 * time.Second)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	original, _ := os.ReadFile(path)
	copied := redacted(t, path, nil)
	if again, _ := os.ReadFile(path); !bytes.Equal(original, again) {
		t.Error("the capture was changed")
	}
	if info, err := os.Stat(copied); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	out, err := capture.Open(copied, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	story, err := out.Story(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(story.Marks) != 3 || story.Marks[2].Name != "before consent · offline" || story.Marks[0].Name != "before consent" || story.Watched != time.Minute || !story.Started.Equal(time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v", story)
	}
	if len(story.Names) != 1 || strings.Contains(fmt.Sprint(story.Names, story.Notes), "ane") {
		t.Errorf("%v %v", story.Names, story.Notes)
	}
	sw := story.Switches
	if len(sw) != 3 || len(sw[0].Active) != 2 || !slices.Equal(sw[1].Active, []string{"offline"}) || sw[2].Active != nil ||
		!sw[1].Time.Equal(story.Started.Add(20*time.Second)) || !sw[2].Time.Equal(story.Started.Add(time.Minute)) {
		t.Errorf("switches %v", sw)
	}
	f, err := out.Flow(context.Background(), 1)
	if said := fmt.Sprint(sw, story.Marks, f.Flow.Experiments); strings.Contains(said, "ane") || len(f.Flow.Experiments) != 2 || !slices.Contains(f.Flow.Experiments, "offline") {
		t.Errorf("experiments: %s", said)
	}
	if err != nil || f.Flow.Phase != "before consent" || len(f.Flow.Exposures) != 1 {
		t.Errorf("%+v %v", f.Flow, err)
	}
}

// A copy never replaces a file, and none is left of one that failed.
func TestCaptureRefusesAndCleansUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a"+capture.Ext)
	record(t, path, []*flow.Flow{baseFlow(1)})
	from, err := capture.Open(path, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to := filepath.Join(t.TempDir(), "b"+capture.Ext)
	if err := os.WriteFile(to, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	var exists *ExistsError
	_, err = Capture(context.Background(), from, to, redactor(t, nil), nil)
	if data, _ := os.ReadFile(to); !errors.As(err, &exists) || !errors.Is(err, fs.ErrExist) || string(data) != "mine" {
		t.Errorf("error %v, file %q", err, data)
	}
	ctx, cancel := context.WithCancel(context.Background())
	late := filepath.Join(t.TempDir(), "c"+capture.Ext)
	_, err = Capture(ctx, from, late, redactor(t, nil), func(done, total int) {
		if done == 2 { // the second reading
			cancel()
		}
	})
	if _, statErr := os.Stat(late); !errors.Is(err, context.Canceled) || !errors.Is(statErr, fs.ErrNotExist) {
		t.Errorf("error %v, file %v", err, statErr)
	}
}

// The search of a copy finds nothing that was masked, and what stayed.
func TestCopyIsSearchable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a"+capture.Ext)
	record(t, path, []*flow.Flow{flowtest.Post("https://a.example/hello?sid=qqwweerrtt11", `{"greeting":"bonjour","sid":"qqwweerrtt11"}`, flowtest.ID(1))})
	store, err := capture.Open(redacted(t, path, nil), capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for text, want := range map[string]int{"bonjour": 1, "qqwweerrtt11": 0} {
		if ids, err := store.Search(context.Background(), text); err != nil || len(ids) != want {
			t.Errorf("%s: %v %v", text, ids, err)
		}
	}
}

// FuzzFlow holds that whatever a device and a server send, what is found in it is gone, the
// flow is not changed, and a copy of a copy is as safe.
func FuzzFlow(f *testing.F) {
	flows, _ := everything(f)
	for i, x := range flows {
		if i%37 != 0 { // TestNoSecretIsLeft has them all
			continue
		}
		f.Add(x.Request.URL, flow.Get(x.Request.Header, "Content-Type"), x.Request.Body.Content, x.Request.Body.Truncated)
	}
	pol := canaryPolicy(f)
	f.Fuzz(func(t *testing.T, url, contentType string, body []byte, cut bool) {
		x := baseFlow(1)
		x.Request.URL = url
		x.Request.Header = []flow.Field{flow.NewField("Content-Type", contentType), flow.NewField("X-Data", string(body[:min(len(body), 200)]))}
		x.Request.Body = flow.Body{Size: int64(len(body)), Content: body, Truncated: cut}
		x.Response.Body = x.Request.Body
		before := dump(x)
		out := redactor(t, pol).Flow(x)
		if !bytes.Equal(before, dump(x)) {
			t.Error("the flow was changed")
		}
		for _, side := range []*flow.Flow{requestSide(out), responseSide(out)} {
			if left := real(exposure.Finds(side)); len(left) > 0 {
				t.Errorf("found %q in the copy", left)
			}
			if leaks := pol.Leaks(side); len(leaks) > 0 {
				t.Errorf("found %v in the copy", leaks)
			}
		}
	})
}

func BenchmarkCapture(b *testing.B) {
	const n = 4000
	var flows []*flow.Flow
	for i := range n {
		body := fmt.Sprintf(`{"events":[{"name":"open","ts":%d,"device":{"model":"Pixel 8","os":"14","idfa":"6d92078a-8246-4ba4-ae5b-%012d"}},{"name":"view","screen":"home","props":{"a":"b","n":%d}}],"session":"s%d"}`, i, i%50, i, i%100)
		f := baseFlow(flow.ID(i + 1))
		f.Request.URL = fmt.Sprintf("https://api.example.ca/v1/collect?n=%d&user=u%d", i, i%20)
		f.Request.Header = append(f.Request.Header, flow.NewField("Content-Type", "application/json"), flow.NewField("Cookie", fmt.Sprintf("sid=abcdef%06d; a=b", i%30)), flow.NewField("Accept", "*/*"), flow.NewField("Accept-Language", "en-CA"))
		f.Request.Body = flow.Body{Size: int64(len(body)), Content: []byte(body)}
		f.Response.Header = []flow.Field{flow.NewField("Content-Type", "application/json"), flow.NewField("Date", "Sat, 21 Nov 2026 23:00:00 GMT")}
		answer := `{"status":"ok","items":[` + strings.Repeat(`{"id":17,"title":"A sentence of some words","url":"https://www.example.ca/a/b/c.html"},`, 10) + `{}]}`
		f.Response.Body = flow.Body{Size: int64(len(answer)), Content: []byte(answer)}
		flows = append(flows, f)
	}
	path := filepath.Join(b.TempDir(), "a"+capture.Ext)
	record(b, path, flows)
	b.ResetTimer()
	for b.Loop() {
		redacted(b, path, nil)
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "flows/s")
}
