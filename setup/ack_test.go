package setup

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
)

var errExpired = errors.New("the token has expired")

// acknowledger is the other side of the page.
type acknowledger struct {
	of      Acknowledgeable
	missing error
	broken  error
	taken   []string
	refused []string
}

func (a *acknowledger) handler() *acknowledgement {
	return NewAcknowledgement(Acknowledgements{
		Check: func(token string) (string, error) {
			if token != "good" {
				return "", errExpired
			}
			return "audit/violation", nil
		},
		Describe: func(string) (Acknowledgeable, error) { return a.of, a.missing },
		Acknowledge: func(subject string) error {
			a.taken = append(a.taken, subject)
			return a.broken
		},
		Refused: func(address string, err error) { a.refused = append(a.refused, address+" "+err.Error()) },
	}).(*acknowledgement)
}

var seen = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

func someViolation() Acknowledgeable {
	return Acknowledgeable{Title: "A tracker was contacted", Rule: "tracker", Host: "t.example.com", Policy: "lab", Count: 12, First: seen, Last: seen.Add(time.Hour)}
}

// send sends a request, with a form where it is a POST, and headers "Name: value".
func send(h http.Handler, method, target, token string, headers ...string) *httptest.ResponseRecorder {
	form := strings.NewReader(url.Values{"token": {token}}.Encode())
	r := httptest.NewRequest(method, target, form)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestAcknowledgementIsShownFirst(t *testing.T) {
	t.Parallel()
	a := &acknowledger{of: someViolation()}
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		w := send(a.handler(), method, AcknowledgePath+"?token=good", "good")
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d", method, w.Code)
		}
		for _, want := range []string{"A tracker was contacted", "tracker", "t.example.com", "12 times, 2026-11-21 09:30 UTC to 2026-11-21 10:30 UTC", "lab", `value="good"`, `method="post"`, "noindex"} {
			if !strings.Contains(w.Body.String(), want) {
				t.Errorf("the page lacks %q", want)
			}
		}
		for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow", "X-Frame-Options": "DENY"} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s is %q; want %q", name, got, want)
			}
		}
		if csp := w.Header().Get("Content-Security-Policy"); strings.Contains(csp, "script-src") || !strings.Contains(csp, "default-src 'none'") {
			t.Errorf("policy of the page: %s", csp)
		}
	}
	if len(a.taken) != 0 {
		t.Errorf("looking acknowledged %v", a.taken)
	}
}

func TestAcknowledge(t *testing.T) {
	t.Parallel()
	a := &acknowledger{of: someViolation()}
	for _, headers := range [][]string{
		{}, {"Origin: null"}, {"Origin: http://example.com"}, {"Sec-Fetch-Site: same-origin", "Origin: null"},
	} {
		a.taken = nil
		w := send(a.handler(), http.MethodPost, AcknowledgePath, "good", headers...)
		if w.Code != http.StatusOK || len(a.taken) != 1 || a.taken[0] != "audit/violation" || !strings.Contains(w.Body.String(), "<h1>Acknowledged</h1>") {
			t.Errorf("%v: %d, took %v", headers, w.Code, a.taken)
		}
	}
}

func TestAcknowledgedAlready(t *testing.T) {
	t.Parallel()
	a := &acknowledger{of: someViolation()}
	a.of.Count, a.of.Acknowledged, a.of.By = 1, seen, "screen"
	w := send(a.handler(), http.MethodGet, AcknowledgePath+"?token=good", "")
	if body := w.Body.String(); !strings.Contains(body, "Already acknowledged") || !strings.Contains(body, "by screen") || !strings.Contains(body, "once, ") || strings.Contains(body, "<form") {
		t.Errorf("got %s", body)
	}
}

func TestAcknowledgementsThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method, target, token string
		headers               []string
		change                func(*acknowledger)
		status                int
		says                  string
	}{
		"no token":             {"GET", AcknowledgePath, "", nil, nil, 403, "The token has expired."},
		"bad token":            {"GET", AcknowledgePath + "?token=bad", "", nil, nil, 403, "This link does not work"},
		"bad token, sent":      {"POST", AcknowledgePath, "bad", nil, nil, 403, "Nothing was acknowledged"},
		"token in query alone": {"POST", AcknowledgePath + "?token=good", "", nil, nil, 403, "This link does not work"},
		"another site":         {"POST", AcknowledgePath, "good", []string{"Sec-Fetch-Site: cross-site"}, nil, 403, "Another site"},
		"a neighbour":          {"POST", AcknowledgePath, "good", []string{"Sec-Fetch-Site: same-site"}, nil, 403, "Another site"},
		"another origin":       {"POST", AcknowledgePath, "good", []string{"Origin: https://evil.example"}, nil, 403, "Another site"},
		"an odd origin":        {"POST", AcknowledgePath, "good", []string{"Origin: http://%zz"}, nil, 403, "Another site"},
		"a huge form":          {"POST", AcknowledgePath, strings.Repeat("x", 1<<20), nil, nil, 400, "That was no form"},
		"a broken form":        {"POST", AcknowledgePath + "?%zz", "good", nil, nil, 400, "That was no form"},
		"other method":         {"PUT", AcknowledgePath, "good", nil, nil, 405, "its own form"},
		"other path":           {"GET", AcknowledgePath + "/x?token=good", "", nil, nil, 404, "Nothing is here"},
		"other audit":          {"GET", AcknowledgePath + "?token=good", "", nil, func(a *acknowledger) { a.missing = errors.New("that audit is over") }, 404, "That audit is over."},
	} {
		a := &acknowledger{of: someViolation()}
		if c.change != nil {
			c.change(a)
		}
		w := send(a.handler(), c.method, c.target, c.token, c.headers...)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) || len(a.taken) != 0 {
			t.Errorf("%s: %d, took %v; want %d and %q", name, w.Code, a.taken, c.status, c.says)
		}
		if told := len(a.refused) > 0; told != (c.status == 403 && !strings.Contains(c.says, "site")) {
			t.Errorf("%s: told of %v", name, a.refused)
		}
	}
}

func TestAcknowledgementThatCannotBeNoted(t *testing.T) {
	t.Parallel()
	a := &acknowledger{of: someViolation(), broken: errors.New("no space left on device")}
	w := send(a.handler(), http.MethodPost, AcknowledgePath, "good")
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "No space left on device.") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// What an app sent is shown, and does nothing.
func TestAcknowledgementIsHarmless(t *testing.T) {
	t.Parallel()
	a := &acknowledger{of: someViolation()}
	const hostile = "<script>alert(1)</script>\u202e\x1b[31m\"'&"
	a.of.Title, a.of.Host, a.of.Rule, a.of.Policy, a.of.By, a.missing = hostile, hostile, hostile, hostile, hostile, nil
	body := send(a.handler(), http.MethodGet, AcknowledgePath+"?token=good", "").Body.String()
	if strings.Contains(body, "<script") || strings.ContainsAny(body, "\u202e\x1b") {
		t.Errorf("got %s", body)
	}
}

func TestWrongLinksAreFew(t *testing.T) {
	t.Parallel()
	a := &acknowledger{of: someViolation()}
	h := a.handler()
	now := seen
	h.now = func() time.Time { return now }
	for range maxGuesses {
		if w := send(h, http.MethodGet, AcknowledgePath+"?token=bad", ""); w.Code != http.StatusForbidden {
			t.Fatalf("got %d", w.Code)
		}
	}
	if w := send(h, http.MethodGet, AcknowledgePath+"?token=good", ""); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
		t.Errorf("one more: %d", w.Code)
	}
	if len(a.refused) != maxGuesses {
		t.Errorf("told of %d", len(a.refused))
	}
	now = now.Add(time.Minute)
	if w := send(h, http.MethodGet, AcknowledgePath+"?token=good", ""); w.Code != http.StatusOK {
		t.Errorf("a minute later: %d", w.Code)
	}
	for range maxGuesses {
		send(h, http.MethodGet, AcknowledgePath+"?token=bad", "")
	}
	now = now.Add(-24 * time.Hour) // the clock was set
	if w := send(h, http.MethodGet, AcknowledgePath+"?token=good", ""); w.Code != http.StatusOK {
		t.Errorf("the day before: %d", w.Code)
	}
}

// Whoever has many addresses fills no memory, and is limited too.
func TestWrongLinksOfManyAddresses(t *testing.T) {
	t.Parallel()
	var g guesses
	address := func(i int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("fd00::%x", i+1)) }
	for i := range maxClients + maxGuesses {
		if !g.left(address(i), seen) {
			t.Fatalf("refused address %d", i)
		}
		g.wrong(address(i))
	}
	if g.left(address(1<<15), seen) || len(g.of) > maxClients+1 {
		t.Errorf("one more is let in; %d are known", len(g.of))
	}
	if !g.left(address(0), seen) {
		t.Error("the first is refused with the others")
	}
}

func TestWithAcknowledgement(t *testing.T) {
	t.Parallel()
	says := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) })
	}
	h := WithAcknowledgement(says("page"), says("acknowledgement"))
	for path, want := range map[string]string{"/": "page", "/acknowledge": "acknowledgement", "/acknowledge?token=x": "acknowledgement", "/acknowledged": "page"} {
		if got := send(h, http.MethodGet, path, "").Body.String(); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
}
