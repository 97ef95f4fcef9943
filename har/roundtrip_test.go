package har_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/har"
)

// write returns the flows as a file.
func write(t testing.TB, flows []*flow.Flow, opts har.WriterOptions) []byte {
	t.Helper()
	if opts.Name == "" {
		opts.Name, opts.Version = "telltale", "1.0"
	}
	var out bytes.Buffer
	w := har.NewWriter(&out, opts)
	for _, f := range flows {
		if err := w.Write(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// diff compares flows by value, in the order of their IDs: connections without
// content come last in a file. Where they stand in the file is not compared.
func diff(want, got []*flow.Flow) string {
	sorted := func(flows []*flow.Flow) []*flow.Flow {
		flows = slices.Clone(flows)
		slices.SortStableFunc(flows, func(a, b *flow.Flow) int { return int(a.ID - b.ID) })
		return flows
	}
	return cmp.Diff(sorted(want), sorted(got), cmp.AllowUnexported(flow.Field{}), cmpopts.IgnoreFields(flow.Flow{}, "Origin", "Examined"), cmpopts.IgnoreFields(flow.Exposure{}, "Digest"),
		cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.AddrPort{}))
}

// fill sets every field that v reaches to a value of its own, so that a field
// which is added to a flow and forgotten here fails the test.
func fill(v reflect.Value, n *int) {
	*n++
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = flowtest.Epoch.Add(time.Duration(*n)*time.Second + 123456789)
		return
	case *netip.AddrPort:
		*x = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(*n)}), uint16(*n))
		return
	case *flow.Field:
		*x = flow.NewField(fmt.Sprintf("X-Name-%d", *n), fmt.Sprintf("value %d é \x80", *n))
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
		v.SetString(fmt.Sprintf("text %d \"é\" \\", *n))
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

// full returns a flow whose every field is set.
func full() *flow.Flow {
	f := new(flow.Flow)
	n := 0
	fill(reflect.ValueOf(f).Elem(), &n)
	f.Kind = flow.WebSocket
	f.Request.URL, f.Response.Status = "wss://a.example:8443/x?y=z", 101
	for i := range f.Frames {
		f.Frames[i].Opcode = i + 1
	}
	return f
}

