package capture_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/guard/raced"
	"telltale/policy"
)

func TestMain(m *testing.M) {
	if job := os.Getenv(childEnv); job != "" {
		child(job, os.Getenv(childFileEnv))
		return
	}
	goleak.VerifyTestMain(m)
}

// hostJudge allows *.canada.ca, ignores *.apple.com, waives *.waived.example and
// finds fault with the rest; with a host named "two.example" twice.
type hostJudge struct{ allow string }

func (p hostJudge) Judge(f *flow.Flow) policy.Judgement {
	if !f.IsContact() {
		return policy.Judgement{}
	}
	h := f.Host()
	j := policy.Judgement{Host: h, Source: policy.Source{Text: "nothing allows this host"}}
	allow := p.allow
	if allow == "" {
		allow = ".canada.ca"
	}
	finding := policy.Finding{Rule: policy.HostNotAllowed, Severity: policy.SeverityError, Host: h}
	switch {
	case strings.HasSuffix(h, allow):
		j.Verdict = policy.Allowed
	case strings.HasSuffix(h, ".apple.com"):
		j.Verdict = policy.Ignored
	case strings.HasSuffix(h, ".waived.example"):
		j.Verdict, j.Findings = policy.Waived, []policy.Finding{finding}
	default:
		j.Verdict, j.Findings = policy.Violation, []policy.Finding{finding}
		if h == "two.example" {
			j.Findings = append(j.Findings, policy.Finding{Rule: policy.Cleartext, Severity: policy.SeverityWarning, Host: h}, finding)
		}
	}
	return j
}

