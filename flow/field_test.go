package flow_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"telltale/flow"
)

const secret = "s3cr3t-value"

func TestCredentialsMaskThemselves(t *testing.T) {
	for _, name := range []string{"Authorization", "COOKIE", "set-cookie", "Proxy-Authorization", "cookie "} {
		t.Run(name, func(t *testing.T) {
			f := flow.NewField(name, secret)
			if f.Value() != flow.Redacted || f.Reveal() != secret {
				t.Errorf("Value() = %q, Reveal() = %q", f.Value(), f.Reveal())
			}
			if got := flow.Get([]flow.Field{f}, strings.TrimSpace(name)); got == secret {
				t.Error("Get shows the secret")
			}
		})
	}
}

// Whatever prints a flow by accident must not print a credential. (%p asks no
// method of the value; go vet rejects it for anything but a pointer.)
func TestNoVerbOrEncoderShowsACredential(t *testing.T) {
	field := flow.NewField("Authorization", secret)
	f := &flow.Flow{Request: &flow.Request{Header: []flow.Field{field}}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%30v"} {
		fmt.Fprintf(&out, verb+"\n", field)
		fmt.Fprintf(&out, verb+"\n", f.Request)
		fmt.Fprintf(&out, verb+"\n", *f.Request)
		fmt.Fprintf(&out, verb+"\n", f.Request.Header)
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("flow", "field", field, "request", f.Request)
	}
	if err := json.NewEncoder(&out).Encode(f); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Contains(text, secret) || strings.Contains(strings.ToLower(text), fmt.Sprintf("%x", secret)) {
		t.Errorf("the secret shows in:\n%s", text)
	}
	if !strings.Contains(out.String(), "Authorization: "+flow.Redacted) {
		t.Errorf("the masked line is missing in:\n%s", out.String())
	}
}

func TestOrdinaryFieldsShow(t *testing.T) {
	f := flow.NewField("Accept", "*/*")
	if f.Value() != "*/*" || fmt.Sprint(f) != "Accept: */*" || fmt.Sprintf("%#v", f) != `flow.Field{"Accept: */*"}` {
		t.Errorf("got %q, %q, %#v", f.Value(), fmt.Sprint(f), f)
	}
	fields := []flow.Field{flow.NewField("ACCEPT", "a"), flow.NewField("accept", "b")}
	if flow.Get(fields, "Accept") != "a" || flow.Get(fields, "Other") != "" {
		t.Error("Get does not return the first value")
	}
}
