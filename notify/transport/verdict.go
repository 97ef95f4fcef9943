package transport

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"telltale/flow/plain"
)

// maxWait bounds how long a receiver can put us off.
const maxWait = time.Hour

// shown is how many columns of a receiver's own words an outcome has.
const shown = 200

// verdict says what an answer means for the message, by its status (RFC 9110, section 15;
// 425 is of RFC 8470, 429 of RFC 6585). What an answer below 300 says is for the caller to
// judge.
func (c *Client) verdict(t Target, a answer) Outcome {
	switch {
	case a.status >= 200 && a.status < 300:
		return Outcome{Status: Delivered}
	case a.status >= 300 && a.status < 400:
		return Outcome{Status: Rejected, Reason: fmt.Sprintf("the receiver redirects (%d), which is not followed", a.status)}
	case a.status == http.StatusRequestTimeout, a.status == http.StatusTooEarly, a.status == http.StatusTooManyRequests, a.status >= 500:
		return Outcome{Status: Again, After: c.patience(a), Reason: t.quote(a)}
	}
	return Outcome{Status: Rejected, Reason: t.quote(a)}
}

// quote says what the receiver answered.
func (t Target) quote(a answer) string {
	status := strings.TrimSpace(strconv.Itoa(a.status) + " " + http.StatusText(a.status))
	said := t.masks.clean(a.words())
	if said = plain.Name(said, shown); said == "" {
		return "the receiver answered " + status
	}
	if meaning, ok := slackWords[said]; ok {
		said += ", " + meaning
	}
	return "the receiver answered " + status + ": " + said
}

// patience returns how long the receiver asks to be left alone: Retry-After in seconds or
// as a date (RFC 9110, section 10.2.3), or retry_after in seconds in the answer's JSON, as
// Discord has it. What is neither counts as nothing said.
// https://docs.discord.com/developers/topics/rate-limits
func (c *Client) patience(a answer) time.Duration {
	asked := strings.TrimSpace(a.header.Get("Retry-After"))
	if seconds, err := strconv.ParseFloat(asked, 64); (err == nil || errors.Is(err, strconv.ErrRange)) && strings.Trim(asked, "0123456789.") == "" {
		return wait(seconds)
	}
	if at, err := http.ParseTime(asked); err == nil {
		return wait(at.Sub(c.options.Now()).Seconds())
	}
	var said struct {
		RetryAfter float64 `json:"retry_after"`
	}
	if json.Unmarshal(a.body, &said) != nil {
		return 0
	}
	return wait(said.RetryAfter)
}

// wait returns seconds as a duration between 0 and maxWait.
func wait(seconds float64) time.Duration {
	switch {
	case math.IsNaN(seconds), seconds <= 0:
		return 0
	case seconds >= maxWait.Seconds():
		return maxWait
	}
	return time.Duration(math.Round(seconds*1e3)) * time.Millisecond
}

// slackWords says what Slack's words for a refused message mean.
// https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors
var slackWords = map[string]string{ //nolint:gosec // these are what Slack says of a token, not tokens
	"no_service":                        "the webhook was removed or switched off: make a new one",
	"no_team":                           "the workspace is gone",
	"invalid_token":                     "the webhook is not valid: make a new one",
	"channel_not_found":                 "the webhook's channel is gone",
	"channel_is_archived":               "the webhook's channel is archived",
	"action_prohibited":                 "an administrator forbids the webhook to post there",
	"posting_to_general_channel_denied": "only administrators may post in that channel",
}