// many returns flows of all kinds and outcomes.
func many() []*flow.Flow {
	binary := "\x00\x01\xff\xfe"
	frames := []flow.Frame{
		flowtest.Text(true, time.Second, "hello"),
		flowtest.Text(false, 2*time.Second+1, "broken \xff text"),
		{Time: flowtest.Epoch, Opcode: 2, Size: 1 << 20, Data: []byte(binary), Truncated: true},
		{Opcode: 8, Size: 2, Data: []byte{3, 232}},
		{Time: flowtest.Epoch, FromClient: true, Opcode: 9},
	}
	flows := []*flow.Flow{
		full(),
		flowtest.Get("https://a.example/"),
		flowtest.Get("https://a.example/?q=a%20b&q=&r#f", flowtest.Header("Accept", "*/*"), flowtest.Header("accept", "a, b"), flowtest.Proto("HTTP/2")),
		flowtest.Get("http://a.example:8080/", flowtest.ResponseBody("text/plain", "h\u00e9llo \u2028 \"quoted\" \\ \x01")),
		flowtest.Get("https://a.example/i.png", flowtest.ResponseBody("image/png", binary)),
		flowtest.Post("https://a.example/", `{"a":1}`),
		flowtest.Post("https://a.example/", binary),
		flowtest.Head("https://clients3.google.com/generate_204"),
		flowtest.Get("https://[2001:db8::1]/", flowtest.Dialed("[2001:db8::1]:443")),
		flowtest.Get("https://b\xfccher.example/\x80"),
		flowtest.WebSocket("wss://live.example/s", frames),
		flowtest.Refused("pinned.example"),
		flowtest.Tunnel("mail.example:5223"),
		flowtest.PassedThrough("bank.example"),
		flowtest.DNS("a.example"),
		flowtest.DNS("Odd.example", flowtest.Question("HTTPS", ""), flowtest.Answers("1 . alpn=\"h2\"", "2 x.example. ech=\tAA")),
		flowtest.Datagrams("192.0.2.7:123", flowtest.Speech("NTP"), flowtest.Resolved("time.example")),
		flowtest.QUIC("192.0.2.7", "a.example", flowtest.Noted("answered with Version Negotiation")),
		flowtest.Ping("2001:db8::1"),
		flowtest.Packets("192.0.2.7", "GRE"),
		flowtest.Seen("tracker.example:443", "CovidShield", "ca.example.covid"),
		flowtest.Failed("https://down.example/", flow.FailureDNS),
		flowtest.Get("https://open.example/", flowtest.Outcome(flow.Open)),
		{Kind: flow.Tunnel, Mode: "http", Outcome: flow.Malformed, Request: &flow.Request{Method: "GET\x00", URL: ""}},
		{Kind: flow.HTTP, Outcome: flow.Malformed, Request: &flow.Request{Method: "GET", URL: "/relative"}},
		{Kind: flow.HTTP, Outcome: flow.ClientDenied},
	}
	cut := flowtest.Get("https://a.example/big", flowtest.ResponseBody("text/plain", "the start"))
	cut.Response.Body.Size, cut.Response.Body.Truncated, cut.Response.Body.Digest = 1<<40, true, "ab"
	absent := flowtest.Get("https://a.example/none")
	absent.Response.Body = flow.Body{Size: 77, Truncated: true}
	absent.Request.Body = flow.Body{Size: 78, Truncated: true}
	return flowtest.Number(append(flows, cut, absent)...)
}

func TestWhatWasWrittenIsReadBack(t *testing.T) {
	want := many()
	data := write(t, want, har.WriterOptions{})
	got, info, err := read(t, data)
	if err != nil {
		t.Fatal(err)
	}
	if d := diff(want, got); d != "" {
		t.Errorf("flows differ (-written +read):\n%s", d)
	}
	if info.Producer != "telltale 1.0" || info.Version != "1.2" || len(info.Notes) != 0 {
		t.Errorf("info %+v", info)
	}
	// Each flow is found at the line that its origin names.
	lines := bytes.Split(data, []byte("\n"))
	for _, f := range got {
		if at := lines[f.Origin.Line-1]; !bytes.Contains(at, fmt.Appendf(nil, `"_telltale":{"id":%d,`, f.ID)) {
			t.Errorf("flow %d is not on line %d", f.ID, f.Origin.Line)
		}
	}
	again, _, _ := read(t, write(t, got, har.WriterOptions{}))
	if d := diff(got, again); d != "" {
		t.Errorf("a second trip changes flows:\n%s", d)
	}
}

// What comes from other producers survives being written by us.
func TestSamplesSurviveRewriting(t *testing.T) {
	for _, name := range []string{"chrome.har", "firefox.har", "charles.har", "mitmproxy.har", "httptoolkit.har", "playwright.har", "handmade.har"} {
		want, _, err := read(t, sample(t, name))
		if err != nil {
			t.Fatal(err)
		}
		flowtest.Number(want...)
		got, _, err := read(t, write(t, want, har.WriterOptions{Reveal: true}))
		if err != nil {
			t.Fatal(err)
		}
		if d := diff(want, got); d != "" {
			t.Errorf("%s:\n%s", name, d)
		}
	}
}

