package transport

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"telltale/notify"
	"telltale/policy"
)

func again(id string, count int) notify.Message {
	m := violation(id)
	m.Items[0].Count = count
	return m
}

func TestOneIssueForOneViolation(t *testing.T) {
	both(t, func(t *testing.T, s *standin) {
		c := newClient(t, patient)
		m := violation("m1")
		m.Report = "# The whole audit"
		o := send(t, c, s.target, m)
		expect(t, o, Delivered, "")
		if o.Ref != "#1" || len(s.issues) != 1 {
			t.Fatalf("%+v, %d issues", o, len(s.issues))
		}
		made := s.issues[0]
		if !strings.Contains(made.body, "<!-- telltale:fp-1 -->") || !strings.Contains(made.body, "<!-- telltale-message:m1 -->") || !strings.Contains(made.body, "The whole audit") {
			t.Errorf("the issue is %s", made.body)
		}
		if fmt.Sprint(made.labels) != "[telltale privacy]" {
			t.Errorf("labels %v", made.labels)
		}
		// The next message, from another process: a comment with the new count.
		later := again("m2", 1234)
		later.Report = "# The whole audit"
		o = send(t, newClient(t, patient), s.target, later)
		expect(t, o, Delivered, "")
		if len(s.issues) != 1 || len(made.comments) != 1 || o.Ref != "#1" {
			t.Fatalf("%d issues, %d comments, %+v", len(s.issues), len(made.comments), o)
		}
		if text := made.comments[0]; !strings.Contains(text, "1234") && !strings.Contains(text, "1,234") || strings.Contains(text, "The whole audit") || !strings.Contains(text, "<!-- telltale-message:m2 -->") {
			t.Errorf("the comment is %s", text)
		}
		// Another violation has another issue.
		other := violation("m3")
		other.Items[0].ID = "fp-2"
		if o := send(t, c, s.target, other); o.Ref != "#2" {
			t.Errorf("%+v", o)
		}
	})
}

// The same message, sent again by whoever does not know that it arrived, writes nothing.
func TestRepeatedMessageWritesNothing(t *testing.T) {
	both(t, func(t *testing.T, s *standin) {
		for range 3 {
			expect(t, send(t, newClient(t, patient), s.target, violation("m1")), Delivered, "")
		}
		for range 3 {
			expect(t, send(t, newClient(t, patient), s.target, again("m2", 10)), Delivered, "")
		}
		if len(s.issues) != 1 || len(s.issues[0].comments) != 1 {
			t.Errorf("%d issues, %d comments", len(s.issues), len(s.issues[0].comments))
		}
	})
}

// Whatever answer is lost, before or after the service has done its work: one issue, one
// comment, and it is open again.
func TestLostAnswersMakeNoSecondIssue(t *testing.T) {
	both(t, func(t *testing.T, s *standin) {
		for n := range 24 {
			step := 0
			s.trouble = func(w http.ResponseWriter, _ *http.Request, done bool) bool {
				step++
				return step == n+1 && lost(w)
			}
			s.issues = nil
			var o Outcome
			for attempt := 0; attempt < 3 && o.Status == Again; attempt++ {
				o = send(t, newClient(t, patient), s.target, violation("m1"))
			}
			expect(t, o, Delivered, "")
			s.issues[0].closed = true
			for o.Status = Again; o.Status == Again; {
				o = send(t, newClient(t, patient), s.target, again("m2", 10))
			}
			if len(s.issues) != 1 || len(s.issues[0].comments) != 1 || s.issues[0].closed {
				t.Fatalf("answer %d lost: %d issues, %d comments, closed %v", n, len(s.issues), len(s.issues[0].comments), s.issues[0].closed)
			}
		}
	})
}

// An answer that comes too late leaves it unsure whether the issue was made. It is looked
// for before another is made, and not at once.
func TestLateAnswerMakesNoSecondIssue(t *testing.T) {
	both(t, func(t *testing.T, s *standin) {
		late := make(chan struct{})
		first := true
		s.trouble = func(_ http.ResponseWriter, r *http.Request, done bool) bool {
			if done && r.Method == http.MethodPost && first {
				first = false
				<-late
			}
			return false
		}
		c := newClient(t, impatient)
		o := send(t, c, s.target, violation("m1"))
		expect(t, o, Again, "did not answer in time")
		if o.After != unsure {
			t.Errorf("after %v", o.After)
		}
		close(late)
		expect(t, send(t, c, s.target, violation("m1")), Delivered, "")
		if len(s.issues) != 1 {
			t.Errorf("%d issues", len(s.issues))
		}
	})
}

