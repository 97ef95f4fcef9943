package transport

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"telltale/flow/plain"
	"telltale/notify"
)

// Bounds of what is looked through in a tracker.
const (
	maxListing = 16 << 20 // bytes of a page
	maxPages   = 10
	maxKnown   = 4096 // what is remembered of a tracker
	maxTitle   = 240  // columns; GitHub takes 256, GitLab 255
)

// unsure is how long a request that makes something is left alone when its answer does not
// come: the service may still be at it.
const unsure = 30 * time.Second

// clocks is how much the clock of a service may be apart from ours.
const clocks = 24 * time.Hour

// A tracker is what is remembered of an issue tracker, to ask less. All of it can be
// forgotten: it is found again by the markers in issues and comments.
type tracker struct {
	turn  chan struct{}  // held by whoever talks to it: two at once could make an issue twice
	known map[string]int // numbers of issues by marker
}

// tracker returns what is remembered of a target, and waits until nobody else talks to it.
func (c *Client) tracker(ctx context.Context, t Target) (*tracker, error) {
	c.mutex.Lock()
	tr, ok := c.trackers[t.Identity()]
	if !ok {
		tr = &tracker{turn: make(chan struct{}, 1), known: map[string]int{}}
		c.trackers[t.Identity()] = tr
	}
	c.mutex.Unlock()
	select {
	case tr.turn <- struct{}{}:
		return tr, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (tr *tracker) remember(marker string, number int) {
	if len(tr.known) >= maxKnown {
		clear(tr.known)
	}
	tr.known[marker] = number
}

// A filing is a message on its way into an issue tracker.
type filing struct {
	c       *Client
	t       Target
	forge   forge
	tracker *tracker
	message notify.Message
	payload notify.Payload
	marker  string // in the issue, the same for this violation in all messages
	mine    string // in what this message wrote, the same in all attempts
}

// sendIssues brings a message into an issue tracker, where each violation has one issue.
// What is there already, by the hidden markers, is not written again, whoever wrote it: an
// attempt before this one, for instance, whose answer was lost.
func (c *Client) sendIssues(ctx context.Context, t Target, m notify.Message) Outcome {
	payload, err := notify.Render(t.kind, m)
	if err != nil {
		return Outcome{Status: Rejected, Reason: "the message cannot be written: " + err.Error()}
	}
	tr, err := c.tracker(ctx, t)
	if err != nil {
		return failed(err)
	}
	defer func() { <-tr.turn }()
	f := filing{c: c, t: t, forge: t.forge(), tracker: tr, message: m, payload: payload}
	f.marker, f.mine = payload.Marker, marked("telltale-message", m.ID)
	return f.file(ctx)
}

// marked returns a comment that Markdown does not show.
func marked(what, id string) string { return "<!-- " + what + ":" + headerValue(id) + " -->" }

// body returns text for the tracker, under the markers. What else looks like a marker, for
// instance because a server is called so, is none.
func (f *filing) body(text string, markers ...string) string {
	text = strings.ReplaceAll(text, f.marker, "")
	text = strings.ReplaceAll(text, "<!-- telltale", "<!-- - telltale")
	head := strings.Join(markers, "\n") + "\n\n"
	return head + cut(strings.TrimSpace(text), f.forge.room()-len(head))
}

// cut shortens text to so many bytes, and says so.
func cut(text string, room int) string {
	const ellipsis = "\n\n… (the rest did not fit)"
	if len(text) <= room {
		return text
	}
	text = text[:room-len(ellipsis)]
	for len(text) > 0 && !utf8.ValidString(text[max(0, len(text)-utf8.UTFMax):]) && !utf8.RuneStart(text[len(text)-1]) {
		text = text[:len(text)-1]
	}
	return strings.ToValidUTF8(text, "") + ellipsis
}

// file brings one violation in: as a new issue, or as a comment on the one that it has.
func (f *filing) file(ctx context.Context) Outcome {
	found, o := f.find(ctx)
	switch {
	case o != nil:
		return *o
	case found == nil:
		return f.create(ctx)
	case strings.Contains(found.text(), f.mine):
		return f.done(found.number(), "") // an earlier attempt made it
	}
	written, o := f.commented(ctx, found.number())
	if o != nil {
		return *o
	}
	if !written {
		if o := f.write(ctx, f.forge.comment(found.number(), f.body(f.update(), f.mine)), nil); o != nil {
			return *o
		}
	}
	if found.closed() && !found.unwanted() && len(f.message.Items) > 0 {
		if o := f.write(ctx, f.forge.reopen(found.number()), nil); o != nil {
			return *o
		}
	}
	return f.done(found.number(), "")
}

func (f *filing) done(number int, remark string) Outcome {
	f.tracker.remember(f.marker, number)
	return Outcome{Status: Delivered, Ref: "#" + strconv.Itoa(number), Reason: remark}
}

// update is what a comment says: the message without the whole audit, which the issue has.
func (f *filing) update() string {
	short := f.message
	short.Report = ""
	if payload, err := notify.Render(f.t.kind, short); err == nil {
		return payload.Text
	}
	return f.payload.Text
}

// find looks for the issue of this violation: where it was the last time, among those with
// our label, and among some without it.
func (f *filing) find(ctx context.Context) (*issue, *Outcome) {
	if number := f.tracker.known[f.marker]; number != 0 {
		var one issue
		status, o := f.get(ctx, f.forge.issue(number), &one)
		switch {
		case status == http.StatusNotFound, status == http.StatusGone:
			delete(f.tracker.known, f.marker) // deleted or moved
		case o != nil:
			return nil, o
		case strings.Contains(one.text(), f.marker):
			return &one, nil
		}
	}
	for _, labelled := range []bool{true, false} {
		pages := maxPages
		if !labelled {
			pages = 1
		}
		for page := 1; page <= pages; page++ {
			found, more, o := f.page(ctx, labelled, page)
			if found != nil || o != nil {
				return found, o
			}
			if !more {
				break
			}
		}
	}
	return nil, nil
}

// page looks for the issue on one page of a listing.
func (f *filing) page(ctx context.Context, labelled bool, page int) (found *issue, more bool, o *Outcome) {
	var list []issue
	more, o = f.list(ctx, f.forge.issues(labelled, f.marker, page), &list)
	if o != nil {
		return nil, false, o
	}
	for _, one := range list {
		if !one.isRequest() && strings.Contains(one.text(), f.marker) {
			return &one, false, nil
		}
	}
	return nil, more, nil
}

// commented reports whether an earlier attempt has written this message's comment.
func (f *filing) commented(ctx context.Context, number int) (bool, *Outcome) {
	var since time.Time
	if !f.message.First.IsZero() {
		since = f.message.First.Add(-clocks)
	}
	for page := 1; page <= maxPages; page++ {
		var list []comment
		more, o := f.list(ctx, f.forge.comments(number, since, page), &list)
		if o != nil {
			return false, o
		}
		older := false
		for _, one := range list {
			if strings.Contains(one.Body, f.mine) {
				return true, nil
			}
			older = one.Created.Before(since)
		}
		if !more || older {
			break
		}
	}
	return false, nil
}

// create makes the issue. The message's marker in it says that this message needs no
// comment.
func (f *filing) create(ctx context.Context) Outcome {
	labels := []string{label}
	for _, l := range f.t.labels {
		if l = plain.Name(l, maxTitle); l != "" && l != label {
			labels = append(labels, l)
		}
	}
	title := plain.Name(f.payload.Subject, maxTitle)
	if title == "" {
		title = "telltale: " + string(f.message.Kind)
	}
	var made issue
	if o := f.write(ctx, f.forge.create(title, f.body(f.payload.Text, f.marker, f.mine), labels), &made); o != nil {
		return *o
	}
	if !made.labelled() {
		return f.done(made.number(), "the token may not set the label telltale, without which older issues are not found again")
	}
	return f.done(made.number(), "")
}

// write makes a request that changes something. An answer that does not come leaves it
// unsure whether it did.
func (f *filing) write(ctx context.Context, x exchange, into *issue) *Outcome {
	a, err := f.c.do(ctx, f.t, x)
	if err != nil {
		o := failed(err)
		if !unsent(err) {
			o.After = unsure
		}
		return &o
	}
	if o := f.judge(a); o != nil {
		if a.status >= 500 {
			o.After = max(o.After, unsure) // a gateway does not know what became of it
		}
		return o
	}
	if into == nil {
		return nil
	}
	if a.broken != nil || json.Unmarshal(a.body, into) != nil || into.number() <= 0 {
		return &Outcome{Status: Again, Reason: "the issue was made, but the answer is not whole", After: time.Second}
	}
	return nil
}

// get reads one thing; the status tells how it failed.
func (f *filing) get(ctx context.Context, x exchange, into any) (int, *Outcome) {
	a, o := f.ask(ctx, x, into)
	return a.status, o
}

// list reads a page of things, and reports whether there is a further one: by the header
// Link (RFC 8288), which both services send. Its address is not followed; the token would
// go where it says.
func (f *filing) list(ctx context.Context, x exchange, into any) (more bool, o *Outcome) {
	a, o := f.ask(ctx, x, into)
	return strings.Contains(strings.Join(a.header.Values("Link"), ","), `rel="next"`), o
}

func (f *filing) ask(ctx context.Context, x exchange, into any) (answer, *Outcome) {
	a, err := f.c.do(ctx, f.t, x)
	if err != nil {
		o := failed(err)
		return a, &o
	}
	if o := f.judge(a); o != nil {
		return a, o
	}
	if a.broken != nil {
		o := failed(a.broken)
		return a, &o
	}
	if json.Unmarshal(a.body, into) != nil {
		return a, &Outcome{Status: Again, Reason: "the receiver answers with what is not its API: does api name the right address?"}
	}
	return a, nil
}

// judge says what an answer means, nil for success. GitHub says with 403 that it was asked
// too often, too.
// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
func (f *filing) judge(a answer) *Outcome {
	o := f.c.verdict(f.t, a)
	exhausted := a.header.Get("X-Ratelimit-Remaining") == "0"
	throttled := a.status == http.StatusForbidden && (exhausted || a.header.Get("Retry-After") != "" || strings.Contains(strings.ToLower(a.words()), "rate limit"))
	switch {
	case o.Status == Delivered:
		return nil
	case throttled, a.status == http.StatusTooManyRequests:
		o.Status, o.After = Again, f.c.patience(a)
		if reset, err := strconv.ParseInt(a.header.Get("X-Ratelimit-Reset"), 10, 64); err == nil && o.After == 0 && exhausted {
			o.After = wait(time.Unix(reset, 0).Sub(f.c.options.Now()).Seconds())
		}
		if o.After == 0 {
			o.After = time.Minute
		}
	case a.status == http.StatusNotFound:
		o.Reason += ": is the repository's name right, and may the token see it?"
	}
	return &o
}
