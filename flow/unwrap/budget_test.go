package unwrap_test

import (
	"encoding/base64"
	"strings"
	"sync"
	"testing"

	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/flow/unwrap"
)

// bomb returns base64 of what becomes more than MaxDecoded.
var bomb = sync.OnceValue(func() string {
	return base64.StdEncoding.EncodeToString([]byte(compressed(strings.Repeat("a ", unwrap.MaxDecoded/2+1))))
})

// reaches reports whether both walks come to a text.
func reaches(t *testing.T, f *flow.Flow, want string) bool {
	t.Helper()
	inValues, inTexts := false, false
	unwrap.Values(f, func(v *unwrap.Value) bool { inValues = string(v.Text) == want; return !inValues })
	unwrap.Texts(f, func(text []byte) bool { inTexts = strings.Contains(string(text), want); return !inTexts })
	if inValues != inTexts {
		t.Errorf("Values has it: %v, Texts: %v", inValues, inTexts)
	}
	return inValues
}

// What stands in the head, whatever it becomes, does not hide the content.
func TestHeadDoesNotHideContent(t *testing.T) {
	field := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(compressed(s))) }
	bytes := bomb()
	values := field("[" + strings.Repeat("1,", 500<<10) + "1]")
	for name, pads := range map[string][]string{
		"one large": {bytes}, "many large": {bytes + "a", bytes + "b", bytes + "c", bytes + "d", bytes + "e", bytes + "f", bytes + "g", bytes + "h", bytes + "i", bytes + "j"},
		"many values": {values, values + "a", values + "b"},
	} {
		f := flowtest.Post("https://a.example/", compressed(`{"mail":"`+field(secret)+`"}`), flowtest.Header("Content-Encoding", "gzip"))
		for _, pad := range pads {
			f.Request.Header = append(f.Request.Header, flow.NewField("X-Pad", pad))
		}
		if !reaches(t, f, secret) {
			t.Errorf("%s: the body is hidden", name)
		}
	}
}

// What one message holds does not keep the next one closed.
func TestMessagesDoNotHideOthers(t *testing.T) {
	body := framed(1, compressed(message(bomb()))) + framed(1, compressed(message(secret)))
	f := posted("application/grpc", body, "Grpc-Encoding", "gzip")
	if !reaches(t, f, secret) {
		t.Error("the second message is hidden")
	}
}

// One compressed text of the head becomes no more than its bound.
func TestHeadPiecesAreBounded(t *testing.T) {
	longest := 0
	unwrap.Texts(flowtest.Get("https://a.example/?x="+bomb()), func(text []byte) bool { longest = max(longest, len(text)); return true })
	if longest != unwrap.MaxHeadPiece {
		t.Errorf("a text of %d bytes", longest)
	}
}
