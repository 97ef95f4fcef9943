package capture_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"telltale/attribution"
	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
)

// fill sets every part of a value to something of its own.
func fill(v reflect.Value, n *int) {
	*n++
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = flowtest.Epoch.Add(time.Duration(*n) * time.Second)
		return
	case *time.Duration:
		*x = time.Duration(*n) * time.Second
		return
	case *netip.AddrPort:
		*x = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(*n)}), uint16(*n))
		return
	case *flow.Field:
		*x = flow.NewField(fmt.Sprintf("X-Name-%d", *n), fmt.Sprintf("value %d é", *n))
		return
	case *[]byte:
		*x = fmt.Appendf(nil, "content %d", *n)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), n)
		}
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d \"é\"", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint16:
		v.SetUint(uint64(*n))
	default:
		panic("a flow has a field of kind " + v.Kind().String())
	}
}

// A flow whose every field is set comes back whole: what is not kept fails here.
func TestEveryFieldIsKept(t *testing.T) {
	for _, kind := range []flow.Kind{flow.HTTP, flow.DNS, flow.UDP, flow.Contact} {
		f, n := new(flow.Flow), 0
		fill(reflect.ValueOf(f).Elem(), &n)
		f.Kind, f.ID = kind, 1
		s, path := create(t, capture.Options{})
		observe(t, s, f)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		want := *f
		want.Frames, want.FrameOffset = nil, 0 // read by themselves
		withDigests(&want)
		// Contents are there by their digests.
		if diff := cmp.Diff(&want, recordedWhole(t, path), sameFlow); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kind, diff)
		}
	}
}

