package transport

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"

	"go.uber.org/goleak"

	"telltale/event"
	"telltale/notify"
	"telltale/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Secrets of the destinations in tests. None of them may be in anything that comes out.
const (
	hookSecret     = "Tq7SECRETpath/B9wSECRETpath/x8KsecretPart24Chars"
	tokenSecret    = "ghp_SECRETtokenSECRETtoken0123456789"
	passwordSecret = "pass word&SECRET-0123456789"
	keySecret      = "signing-key-SECRET-0123456789"
)

// secretPieces are what to look for: each is a part that nobody would say by chance.
var secretPieces = []string{"SECRET", "secretPart", "x8Ks", "Tq7", "B9w", "c2lnbmluZy1rZXkt", "Z2hwX1NFQ1JFVH", "cGFzcyB3b3Jk"}

// noSecret fails the test when a text, or the value printed any way, has a secret in it.
func noSecret(t *testing.T, value any) {
	t.Helper()
	document, _ := json.Marshal(value)
	for _, text := range []string{fmt.Sprint(value), fmt.Sprintf("%+v", value), fmt.Sprintf("%#v", value), fmt.Sprintf("%q", value), string(document)} {
		for _, piece := range secretPieces {
			if strings.Contains(strings.ToLower(text), strings.ToLower(piece)) {
				t.Errorf("%q is shown in %s", piece, text)
			}
		}
	}
}

// violation returns a message of one violation.
func violation(id string) notify.Message {
	at := time.Date(2026, 11, 21, 23, 1, 12, 0, time.UTC)
	return notify.Message{
		ID: id, Kind: event.OfViolation, Severity: "error", Title: "clients3.google.com was contacted", Audit: "a1",
		First: at, Last: at.Add(time.Minute),
		Items: []notify.Item{{ID: "fp-1", Rule: "tracker", Severity: "error", Host: "clients3.google.com", Count: 3, First: at, Last: at.Add(time.Minute)}},
	}
}

// Timeouts of clients in tests: of those that are to get an answer, on a machine that is
// busy, and of those that wait for one in vain.
const (
	patient   = 20 * time.Second
	impatient = 500 * time.Millisecond
)

func direct(*http.Request) (*url.URL, error) { return nil, nil }

func newClient(t *testing.T, timeout time.Duration) *Client {
	t.Helper()
	c := New(Options{Timeout: timeout, Proxy: direct})
	t.Cleanup(c.Close)
	return c
}

// hook returns a target of a webhook below base, with a secret in its address.
func hook(t *testing.T, kind policy.DestinationKind, base string) Target {
	t.Helper()
	return resolved(t, policy.Destination{Name: "lab", Kind: kind, URL: policy.NewCredential(base + "/services/" + hookSecret), Sign: policy.NewCredential(keySecret)})
}

func resolved(t *testing.T, d policy.Destination) Target {
	t.Helper()
	target, err := Resolve(d, policy.Sources{ReadFile: os.ReadFile})
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// send makes one attempt, and looks whether its outcome is fit to be shown.
func send(t *testing.T, c *Client, target Target, m notify.Message) Outcome {
	t.Helper()
	began := time.Now()
	o := c.Send(t.Context(), target, m)
	if took := time.Since(began); took > c.Longest(target)+10*time.Second {
		t.Errorf("the attempt took %v, more than %v", took, c.Longest(target))
	}
	fit(t, o)
	return o
}

func fit(t *testing.T, o Outcome) {
	t.Helper()
	noSecret(t, o)
	if strings.Contains(o.Reason, "://") || strings.ContainsFunc(o.Reason+o.Ref, unicode.IsControl) || len(o.Reason) > 3*longest {
		t.Errorf("reason %q is not fit to be shown", o.Reason)
	}
	if o.Status != Delivered && o.Reason == "" {
		t.Errorf("no reason is given for %v", o.Status)
	}
	if o.After < 0 || o.After > maxWait {
		t.Errorf("after %v", o.After)
	}
}

// eventually tries again as long as the outcome says so, and returns the last one and the
// number of attempts.
func eventually(t *testing.T, c *Client, target Target, m notify.Message) (Outcome, int) {
	t.Helper()
	for attempt := 1; ; attempt++ {
		o := send(t, c, target, m)
		if o.Status != Again {
			return o, attempt
		}
		if attempt == 100 {
			t.Fatalf("not delivered in %d attempts: %+v", attempt, o)
		}
	}
}

func expect(t *testing.T, o Outcome, status Status, reason string) {
	t.Helper()
	if o.Status != status || !strings.Contains(o.Reason, reason) {
		t.Errorf("got %v %q, want %v %q", o.Status, o.Reason, status, reason)
	}
}

func TestStoppedSendIsTriedAgain(t *testing.T) {
	t.Parallel()
	server := script(t, hang)
	ctx, cancel := context.WithCancel(t.Context())
	c := newClient(t, time.Minute)
	ended := make(chan Outcome, 1)
	go func() { ended <- c.Send(ctx, hook(t, policy.Webhook, server.url), violation("m1")) }()
	<-server.got
	cancel()
	expect(t, <-ended, Again, "stopped")
}

func TestDestinationOfNoKindIsRejected(t *testing.T) {
	t.Parallel()
	expect(t, send(t, newClient(t, patient), Target{}, violation("m1")), Rejected, "no way to tell")
}
