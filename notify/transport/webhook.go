package transport

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"telltale/notify"
	"telltale/policy"
)

// Headers of a request to a webhook.
const (
	headerMessage   = "X-Telltale-Message"
	headerSignature = "X-Telltale-Signature"
	// headerKey is in lower case on purpose: names of headers are the same in any case
	// (RFC 9110, section 5.1), but under its usual name net/http would take the key as
	// leave to send the request a second time by itself.
	// https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
	headerKey = "idempotency-key"
)

// sendHook posts a message to a chat room or a program.
func (c *Client) sendHook(ctx context.Context, t Target, m notify.Message) Outcome {
	payload, err := notify.Render(t.kind, m)
	if err != nil {
		return Outcome{Status: Rejected, Reason: "the message cannot be written: " + err.Error()}
	}
	id := headerValue(m.ID)
	header := http.Header{headerKey: {id}}
	header.Set(headerMessage, id)
	if t.kind == policy.Webhook && t.key != "" {
		header.Set(headerSignature, Sign([]byte(t.key), c.options.Now(), payload.JSON))
	}
	a, err := c.do(ctx, t, exchange{method: http.MethodPost, url: t.address.String(), header: header, body: payload.JSON})
	if err != nil {
		return failed(err)
	}
	if o := c.verdict(t, a); o.Status != Delivered {
		return o
	}
	return c.accepted(t, a)
}

// Sign returns the header X-Telltale-Signature for a body that is sent now:
// t=SECONDS,v1=HEX, the HMAC-SHA256 (RFC 2104) of SECONDS.BODY. A receiver computes the
// same over the body as it came, byte for byte, compares in constant time, and refuses what
// is older than five minutes, so that a request that was overheard cannot be used later. It
// is the scheme of https://docs.stripe.com/webhooks#verify-manually.
func Sign(key []byte, now time.Time, body []byte) string {
	seconds := strconv.FormatInt(now.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(seconds + "."))
	mac.Write(body)
	return "t=" + seconds + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// headerValue returns an ID that can stand in a header: itself, or its hash where it has
// anything in it that an ID of ours has not.
func headerValue(id string) string {
	for _, r := range id {
		if r <= ' ' || r > '~' || strings.ContainsRune(`<>@"(),:;\[]`, r) {
			return hashed(id)
		}
	}
	if id == "" || len(id) > 128 {
		return hashed(id)
	}
	return id
}

func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// teamsFailure finds the status of Teams behind a connector, which answers 200 whatever
// became of the message.
// https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using#rate-limiting-for-connectors
var teamsFailure = regexp.MustCompile(`(?i)returned HTTP error (\d{3})`)

// accepted judges an answer of success by its content: some services tell of failures
// there, and networks with a sign-in page answer for anybody.
func (c *Client) accepted(t Target, a answer) Outcome {
	if t.kind == policy.Webhook {
		return Outcome{Status: Delivered}
	}
	if a.webPage() {
		return Outcome{Status: Again, Reason: "a web page answered instead of the service: does this network have a sign-in page?"}
	}
	if t.kind == policy.Teams {
		if found := teamsFailure.FindSubmatch(a.body); found != nil {
			a.status, _ = strconv.Atoi(string(found[1]))
			return c.verdict(t, a)
		}
	}
	var said struct {
		OK    *bool  `json:"ok"`
		Error string `json:"error"`
	}
	if t.kind == policy.Slack && bytes.HasPrefix(bytes.TrimSpace(a.body), []byte("{")) &&
		json.Unmarshal(a.body, &said) == nil && said.OK != nil && !*said.OK {
		return Outcome{Status: Rejected, Reason: fmt.Sprintf("Slack refused the message: %s", said.Error)}
	}
	return Outcome{Status: Delivered}
}
