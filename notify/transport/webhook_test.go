package transport

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"telltale/policy"
)

// genuine is what a receiver does to know a request as ours.
func genuine(key []byte, header string, body []byte, now time.Time) error {
	var seconds, mac string
	for _, field := range strings.Split(header, ",") {
		switch name, value, _ := strings.Cut(field, "="); name {
		case "t":
			seconds = value
		case "v1":
			mac = value
		}
	}
	sent, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return err
	}
	if age := now.Sub(time.Unix(sent, 0)).Abs(); age > 5*time.Minute {
		return fmt.Errorf("it is %v old", age)
	}
	sum := hmac.New(sha256.New, key)
	fmt.Fprintf(sum, "%s.%s", seconds, body)
	if want := hex.EncodeToString(sum.Sum(nil)); !hmac.Equal([]byte(want), []byte(mac)) {
		return fmt.Errorf("it is not of this key")
	}
	return nil
}

func TestSignature(t *testing.T) {
	t.Parallel()
	r := script(t, say(200, ""))
	c, target := newClient(t, patient), hook(t, policy.Webhook, r.url)
	m := violation("m-1")
	expect(t, send(t, c, target, m), Delivered, "")
	request, body := r.requests[0], r.bodies["m-1"]
	header := request.Header.Get("X-Telltale-Signature")
	now := time.Now()
	if err := genuine([]byte(keySecret), header, body, now); err != nil {
		t.Error(err)
	}
	if genuine([]byte("another"), header, body, now) == nil || genuine([]byte(keySecret), header, append([]byte(" "), body...), now) == nil ||
		genuine([]byte(keySecret), header, body, now.Add(6*time.Minute)) == nil {
		t.Error("a signature holds for what was not signed, or for ever")
	}
	if request.Header.Get("X-Telltale-Message") != "m-1" || request.Header.Get("Content-Type") != "application/json" || request.UserAgent() != "telltale" || request.Method != http.MethodPost {
		t.Errorf("%v", request.Header)
	}
}

// The example of RFC 4231 cannot hold, since the time is signed with the body; this one was
// computed with openssl dgst -sha256 -hmac.
func TestSignatureIsWhatIsDocumented(t *testing.T) {
	t.Parallel()
	got := Sign([]byte("secret"), time.Unix(1700000000, 0), []byte(`{"a":1}`))
	if want := "t=1700000000,v1=49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestOnlyWebhooksOfOursAreSigned(t *testing.T) {
	t.Parallel()
	r := script(t, say(200, "ok"))
	expect(t, send(t, newClient(t, patient), hook(t, policy.Slack, r.url), violation("m1")), Delivered, "")
	if r.requests[0].Header.Get("X-Telltale-Signature") != "" {
		t.Error("Slack gets a signature")
	}
}

func TestHeadersTakeNoInjection(t *testing.T) {
	t.Parallel()
	r := script(t, say(200, "ok"))
	c, target := newClient(t, patient), hook(t, policy.Webhook, r.url)
	for _, id := range []string{"a\r\nX-Evil: 1", "a\nb", "", "ü", "a b", "-->", strings.Repeat("x", 5000), "a\x00"} {
		first, second := send(t, c, target, violation(id)), send(t, c, target, violation(id))
		expect(t, first, Delivered, "")
		expect(t, second, Delivered, "")
	}
	keys := map[string]int{}
	for _, request := range r.requests {
		if request.Header.Get("X-Evil") != "" {
			t.Error("a header was injected")
		}
		keys[request.Header.Get("Idempotency-Key")]++
	}
	for key, n := range keys {
		if n != 2 || len(key) != 64 {
			t.Errorf("the key %q was used %d times", key, n)
		}
	}
}
