package har_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/har"
)

func gzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func secretive() *flow.Flow {
	return flowtest.Get("https://a.example/?token=t0ken-0123", flowtest.Header("Authorization", "Bearer s3cret-bearer"),
		flowtest.Header("Proxy-Authorization", "Basic s3cret-basic"),
		flowtest.Header("Cookie", "session=s3cret-session; s3cret-nameless"), flowtest.Header("X-Token", "t0ken-0123"),
		flowtest.ResponseHeader("Set-Cookie", "id=s3cret-id; Path=/; Secure; HttpOnly; SameSite=Lax; Expires=Wed, 09 Jun 2027 10:18:14 GMT"),
		flowtest.ResponseHeader("Location", "/next?token=t0ken-0123"),
		flowtest.RequestBody("send t0ken-0123"), flowtest.ResponseBody("text/plain", "have t0ken-0123"),
		flowtest.Failure(flow.FailureReset, "while sending t0ken-0123"), flowtest.Altered("removed t0ken-0123"), flowtest.Experiments("modify t0ken-0123.json"))
}

// Other tools show the comment of an entry: what experiments altered says so there.
func TestAlteredEntriesSayIt(t *testing.T) {
	altered := flowtest.Get("https://a.example/", flowtest.Experiments("server-error 503", "slow edge"), flowtest.Altered("answered 503 for t0ken-0123"))
	refused := flowtest.Tunnel("b.example", flowtest.Outcome(flow.Simulated), flowtest.Experiments("offline"), flowtest.ID(2))
	always := flowtest.Get("https://c.example/", flowtest.Altered("ECH was taken out"), flowtest.ID(3))
	out := string(write(t, []*flow.Flow{altered, refused, always}, har.WriterOptions{Mask: func(s string) string { return strings.ReplaceAll(s, "t0ken-0123", "***") }}))
	for _, want := range []string{
		`"comment":"altered by telltale: server-error 503, slow edge (answered 503 for ***)"`, `"comment":"altered by telltale: offline"`,
		`"experiments":["server-error 503","slow edge"]`, `"outcome":"simulated"`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is missing in\n%s", want, out)
		}
	}
	if n := strings.Count(out, "altered by telltale"); n != 2 {
		t.Errorf("%d comments", n)
	}
}

func TestCredentialsAreRedacted(t *testing.T) {
	out := string(write(t, []*flow.Flow{secretive()}, har.WriterOptions{}))
	if strings.Contains(out, "s3cret") {
		t.Errorf("a credential shows in\n%s", out)
	}
	for _, want := range []string{
		`{"name":"Authorization","value":"[redacted]"}`, `{"name":"session","value":"[redacted]","httpOnly":false,"secure":false}`,
		`{"name":"id","value":"[redacted]","path":"/","expires":"2027-06-09T10:18:14.000Z","httpOnly":true,"secure":true,"sameSite":"Lax"}`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is missing in\n%s", want, out)
		}
	}
	open := string(write(t, []*flow.Flow{secretive()}, har.WriterOptions{Reveal: true}))
	for _, want := range []string{"Bearer s3cret-bearer", `{"name":"session","value":"s3cret-session"`, "s3cret-nameless", "id=s3cret-id", "s3cret-basic"} {
		if !strings.Contains(open, want) {
			t.Errorf("%s is not revealed in\n%s", want, open)
		}
	}
}

// A value that the URL has percent-encoded stands plain among its parameters.
func TestMaskReachesDecodedParameters(t *testing.T) {
	mask := func(s string) string { return strings.ReplaceAll(s, "me@a.example", flow.Redacted) }
	out := string(write(t, []*flow.Flow{flowtest.Get("https://a.example/?mail=me%40a.example")}, har.WriterOptions{Mask: mask}))
	if strings.Contains(out, "me@a.example") || !strings.Contains(out, `{"name":"mail","value":"[redacted]"}`) {
		t.Errorf("the value shows in\n%s", out)
	}
}

// Contents and messages have a mask of their own, which knows what they are; compressed
// messages, of which one may refer to another, go as a whole where the flow holds a value.
func TestMaskBody(t *testing.T) {
	opts := har.WriterOptions{
		Mask:  func(s string) string { return s },
		Leaks: func(f *flow.Flow) []flow.Leak { return []flow.Leak{{Name: "mail", Where: []string{"body (as typed)"}}} },
		MaskBody: func(header []flow.Field, body flow.Body) []byte {
			return bytes.ReplaceAll(body.Content, []byte("packed"), []byte("<"+flow.Get(header, "Content-Type")+">"))
		},
	}
	ws := flowtest.WebSocket("wss://a.example/", []flow.Frame{flowtest.Text(true, 0, "a packed message"), flowtest.Text(true, 0, "deflated")})
	ws.Frames[1].Compressed = true
	out := string(write(t, []*flow.Flow{flowtest.Post("https://a.example/", "a packed body", flowtest.ResponseBody("text/plain", "packed, too")), ws}, opts))
	for _, want := range []string{"a <application/json> body", "<text/plain>, too", "a <> message"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	for _, shown := range []string{"packed", "deflated"} {
		if strings.Contains(out, shown) {
			t.Errorf("%q shows in\n%s", shown, out)
		}
	}
}

const token = "t0ken-0123"

func maskToken(s string) string { return strings.ReplaceAll(s, token, flow.Redacted) }

// poison calls text for every string that v reaches and sets it to the result.
// Header fields and contents are texts too. Lists and pointers that are nil are filled
// first, so that no field of a flow can be forgotten here.
func poison(v reflect.Value, text func(string) string) {
	switch x := v.Addr().Interface().(type) {
	case *time.Time, *netip.AddrPort:
		return
	case *flow.Field:
		*x = flow.NewField(text(x.Name), text(x.Reveal()))
		return
	case *[]byte:
		*x = []byte(text(string(*x)))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			poison(v.Field(i), text)
		}
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		poison(v.Elem(), text)
	case reflect.Slice:
		if v.IsNil() {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		}
		for i := range v.Len() {
			poison(v.Index(i), text)
		}
	case reflect.String:
		v.SetString(text(v.String()))
	}
}