func recordedWhole(t *testing.T, path string) (whole *flow.Flow) {
	t.Helper()
	err := reopen(t, path, capture.Options{}).All(context.Background(), func(f *flow.Flow) error {
		whole = f
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return whole
}

// version2 unpacks a capture that was made before whole devices were recorded.
func version2(t *testing.T) string { return unpacked(t, "testdata/version2.telltale.gz") }

// unpacked returns the path of a copy of a file.
func unpacked(t *testing.T, name string) string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "old.telltale")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A capture of version 2 is read as it is, and brought up to date for recording.
func TestVersion2IsReadAndMigrated(t *testing.T) {
	path := version2(t)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	read := func(s *capture.Store) (flows []*flow.Flow) {
		t.Helper()
		if err := s.All(context.Background(), func(f *flow.Flow) error { flows = append(flows, f); return nil }); err != nil {
			t.Fatal(err)
		}
		return flows
	}
	old := reopen(t, path, capture.Options{Judge: hostJudge{}})
	want := read(old)
	if hits := ids(t, old, capture.Query{Text: "down example"}); len(hits) != 1 || len(want) != 11 || want[0].Client.Device != "Bob's phone" {
		t.Errorf("%d flows, search finds %v", len(want), hits)
	}
	if page := ids(t, old, capture.Query{Host: "dns.example"}); len(page) != 1 {
		t.Errorf("flows of a host: %v", page)
	}
	old.Close()
	if now, err := os.ReadFile(path); err != nil || !cmp.Equal(now, before) {
		t.Errorf("reading has changed the file, error %v", err)
	}
	s, err := capture.Create(path, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	added := flowtest.DNS("new.example")
	added.ID = s.NextID()
	observe(t, s, added)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	got := read(reopen(t, path, capture.Options{}))
	if diff := cmp.Diff(append(want, added), got, sameFlow); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if v := query(t, path, "SELECT user_version || ' ' || (SELECT count(*) FROM notes) FROM pragma_user_version"); v != "6 1" {
		t.Errorf("version and notes: %s", v)
	}
}

func TestQuestionsAreFound(t *testing.T) {
	s, path := create(t, capture.Options{})
	observe(t, s, flowtest.Number(
		flowtest.DNS("tracker.example", flowtest.Answers("203.0.113.99")),
		flowtest.DNS("other.example"),
		flowtest.DNS("cdn.example", flowtest.Question("CNAME", "NOERROR"), flowtest.Answers("edge.cloud.example")),
	)...)
	check := func(s *capture.Store) {
		t.Helper()
		for text, want := range map[string][]flow.ID{
			"tracker": {1}, "203.0.113.99": {1}, "edge.cloud": {3}, "192.0.2.10": {1, 2}, "example": {1, 2, 3}, "nowhere": nil,
		} {
			if got := ids(t, s, capture.Query{Text: text}); !cmp.Equal(got, want) {
				t.Errorf("%s: %v, want %v", text, got, want)
			}
			if got, err := s.Search(context.Background(), text); err != nil || !cmp.Equal(got, want) {
				t.Errorf("search %s: %v, %v, want %v", text, got, err, want)
			}
		}
	}
	check(s)
	if err := s.Close(); err != nil { // indexed
		t.Fatal(err)
	}
	check(reopen(t, path, capture.Options{}))
	if got := query(t, path, "SELECT question_type || question_code || answers FROM exchanges WHERE host = 'cdn.example'"); got != "CNAMENOERROR@\t60\tCNAME\tedge.cloud.example\n" {
		t.Errorf("the view has %q", got)
	}
}

func TestWhatPassedUnread(t *testing.T) {
	s := capture.New(capture.Options{})
	defer s.Close()
	observe(t, s, flowtest.Number(
		flowtest.DNS("a.example"), flowtest.DNS("7.2.0.192.in-addr.arpa", flowtest.Question("PTR", "NXDOMAIN")), flowtest.QUIC("192.0.2.7", "a.example"), flowtest.Ping("192.0.2.7"),
		flowtest.Seen("seen.example", "App", ""), flowtest.Datagrams("192.0.2.7:123"), flowtest.Packets("192.0.2.8", "GRE"),
		flowtest.Datagrams("192.0.2.53:53", flowtest.Speech(flow.SpeechDNS)),
	)...)
	sum := s.Summary()
	if diff := cmp.Diff(map[string]map[flow.Outcome]int{"192.0.2.7": {flow.Tunnelled: 1}, "192.0.2.8": {flow.DestinationDenied: 1}}, sum.Health.Unread); diff != "" {
		t.Errorf("unread (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"a.example": 1}, sum.Health.QUICRefused); diff != "" {
		t.Errorf("refused QUIC (-want +got):\n%s", diff)
	}
	if sum.Flows != 7 || sum.Health.Lookups != 1 || sum.Health.Nameless != 0 {
		t.Errorf("%d flows, %d lookups, %d nameless", sum.Flows, sum.Health.Lookups, sum.Health.Nameless)
	}
	if d := sum.Health.Devices[0]; d.Questions != 1 || d.QUICRefused != 1 || d.Unread != 2 || d.Flows != 6 {
		t.Errorf("device %+v", d)
	}
}

func TestAppsOfHostsAndViolations(t *testing.T) {
	phone := flowtest.From("192.168.1.23:50000")
	flows := flowtest.Number(
		flowtest.Get("https://api.example/", phone), flowtest.Refused("pinned.example", phone), flowtest.DNS("api.example", phone),
		flowtest.Tunnel("raw.example:1", phone), flowtest.Seen("seen.example", "Chess", "example.chess"), flowtest.Refused("seen.example", phone, flowtest.JA4("t13d_other")),
	)
	s, path := create(t, capture.Options{Judge: hostJudge{}})
	observe(t, s, flows...)
	check := func(s *capture.Store) {
		t.Helper()
		got := map[string]string{}
		sum := s.Summary()
		for _, h := range sum.Hosts {
			for _, a := range h.Attributed {
				got[h.Name] += string(a.How) + " " + a.App + " " + a.ID
			}
		}
		want := map[string]string{"api.example": "host CovidShield ", "pinned.example": "fingerprint CovidShield ", "seen.example": "said Chess example.chess"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("hosts (-want +got):\n%s", diff)
		}
		for _, v := range sum.Violations {
			words := ""
			for _, a := range v.Attributed {
				words += string(a.How) + " " + a.App + " " + a.ID
			}
			if words != want[v.Finding.Host] {
				t.Errorf("violation at %s: %q", v.Finding.Host, words)
			}
		}
		if a := s.Attribution().Of(flows[1]); a.How != attribution.Fingerprint || !strings.HasPrefix(a.Words, "likely CovidShield: ") {
			t.Errorf("flow: %+v", a)
		}
	}
	check(s)
	// A second app with the same TLS library makes it unclear again.
	other := flowtest.Get("https://api.example/", phone, flowtest.UserAgentOf("News/1 (Android 14)"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check(reopen(t, path, capture.Options{Judge: hostJudge{}}))
	more, err := capture.Create(path, capture.Options{Judge: hostJudge{}})
	if err != nil {
		t.Fatal(err)
	}
	defer more.Close()
	check(more)
	other.ID = more.NextID()
	observe(t, more, other)
	for _, h := range more.Summary().Hosts {
		if h.Name == "pinned.example" && h.Attributed != nil {
			t.Errorf("two apps share the fingerprint, and it is %+v", h.Attributed)
		}
	}
}
