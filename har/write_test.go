package har_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"strings"
	"testing"

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
		flowtest.Failure(flow.FailureReset, "while sending t0ken-0123"), flowtest.Altered("removed t0ken-0123"))
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

func TestMaskReachesEverything(t *testing.T) {
	mask := func(s string) string { return strings.ReplaceAll(s, "t0ken-0123", flow.Redacted) }
	f := secretive()
	f.Phase = "as t0ken-0123"
	f.Request.Body.Digest, f.Response.Body.Digest = "aa", "bb"
	f.Request.Trailer = []flow.Field{flow.NewField("X-Sum", "t0ken-0123")}
	ws := flowtest.WebSocket("wss://a.example/t0ken-0123", []flow.Frame{
		flowtest.Text(true, 0, "t0ken-0123"), {Opcode: 2, Size: 11, Data: []byte("\xfft0ken-0123")},
	})
	failed := flowtest.Refused("a.example")
	failed.Error = "t0ken-0123"
	out := string(write(t, []*flow.Flow{f, ws, failed}, har.WriterOptions{Reveal: true, Mask: mask}))
	if strings.Contains(out, "t0ken") || strings.Contains(out, "dDBrZW4") {
		t.Errorf("the value shows in\n%s", out)
	}
	if strings.Contains(out, `"digest"`) {
		t.Errorf("a digest of the unmasked content shows in\n%s", out)
	}
	flows, _, err := read(t, []byte(out))
	if err != nil || len(flows) != 3 || string(flows[1].Frames[1].Data) != "\xff"+flow.Redacted {
		t.Errorf("%d flows, error %v", len(flows), err)
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