// poisoned returns a flow with the token in every text that it can have.
func poisoned(kind flow.Kind) *flow.Flow {
	f := new(flow.Flow)
	poison(reflect.ValueOf(f).Elem(), func(string) string { return "some " + token + " here" })
	f.Kind = kind
	f.Times = flow.NoTimes(flowtest.Epoch)
	f.Frames[0].Size, f.Frames[0].Truncated = 64, true
	f.Request.URL = "https://me@" + token + ".a.example/" + token + "?q=" + token
	f.Server.Asked, f.Server.SNI, f.Server.Host = token+".a.example:443", token+".a.example", token+".a.example"
	return f
}

// Every text of a flow is masked, and read back for what is left of it.
func TestMaskReachesEverything(t *testing.T) {
	for _, kind := range []flow.Kind{flow.HTTP, flow.WebSocket, flow.Tunnel, flow.DNS, flow.UDP, flow.Contact} {
		f, want := poisoned(kind), poisoned(kind)
		poison(reflect.ValueOf(want).Elem(), maskToken)
		bare := func(s *string) { *s = strings.ReplaceAll(*s, flow.Redacted, "redacted") }
		for _, name := range []*string{
			&want.Server.Asked, &want.Server.SNI, &want.Server.Host, &want.Server.Resolved, &want.Client.Hello.ServerName,
			&want.DNS.Name, &want.DNS.Answers[0].Name,
		} {
			bare(name)
		}
		want.Request.URL = "https://me@redacted.a.example/" + flow.Redacted + "?q=" + flow.Redacted
		want.Request.Body.Digest, want.Response.Body.Digest = "", "" // a digest would let a short value be guessed
		out := write(t, []*flow.Flow{f}, har.WriterOptions{Reveal: true, Mask: maskToken})
		for _, shown := range []string{"t0ken", "dDBrZW4", "Qwa2VuL", "0MGtlbi"} { // base64 at each of three places
			if bytes.Contains(out, []byte(shown)) {
				t.Errorf("%s: %s shows in\n%s", kind, shown, out)
			}
		}
		flows, _, err := read(t, out)
		if err != nil {
			t.Fatal(err)
		}
		if d := diff([]*flow.Flow{want}, flows); d != "" {
			t.Errorf("%s: what is left differs (-want +read):\n%s", kind, d)
		}
		if f := flows[0]; f.Host() != "redacted.a.example" || f.Names().URL != f.Host() || f.Names().SNI != f.Host() || f.Port() != "443" {
			t.Errorf("%s: the host is now %q, %+v", kind, f.Host(), f.Names())
		}
	}
}

// Contents are masked as they are written: text, base64, without their coding.
func TestMaskReachesContents(t *testing.T) {
	f := secretive()
	packed := gzipped(t, []byte("have "+token))
	f.Response.Header = append(f.Response.Header, flow.NewField("Content-Encoding", "gzip"))
	f.Response.Body = flow.Body{Size: int64(len(packed)), Content: packed, Digest: "bb"}
	ws := flowtest.WebSocket("wss://a.example/"+token, []flow.Frame{
		flowtest.Text(true, 0, token), {Opcode: 2, Size: 11, Data: []byte("\xff" + token)},
	})
	out := string(write(t, []*flow.Flow{f, ws}, har.WriterOptions{Reveal: true, Mask: maskToken}))
	if strings.Contains(out, "t0ken") || strings.Contains(out, "dDBrZW4") || strings.Contains(out, `"digest"`) {
		t.Errorf("the value, or a digest of it, shows in\n%s", out)
	}
	flows, _, err := read(t, []byte(out))
	if err != nil || len(flows) != 2 || string(flows[0].Response.Body.Content) != "have "+flow.Redacted || string(flows[1].Frames[1].Data) != "\xff"+flow.Redacted {
		t.Errorf("%d flows, error %v", len(flows), err)
	}
}