func create(t testing.TB, opts capture.Options) (*capture.Store, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a b?c%41.telltale") // names that a URI would misread
	if runtime.GOOS == "windows" {
		path = filepath.Join(t.TempDir(), "a b%41.telltale")
	}
	s, err := capture.Create(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, path
}

func observe(t testing.TB, s *capture.Store, flows ...*flow.Flow) {
	t.Helper()
	for _, f := range flows {
		s.Observe(f)
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
}

func reopen(t testing.TB, path string, opts capture.Options) *capture.Store {
	t.Helper()
	s, err := capture.Open(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

var sameFlow = cmp.Options{
	cmp.AllowUnexported(flow.Field{}),
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
	cmpopts.EquateEmpty(), cmpopts.IgnoreFields(flow.Flow{}, "Examined"), // by the store
}

// everyKind returns one flow of each sort, with every fact set in some of them.
func everyKind() []*flow.Flow {
	rich := flowtest.Post("https://api.example/v1?q=1&q=2", "hello", flowtest.Device("Ann's phone"),
		flowtest.Phase("before consent"), flowtest.Origin("a.har", 3, 120), flowtest.Altered("dropped a header", "slowed"),
		flowtest.Header("X-Odd", "a\\b\r\nc\x00d: e"), flowtest.Header("Authorization", "Bearer secret"), flowtest.Header("X-Latin", "caf\xe9"),
		flowtest.ResponseBody("application/json", strings.Repeat("compressible ", 500)))
	rich.Request.Trailer = []flow.Field{flow.NewField("Checksum", "1")}
	rich.Response.Trailer = []flow.Field{flow.NewField("Grpc-Status", "0")}
	rich.Response.Interim = []int{103, 100}
	rich.Response.Body.Truncated, rich.Response.Body.Size, rich.Response.Body.Decoded = true, 1<<40, true
	rich.Request.Body.Truncated, rich.Request.Body.Decoded = true, true
	rich.Request.Header = append([]flow.Field{flow.NewField(":authority", "api.example"), flow.NewField("odd:name", ": x")}, rich.Request.Header...)
	rich.Client.Hello.ALPN, rich.Client.Hello.Versions, rich.Client.Hello.JA4 = []string{"h2"}, []uint16{0x304}, "t13d"
	rich.Server.TLS.Invalid, rich.Server.TLS.Unverified = "expired", true
	rich.Server.TLS.Certificate = &flow.Certificate{
		Subject: "CN=api.example", Issuer: "CN=CA", DNSNames: []string{"api.example"}, SHA256: "ab",
		NotBefore: flowtest.Epoch.AddDate(-1, 0, 0), NotAfter: flowtest.Epoch.AddDate(1, 0, 0),
	}
	rich.Times.Blocked, rich.Times.DNS, rich.Times.Wait = 0, 3*time.Microsecond, 2*time.Second
	har := flowtest.Get("https://old.example/")
	har.Client, har.Server, har.Mode = flow.Client{}, flow.Server{}, "har"
	har.Request.Method, har.Request.URL, har.Request.Header, har.Response.Header = "", "", nil, nil
	nameless := flowtest.Tunnel("x")
	nameless.Server = flow.Server{}
	v6 := flowtest.Get("https://v6.example/", flowtest.From("[fe80::1%en0]:1234"))
	return flowtest.Number(rich, har, nameless, v6,
		flowtest.WebSocket("wss://ws.example/", []flow.Frame{flowtest.Text(true, time.Second, "hi"), {Time: flowtest.Epoch, Opcode: 8, Size: 9, Data: []byte{3, 232}, Truncated: true}}),
		flowtest.Refused("pinned.example"), flowtest.Tunnel("raw.example:22"), flowtest.PassedThrough("pass.example"),
		flowtest.Failed("https://down.example/", flow.FailureDNS), flowtest.DNS("dns.example"),
		flowtest.Get("https://open.example/", flowtest.Outcome(flow.Open)),
		flowtest.DNS("Odd.EXAMPLE", flowtest.Question("HTTPS", "NOERROR"), flowtest.Answers("1 . alpn=\"h2\"", "tab\tand\nline\\", "")),
		oddQuestion(), flowtest.DNS("none.example", flowtest.Question("AAAA", "")), flowtest.DNS("x", flowtest.Question("", "")),
		flowtest.Datagrams("192.0.2.7:123", flowtest.Speech("NTP"), flowtest.Resolved("time.example")),
		flowtest.QUIC("192.0.2.7", "a.example", flowtest.Noted("one", "two")), flowtest.Ping("2001:db8::1"), flowtest.Packets("192.0.2.7", "GRE"),
		flowtest.Seen("tracker.example", "CovidShield", "ca.example.covid"))
}

// oddQuestion has owners that are spelled as what stands for them.
func oddQuestion() *flow.Flow {
	f := flowtest.DNS("@")
	f.DNS = &flow.Question{Name: "\t@\\", Type: "A", Code: "NOERROR", Answers: []flow.Answer{
		{Name: "@", Type: "CNAME", TTL: time.Second, Data: "@"}, {Name: "\\@", Data: "x"}, {Name: "\t@\\", Type: "A"}, {},
	}}
	f.Server.Asked = ""
	return f
}

func TestFlowsComeBackAsTheyWere(t *testing.T) {
	s, path := create(t, capture.Options{})
	flows := everyKind()
	observe(t, s, flows...)
	for _, live := range []bool{true, false} {
		if !live {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = reopen(t, path, capture.Options{})
		}
		i := 0
		err := s.All(context.Background(), func(got *flow.Flow) error {
			want := *flows[i]
			want.Frames = nil
			withDigests(&want)
			if diff := cmp.Diff(&want, got, sameFlow); diff != "" {
				t.Errorf("live %v, flow %d (-want +got):\n%s", live, want.ID, diff)
			}
			i++
			return nil
		})
		if err != nil || i != len(flows) {
			t.Fatalf("live %v: %d of %d flows, error %v", live, i, len(flows), err)
		}
	}
}

func withDigests(f *flow.Flow) {
	digest := func(b flow.Body) flow.Body {
		if len(b.Content) > 0 {
			sum := sha256.Sum256(b.Content)
			b.Digest = hex.EncodeToString(sum[:])
		}
		return b
	}
	if f.Request != nil {
		r := *f.Request
		r.Body = digest(r.Body)
		f.Request = &r
	}
	if f.Response != nil {
		r := *f.Response
		r.Body = digest(r.Body)
		f.Response = &r
	}
}

func TestContentIsKeptOncePerDigest(t *testing.T) {
	s, _ := create(t, capture.Options{})
	body := strings.Repeat("the same body ", 1000)
	a := flowtest.Get("https://a.example/", flowtest.ResponseBody("text/plain", body))
	b := flowtest.Get("https://b.example/", flowtest.ResponseBody("text/plain", body))
	observe(t, s, flowtest.Number(a, b)...)
	page, err := s.Flows(context.Background(), capture.Query{})
	if err != nil || len(page) != 2 {
		t.Fatalf("%d flows, error %v", len(page), err)
	}
	for _, r := range page {
		if r.Flow.Response.Body.Content != nil {
			t.Error("a page loaded the content of a body")
		}
		got, err := s.Content(context.Background(), r.Flow.Response.Body)
		if err != nil || string(got) != body {
			t.Errorf("flow %d: %d bytes, error %v", r.Flow.ID, len(got), err)
		}
	}
	if page[0].Flow.Response.Body.Digest != page[1].Flow.Response.Body.Digest {
		t.Error("equal bodies have different digests")
	}
	if _, err := s.Content(context.Background(), flow.Body{Digest: strings.Repeat("00", 32)}); !errors.Is(err, capture.ErrNotFound) {
		t.Errorf("unknown digest: %v", err)
	}
	if _, err := s.Content(context.Background(), flow.Body{Digest: "no hex"}); !errors.Is(err, capture.ErrNotFound) {
		t.Errorf("bad digest: %v", err)
	}
	if got, err := s.Content(context.Background(), flow.Body{}); got != nil || err != nil {
		t.Errorf("no body: %q, %v", got, err)
	}
}

func TestNewestStateReplacesTheFormer(t *testing.T) {
	s, _ := create(t, capture.Options{Judge: hostJudge{}})
	ended := flowtest.Get("https://x.example/", flowtest.ID(1))
	opened := *ended
	opened.Outcome, opened.Times.End, opened.Response = flow.Open, time.Time{}, nil
	observe(t, s, &opened)
	if sum := s.Summary(); sum.Flows != 1 || sum.Violating != 1 || sum.Health.Open != 1 {
		t.Errorf("open: %+v", sum)
	}
	if got := only(t, s); got.Flow.Outcome != flow.Open || got.Flow.Response != nil {
		t.Errorf("open state on disk: %+v", got.Flow)
	}
	observe(t, s, ended)
	late := *ended
	late.Outcome = flow.Abandoned
	observe(t, s, &late, &opened) // come after the end: ignored
	if sum := s.Summary(); sum.Flows != 1 || sum.Violating != 1 || sum.Health.Open != 0 || sum.Health.Failed != 0 {
		t.Errorf("ended: %+v", sum)
	}
	if got := only(t, s); got.Flow.Outcome != flow.Completed || got.Judgement.Verdict != policy.Violation {
		t.Errorf("ended state on disk: %+v", got)
	}
}

func only(t *testing.T, s *capture.Store) capture.Recorded {
	t.Helper()
	page, err := s.Flows(context.Background(), capture.Query{})
	if err != nil || len(page) != 1 {
		t.Fatalf("%d flows, error %v", len(page), err)
	}
	return page[0]
}

func TestObserveDoesNotChangeTheFlow(t *testing.T) {
	s, _ := create(t, capture.Options{})
	s.Mark("after consent")
	f := flowtest.Post("https://x.example/", "body")
	before := *f
	observe(t, s, f)
	if diff := cmp.Diff(&before, f, sameFlow); diff != "" {
		t.Error(diff)
	}
	if got := only(t, s).Flow; got.ID != 1 || got.Phase != "after consent" {
		t.Errorf("ID %d, phase %q", got.ID, got.Phase)
	}
}

func TestPhaseIsThatOfTheStart(t *testing.T) {
	s, path := create(t, capture.Options{})
	f := flowtest.Get("https://x.example/", flowtest.ID(s.NextID()))
	opened := *f
	opened.Outcome, opened.Times.End = flow.Open, time.Time{}
	s.Mark("one")
	s.Observe(&opened)
	s.Mark("two")
	observe(t, s, f, flowtest.Get("https://y.example/", flowtest.ID(s.NextID())))
	page, err := s.Flows(context.Background(), capture.Query{})
	if err != nil || len(page) != 2 || page[0].Flow.Phase != "one" || page[1].Flow.Phase != "two" {
		t.Fatalf("%v, error %v", page, err)
	}
	s.Close()
	phases := query(t, path, "SELECT group_concat(name) FROM phases")
	if phases != "one,two" {
		t.Errorf("phases %q", phases)
	}
}

func TestPages(t *testing.T) {
	s, _ := create(t, capture.Options{})
	for i := 1; i <= 50; i++ {
		s.Observe(flowtest.Get(fmt.Sprintf("https://h%d.example/", i%5), flowtest.ID(flow.ID(i))))
	}
	observe(t, s)
	tests := []struct {
		name  string
		query capture.Query
		want  []flow.ID
	}{
		{"first", capture.Query{Limit: 3}, []flow.ID{1, 2, 3}},
		{"after", capture.Query{After: 3, Limit: 3}, []flow.ID{4, 5, 6}},
		{"last", capture.Query{Last: true, Limit: 3}, []flow.ID{48, 49, 50}},
		{"before", capture.Query{Before: 48, Last: true, Limit: 2}, []flow.ID{46, 47}},
		{"between", capture.Query{After: 10, Before: 13}, []flow.ID{11, 12}},
		{"behind the end", capture.Query{After: 50}, nil},
		{"host", capture.Query{Host: "H2.Example.", Limit: 2}, []flow.ID{2, 7}},
		{"host, last", capture.Query{Host: "h0.example:443", Last: true, Limit: 2}, []flow.ID{45, 50}},
		{"unknown host", capture.Query{Host: "example"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := ids(t, s, tt.query); !cmp.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	if _, err := s.Flow(context.Background(), 51); !errors.Is(err, capture.ErrNotFound) {
		t.Errorf("unknown flow: %v", err)
	}
	if r, err := s.Flow(context.Background(), 17); err != nil || r.Flow.ID != 17 {
		t.Errorf("flow 17: %v, %v", r, err)
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Flows(gone, capture.Query{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func ids(t *testing.T, s *capture.Store, q capture.Query) []flow.ID {
	t.Helper()
	page, err := s.Flows(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	var out []flow.ID
	for _, r := range page {
		out = append(out, r.Flow.ID)
	}
	return out
}

func TestEndedFollowsTheOrderOfEnding(t *testing.T) {
	s, path := create(t, capture.Options{})
	for _, id := range []flow.ID{3, 1} {
		observe(t, s, flowtest.Get("https://x.example/", flowtest.ID(id)))
	}
	observe(t, s, flowtest.Get("https://x.example/", flowtest.ID(4), flowtest.Outcome(flow.Open)))
	observe(t, s, flowtest.Get("https://x.example/", flowtest.ID(2)))
	want := []flow.ID{3, 1, 2}
	var got []flow.ID
	var at capture.Seq
	for range 4 {
		page, next, err := s.Ended(context.Background(), at, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page {
			got = append(got, r.Flow.ID)
		}
		at = next
	}
	if !cmp.Equal(got, want) || at != 3 {
		t.Errorf("got %v up to %d", got, at)
	}
	s.Close()
	again, err := capture.Create(path, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	observe(t, again, flowtest.Get("https://x.example/", flowtest.ID(again.NextID())))
	page, next, err := again.Ended(context.Background(), at, 0)
	if err != nil || len(page) != 1 || page[0].Flow.ID != 5 || next != 4 {
		t.Errorf("second session: %v, %d, %v", page, next, err)
	}
}

func TestFramesAreAppended(t *testing.T) {
	s, _ := create(t, capture.Options{})
	state := func(offset int, outcome flow.Outcome, texts ...string) *flow.Flow {
		var frames []flow.Frame
		for i, text := range texts {
			frames = append(frames, flowtest.Text(i%2 == 0, time.Duration(offset+i)*time.Second, text))
		}
		f := flowtest.WebSocket("wss://x.example/", frames, flowtest.ID(1), flowtest.Outcome(outcome))
		f.FrameOffset = offset
		return f
	}
	s.Observe(state(0, flow.Open, "a", "b"))
	observe(t, s, state(2, flow.Open))
	observe(t, s, state(2, flow.Open, "c"))
	observe(t, s, state(3, flow.Completed, "d"))
	for _, tt := range []struct {
		from, limit int
		want        string
	}{{0, 0, "abcd"}, {1, 2, "bc"}, {4, 1, ""}} {
		frames, err := s.Frames(context.Background(), 1, tt.from, tt.limit)
		got := ""
		for _, f := range frames {
			got += string(f.Data)
		}
		if err != nil || got != tt.want {
			t.Errorf("from %d: %q, error %v", tt.from, got, err)
		}
	}
}

func TestTotalsOnlyKeepsNoFlows(t *testing.T) {
	s := capture.New(capture.Options{})
	observe(t, s, flowtest.Get("https://x.example/", flowtest.ID(1)))
	if _, err := s.Flows(context.Background(), capture.Query{}); !errors.Is(err, capture.ErrNotRecorded) {
		t.Errorf("flows: %v", err)
	}
	if err := s.SetExpiry(time.Now()); err == nil {
		t.Error("SetExpiry works without a file")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s.Observe(flowtest.Get("https://x.example/", flowtest.ID(2)))
	s.Note("late")
	s.Mark("late")
	if got := s.Summary(); got.Flows != 1 {
		t.Errorf("a closed store counted: %d", got.Flows)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}

// Many goroutines observe and read at once; each flow goes through its three
// states on its goroutine.
func TestConcurrency(t *testing.T) {
	s, _ := create(t, capture.Options{Judge: hostJudge{}, QueueBytes: 64 << 10})
	writers, each := 8, raced.Size(200, 40)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				f := flowtest.Get(fmt.Sprintf("https://h%d.example/%d", w, i), flowtest.ID(s.NextID()), flowtest.ResponseBody("text/plain", fmt.Sprint(w, i, strings.Repeat("x", 2000))))
				opened, answered := *f, *f
				opened.Outcome, opened.Response, answered.Outcome = flow.Open, nil, flow.Open
				s.Observe(&opened)
				s.Observe(&answered)
				s.Observe(f)
			}
		})
	}
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				s.Summary()
				if _, err := s.Flows(context.Background(), capture.Query{Last: true, Limit: 5, Text: "h3"}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	close(done)
	readers.Wait()
	sum := s.Summary()
	if sum.Flows != writers*each || sum.Violating != writers*each || len(sum.Hosts) != writers || sum.Health.Open != 0 {
		t.Errorf("%d flows, %d violating, %d hosts, %d open", sum.Flows, sum.Violating, len(sum.Hosts), sum.Health.Open)
	}
	n := 0
	if err := s.All(context.Background(), func(f *flow.Flow) error { n++; return nil }); err != nil || n != writers*each {
		t.Errorf("%d flows on disk, error %v", n, err)
	}
	stop := errors.New("stop")
	if err := s.All(context.Background(), func(*flow.Flow) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the callback's error is lost: %v", err)
	}
}