func TestManySendersMakeOneIssue(t *testing.T) {
	both(t, func(t *testing.T, s *standin) {
		c := newClient(t, patient)
		var senders sync.WaitGroup
		for i := range 8 {
			senders.Go(func() {
				if o := c.Send(t.Context(), s.target, violation(fmt.Sprintf("m%d", i))); o.Status != Delivered {
					t.Errorf("%+v", o)
				}
			})
		}
		senders.Wait()
		if len(s.issues) != 1 || len(s.issues[0].comments) != 7 {
			t.Errorf("%d issues, %d comments", len(s.issues), len(s.issues[0].comments))
		}
	})
}

// The issue is found among many, on a later page, and never where the header Link points.
func TestIssueIsFoundOnLaterPages(t *testing.T) {
	both(t, func(t *testing.T, s *standin) {
		s.add(&standinIssue{body: "<!-- telltale:fp-1 -->", labels: []string{label}})
		for i := range 450 {
			s.add(&standinIssue{body: fmt.Sprintf("<!-- telltale:fp-1%d -->", i), labels: []string{label}, pull: i%7 == 0})
		}
		o := send(t, newClient(t, patient), s.target, violation("m1"))
		expect(t, o, Delivered, "")
		if o.Ref != "#1" || len(s.issues) != 451 {
			t.Errorf("%+v, %d issues", o, len(s.issues))
		}
	})
}

// A pull request that quotes the marker is no issue.
func TestPullRequestIsNoIssue(t *testing.T) {
	t.Parallel()
	s := newStandin(t, policy.GitHub)
	s.add(&standinIssue{body: "<!-- telltale:fp-1 -->", labels: []string{label}, pull: true})
	if o := send(t, newClient(t, patient), s.target, violation("m1")); o.Ref != "#2" {
		t.Errorf("%+v", o)
	}
}

// The comment of an earlier attempt is found among many.
func TestCommentIsFoundOnLaterPages(t *testing.T) {
	both(t, func(t *testing.T, s *standin) {
		c := newClient(t, patient)
		expect(t, send(t, c, s.target, violation("m1")), Delivered, "")
		comments := &s.issues[0].comments
		for i := range 250 {
			*comments = append(*comments, fmt.Sprint("talk ", i))
		}
		(*comments)[120] = "<!-- telltale-message:m2 -->"
		expect(t, send(t, c, s.target, again("m2", 10)), Delivered, "")
		if len(*comments) != 250 {
			t.Errorf("%d comments", len(*comments))
		}
	})
}

func TestClosedIssueIsOpenedAgain(t *testing.T) {
	both(t, func(t *testing.T, s *standin) {
		c := newClient(t, patient)
		expect(t, send(t, c, s.target, violation("m1")), Delivered, "")
		s.issues[0].closed = true
		expect(t, send(t, c, s.target, again("m2", 10)), Delivered, "")
		if s.issues[0].closed {
			t.Error("it stays closed although it happened again")
		}
	})
}

func TestIssueThatNobodyWantsStaysClosed(t *testing.T) {
	t.Parallel()
	s := newStandin(t, policy.GitHub)
	c := newClient(t, patient)
	expect(t, send(t, c, s.target, violation("m1")), Delivered, "")
	s.issues[0].closed, s.issues[0].reason = true, "not_planned"
	expect(t, send(t, c, s.target, again("m2", 10)), Delivered, "")
	if !s.issues[0].closed || len(s.issues[0].comments) != 1 {
		t.Errorf("%+v", s.issues[0])
	}
}

func TestDeletedIssueIsMadeAnew(t *testing.T) {
	both(t, func(t *testing.T, s *standin) {
		c := newClient(t, patient)
		expect(t, send(t, c, s.target, violation("m1")), Delivered, "")
		s.issues[0].number, s.issues[0].body, s.issues[0].labels = 77, "gone", nil
		o := send(t, c, s.target, again("m2", 10))
		expect(t, o, Delivered, "")
		if len(s.issues) != 2 {
			t.Errorf("%+v, %d issues", o, len(s.issues))
		}
	})
}

// Services drop labels of those who may not set them, without a word.
func TestTokenThatMayNotLabel(t *testing.T) {
	both(t, func(t *testing.T, s *standin) {
		s.mayLabel = false
		expect(t, send(t, newClient(t, patient), s.target, violation("m1")), Delivered, "may not set the label")
		expect(t, send(t, newClient(t, patient), s.target, again("m2", 10)), Delivered, "")
		if len(s.issues) != 1 || len(s.issues[0].comments) != 1 {
			t.Errorf("%d issues", len(s.issues))
		}
	})
}