// A value that takes a URL's scheme or host away leaves a flow that can be read and
// has its server; the flow that was masked stays as it was.
func TestMaskedURLs(t *testing.T) {
	for _, secret := range []string{"https://a.example/private", "://a.example", "https", "a.example/private", "a.example"} {
		f := flowtest.Get("https://a.example/private", flowtest.Header("Authorization", "s3cret"))
		before := *f.Request
		mask := func(s string) string { return strings.ReplaceAll(s, secret, flow.Redacted) }
		out := write(t, []*flow.Flow{f}, har.WriterOptions{Mask: mask})
		flows, _, err := read(t, out)
		if err != nil || len(flows) != 1 || bytes.Contains(out, []byte(`"`+secret)) {
			t.Fatalf("%s: %d flows, error %v, file\n%s", secret, len(flows), err, out)
		}
		want := "a.example"
		if secret == want {
			want = "redacted"
		}
		if got := flows[0]; got.Host() != want || got.Port() != "443" {
			t.Errorf("%s: host %q, port %q", secret, got.Host(), got.Port())
		}
		if f.Request.URL != before.URL || f.Server.Asked != "a.example:443" {
			t.Errorf("%s: the flow was changed: %+v", secret, f)
		}
	}
}

// A credential stays hidden where its field's name is masked.
func TestMaskedNamesHideCredentials(t *testing.T) {
	mask := func(s string) string { return strings.ReplaceAll(s, "Authorization", flow.Redacted) }
	out := write(t, []*flow.Flow{secretive()}, har.WriterOptions{Mask: mask})
	if bytes.Contains(out, []byte("s3cret")) {
		t.Errorf("a credential shows in\n%s", out)
	}
}

func TestContentIsLoaded(t *testing.T) {
	f := flowtest.Get("https://a.example/")
	f.Response.Body = flow.Body{Size: 5, Digest: "d1"}
	load := func(b flow.Body) ([]byte, error) {
		if b.Digest != "d1" {
			return nil, errors.New("no such body")
		}
		return []byte("hello"), nil
	}
	if out := write(t, []*flow.Flow{f}, har.WriterOptions{Content: load}); !bytes.Contains(out, []byte(`"text":"hello"`)) {
		t.Errorf("no content in\n%s", out)
	}

	// A body that cannot be loaded costs its flow, not the file.
	var out bytes.Buffer
	w := har.NewWriter(&out, har.WriterOptions{Name: "telltale", Content: load})
	f.Response.Body.Digest = "d2"
	if err := w.Write(f); err == nil || !strings.Contains(err.Error(), "no such body") {
		t.Errorf("error %v", err)
	}
	if err := errors.Join(w.Write(flowtest.Get("https://b.example/")), w.Close()); err != nil {
		t.Fatal(err)
	}
	if flows, _, err := read(t, out.Bytes()); err != nil || len(flows) != 1 || flows[0].Host() != "b.example" {
		t.Errorf("%d flows, error %v", len(flows), err)
	}
}

func TestFileWithoutFlows(t *testing.T) {
	out := write(t, nil, har.WriterOptions{Name: "telltale", Version: "1.0", Comment: "nothing"})
	want := "{\"log\":{\"version\":\"1.2\",\"creator\":{\"name\":\"telltale\",\"version\":\"1.0\"},\"pages\":[],\"comment\":\"nothing\",\"entries\":[\n]}}\n"
	if string(out) != want {
		t.Errorf("got  %q\nwant %q", out, want)
	}
	if flows, info, err := read(t, out); err != nil || len(flows) != 0 || info.Entries != 0 {
		t.Errorf("%d flows, %+v, error %v", len(flows), info, err)
	}
}

func TestOutputIsDeterministic(t *testing.T) {
	if a, b := write(t, many(), har.WriterOptions{}), write(t, many(), har.WriterOptions{}); !bytes.Equal(a, b) {
		t.Error("two runs differ")
	}
}

// smallDisk takes so many bytes and no more.
type smallDisk struct{ left int }

var errFull = errors.New("no space left on device")

func (w *smallDisk) Write(p []byte) (int, error) {
	if len(p) > w.left {
		return 0, errFull
	}
	w.left -= len(p)
	return len(p), nil
}

func TestFullDiskIsReported(t *testing.T) {
	for _, room := range []int{0, 70_000, 200_000} {
		w := har.NewWriter(&smallDisk{room}, har.WriterOptions{})
		var err error
		for i := 0; i < 1000 && err == nil; i++ {
			err = w.Write(flowtest.Get("https://a.example/", flowtest.ResponseBody("text/plain", strings.Repeat("x", 1000))))
		}
		if !errors.Is(err, errFull) || !errors.Is(w.Close(), errFull) {
			t.Errorf("room %d: error %v, then %v", room, err, w.Close())
		}
	}
	w := har.NewWriter(&smallDisk{10}, har.WriterOptions{})
	if err := w.Close(); !errors.Is(err, errFull) {
		t.Errorf("Close of a file that does not fit: %v", err)
	}
}

func TestWriteAfterClose(t *testing.T) {
	w := har.NewWriter(&bytes.Buffer{}, har.WriterOptions{})
	if err := errors.Join(w.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(flowtest.Get("https://a.example/")); err == nil {
		t.Error("a closed file took a flow")
	}
}