// Of what clients sent alone, the contents are the same as with all, and no others are there.
func TestSentContentsAlone(t *testing.T) {
	data := write(t, many(), har.WriterOptions{Reveal: true})
	all, _, err := read(t, data)
	if err != nil {
		t.Fatal(err)
	}
	var sent []*flow.Flow
	if _, err := har.Read(bytes.NewReader(data), har.Options{Name: "t.har", Sent: true}, func(f *flow.Flow) error {
		sent = append(sent, f)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(sent) != len(all) {
		t.Fatalf("%d flows, want %d", len(sent), len(all))
	}
	requests, messages := 0, 0
	for i, f := range sent {
		if want := all[i].Request; want != nil {
			if !bytes.Equal(f.Request.Body.Content, want.Body.Content) {
				t.Errorf("flow %d: request %q, want %q", f.ID, f.Request.Body.Content, want.Body.Content)
			}
			requests += len(want.Body.Content)
		}
		if f.Response != nil && len(f.Response.Body.Content) > 0 {
			t.Errorf("flow %d has its response's content", f.ID)
		}
		for j, frame := range f.Frames {
			want := all[i].Frames[j].Data
			if !frame.FromClient {
				want = nil
			}
			if !bytes.Equal(frame.Data, want) {
				t.Errorf("flow %d, message %d: %q, want %q", f.ID, j, frame.Data, want)
			}
			if frame.FromClient {
				messages += len(frame.Data)
			}
		}
	}
	if requests == 0 || messages == 0 {
		t.Errorf("%d bytes of requests, %d of messages: the test shows nothing", requests, messages)
	}
}

// A body in a content coding is written decoded; that alone changes.
func TestCodedBodiesAreWrittenDecoded(t *testing.T) {
	text := strings.Repeat("covid alert ", 1000)
	packed := gzipped(t, []byte(text))
	f := flowtest.Get("https://a.example/", flowtest.ResponseHeader("Content-Encoding", "gzip"), flowtest.ResponseBody("text/plain", string(packed)))
	data := write(t, []*flow.Flow{f}, har.WriterOptions{})
	if !bytes.Contains(data, fmt.Appendf(nil, `"content":{"size":%d,"mimeType":"text/plain","text":"covid`, len(text))) {
		t.Errorf("the content is not there as text:\n%.2000s", data)
	}
	got, _, err := read(t, data)
	if err != nil {
		t.Fatal(err)
	}
	want := *f
	response := *f.Response
	response.Body.Content, response.Body.Decoded = []byte(text), true
	want.Response = &response
	if d := diff([]*flow.Flow{&want}, got); d != "" {
		t.Error(d)
	}

	// What cannot be decoded stays as it came.
	f.Response.Body.Content = []byte("no gzip at all \xff")
	f.Response.Body.Size = int64(len(f.Response.Body.Content))
	if got, _, err = read(t, write(t, []*flow.Flow{f}, har.WriterOptions{})); err != nil || diff([]*flow.Flow{f}, got) != "" {
		t.Errorf("error %v, %s", err, diff([]*flow.Flow{f}, got))
	}

	// Of a body that was cut, the start is decoded.
	f.Response.Body = flow.Body{Size: int64(len(packed)), Content: packed[:len(packed)-9], Truncated: true}
	if got, _, err = read(t, write(t, []*flow.Flow{f}, har.WriterOptions{})); err != nil {
		t.Fatal(err)
	}
	if b := got[0].Response.Body; !b.Decoded || !b.Truncated || len(b.Content) == 0 || !strings.HasPrefix(text, string(b.Content)) {
		t.Errorf("body of %d bytes, %+v", len(b.Content), b.Size)
	}
}

// A question has no more answers than flows have, whoever wrote the file.
func TestAnswersAreBounded(t *testing.T) {
	f := flowtest.DNS("a.example")
	for range 1000 {
		f.DNS.Answers = append(f.DNS.Answers, flow.Answer{Name: "a.example", Type: "A", Data: "192.0.2.7"})
	}
	got, _, err := read(t, write(t, []*flow.Flow{f}, har.WriterOptions{}))
	if err != nil || len(got) != 1 || len(got[0].DNS.Answers) != 64 {
		t.Errorf("%d flows, error %v", len(got), err)
	}
}