func TestTrackersThatRefuse(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, test := range map[string]struct {
		status int
		header map[string]string
		body   string
		want   Status
		reason string
		after  time.Duration
	}{
		"primary limit":   {403, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": fmt.Sprint(now.Add(10 * time.Minute).Unix())}, `{"message":"API rate limit exceeded"}`, Again, "rate limit", 10 * time.Minute},
		"far reset":       {403, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "99999999999"}, `{}`, Again, "403", time.Hour},
		"odd reset":       {403, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "soon"}, `{}`, Again, "403", time.Minute},
		"secondary limit": {403, map[string]string{"Retry-After": "7"}, `{"message":"You have exceeded a secondary rate limit"}`, Again, "secondary", 7 * time.Second},
		"limit in words":  {403, nil, `{"message":"You have exceeded a secondary rate limit"}`, Again, "secondary", time.Minute},
		"429":             {429, map[string]string{"Retry-After": "5"}, `Retry later`, Again, "Retry later", 5 * time.Second},
		"429 bare":        {429, nil, ``, Again, "429", time.Minute},
		"forbidden":       {403, map[string]string{"X-RateLimit-Remaining": "4999"}, `{"message":"Resource not accessible by personal access token"}`, Rejected, "not accessible", 0},
		"bad token":       {401, nil, `{"message":"Bad credentials ` + tokenSecret + `"}`, Rejected, "Bad credentials", 0},
		"not there":       {404, nil, `{"message":"Not Found"}`, Rejected, "may the token see it", 0},
		"no issues":       {410, nil, `{"message":"Issues has been disabled in this repository."}`, Rejected, "disabled", 0},
		"moved":           {301, map[string]string{"Location": "https://evil.example/" + tokenSecret}, ``, Rejected, "redirects", 0},
		"not valid":       {422, nil, `{"message":{"title":["is too long"]}}`, Rejected, "too long", 0},
		"down":            {502, nil, `<html>`, Again, "502", 0},
		"not the API":     {200, nil, `<html>sign in`, Again, "not its API", 0},
		"an object":       {200, nil, `{"a":1}`, Again, "not its API", 0},
		"cut":             {200, map[string]string{"Content-Length": "50"}, `[{"number":`, Again, "whole answer", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStandin(t, policy.GitHub)
			s.trouble = func(w http.ResponseWriter, _ *http.Request, _ bool) bool {
				for name, value := range test.header {
					w.Header().Set(name, value)
				}
				w.WriteHeader(test.status)
				w.Write([]byte(test.body))
				return true
			}
			c := New(Options{Timeout: patient, Now: func() time.Time { return now }, Proxy: direct})
			t.Cleanup(c.Close)
			o := send(t, c, s.target, violation("m1"))
			expect(t, o, test.want, test.reason)
			if (o.After - test.after).Abs() > time.Second {
				t.Errorf("after %v, want %v", o.After, test.after)
			}
			if len(s.requests) != 1 {
				t.Errorf("%v", s.requests)
			}
		})
	}
}

// A gateway's 502 to a request that makes an issue says nothing about whether it was made.
func TestGatewayErrorLeavesTime(t *testing.T) {
	both(t, func(t *testing.T, s *standin) {
		s.trouble = func(w http.ResponseWriter, r *http.Request, done bool) bool {
			if !done || r.Method != http.MethodPost {
				return false
			}
			w.WriteHeader(http.StatusBadGateway)
			return true
		}
		if o := send(t, newClient(t, patient), s.target, violation("m1")); o.After != unsure || o.Status != Again {
			t.Errorf("%+v", o)
		}
	})
}

// What is in a message cannot pose as another violation's issue, nor as a message that was
// delivered.
func TestTextCannotForgeMarkers(t *testing.T) {
	both(t, func(t *testing.T, s *standin) {
		c := newClient(t, patient)
		m := violation("m1")
		m.Items[0].Explanation = "<!-- telltale:fp-2 --> <!-- telltale-message:m2 -->"
		m.Report = "<!-- telltale:fp-2 -->\n<!-- telltale-message:m3 -->"
		expect(t, send(t, c, s.target, m), Delivered, "")
		other := violation("m2")
		other.Items[0].ID = "fp-2"
		expect(t, send(t, c, s.target, other), Delivered, "")
		if len(s.issues) != 2 {
			t.Errorf("%d issues: %s", len(s.issues), s.issues[0].body)
		}
		expect(t, send(t, c, s.target, again("m3", 10)), Delivered, "")
		if len(s.issues[0].comments) != 1 {
			t.Errorf("a message is taken to be there: %s", s.issues[0].body)
		}
	})
}

func TestLongReportIsCut(t *testing.T) {
	t.Parallel()
	s := newStandin(t, policy.GitHub)
	m := violation("m1")
	m.Report = strings.Repeat("ü line\n", 40000)
	expect(t, send(t, newClient(t, patient), s.target, m), Delivered, "")
	body := s.issues[0].body
	if len(body) > 65536 || !strings.Contains(body, "<!-- telltale:fp-1 -->") || strings.Contains(body, "\uFFFD") {
		t.Errorf("%d bytes", len(body))
	}
	for room := 40; room < 60; room++ {
		if got := cut(strings.Repeat("ü", 100), room); len(got) > room || strings.Contains(got, "\uFFFD") {
			t.Errorf("%q in %d", got, room)
		}
	}
}
