package transport

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"telltale/policy"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	c := New(Options{Now: func() time.Time { return now }})
	date := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	for _, test := range []struct {
		header, body string
		want         time.Duration
	}{
		{"", "", 0},
		{"30", "", 30 * time.Second},
		{" 30 ", "", 30 * time.Second},
		{"1.5", "", 1500 * time.Millisecond},
		{"0", "", 0},
		{"-5", "", 0},
		{"3600", "", time.Hour},
		{"86400", "", time.Hour},
		{"99999999999999999999999999", "", time.Hour},
		{strings.Repeat("9", 400), "", time.Hour},
		{"Inf", "", 0},
		{"NaN", "", 0},
		{"0x10", "", 0},
		{"1e3", "", 0},
		{"soon", "", 0},
		{"30 seconds", "", 0},
		{date(90 * time.Second), "", 90 * time.Second},
		{date(-time.Hour), "", 0},
		{date(48 * time.Hour), "", time.Hour},
		{now.Add(time.Minute).Format(time.RFC850), "", time.Minute},
		{"Sat, 99 Nov 2026 12:00:00 GMT", "", 0},
		{"", `{"message": "You are being rate limited.", "retry_after": 64.57, "global": false}`, 64570 * time.Millisecond},
		{"65", `{"retry_after": 1}`, 65 * time.Second},
		{"", `{"retry_after": -1}`, 0},
		{"", `{"retry_after": 1e300}`, time.Hour},
		{"", `{"retry_after": "soon"}`, 0},
	} {
		a := answer{status: 429, header: http.Header{}, body: []byte(test.body)}
		a.header.Set("Retry-After", test.header)
		if got := c.verdict(Target{}, a); got.After != test.want || got.Status != Again {
			t.Errorf("Retry-After %q, body %q: %v after %v, want %v", test.header, test.body, got.Status, got.After, test.want)
		}
	}
}

// Whatever an answer says, what is told of it is one short line without secrets.
func FuzzAnswer(f *testing.F) {
	f.Add(429, "30", "application/json", `{"message":"x","retry_after":1}`)
	f.Add(404, "", "text/plain", echo)
	f.Add(404, "", "text/plain", "x8Ksecret\u200bPart24Chars\x1b[2J")
	f.Add(500, "Sat, 21 Nov 2026 12:00:00 GMT", "text/html", "<!doctype html>")
	f.Add(403, "", "", `{"error":{"message":["`+keySecret+`"]}}`)
	target, err := Resolve(policy.Destination{Name: "lab", Kind: policy.Slack, URL: policy.NewCredential("https://hooks.example/services/" + hookSecret), Sign: policy.NewCredential(keySecret)}, policy.Sources{})
	if err != nil {
		f.Fatal(err)
	}
	c := New(Options{})
	f.Fuzz(func(t *testing.T, status int, after, kind, body string) {
		a := answer{status: status, header: http.Header{"Retry-After": {after}, "Content-Type": {kind}}, body: []byte(body)}
		for _, o := range []Outcome{c.verdict(target, a), c.accepted(target, a)} {
			o.Reason = target.masks.clean(o.Reason)
			if o.After < 0 || o.After > maxWait || len([]rune(o.Reason)) > longest || strings.ContainsAny(o.Reason, "\n\r\x1b\x00") {
				t.Errorf("%+v", o)
			}
			for _, secret := range []string{keySecret, "x8KsecretPart24Chars", "Tq7SECRETpath"} {
				if strings.Contains(strings.ToLower(o.Reason), strings.ToLower(secret)) {
					t.Errorf("%q shows a secret", o.Reason)
				}
			}
		}
	})
}
