// Package playback answers requests from a recording, in the place of the servers that it
// was made of, so that an app can be looked at without them.
//
// It knows how to find the recorded exchange that is nearest to a request ([Index],
// [Recording.Decide]), how to make an answer of it that is true today, and what to say of
// how near it was. What is asked for and was not recorded is answered 504 and counted
// ([Recording.Unanswered]).
//
// It promises that nothing which it decides about is forwarded: hosts that its user named
// are answered, all others are refused. In memory are the names of what was recorded; the
// contents stay in the capture until they are needed. An answer that was not recorded
// whole, or that an experiment made, is never passed off as the server's.
//
// It plays no WebSocket, no DNS and nothing that was not read. To see why a request got an
// answer, read [flow.Flow.Altered] of its flow: it names the recorded flow, and in what it
// differs.
package playback

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"sync"

	"telltale/capture"
	"telltale/flow"
	"telltale/policy"
)

// Options say what is played.
type Options struct {
	Name  string           // of the recording, for people
	Hosts []policy.Pattern // whose requests are answered; those of others are refused
}

// maxExchanges is how many recorded exchanges are kept in mind, less than a kilobyte each.
const maxExchanges = 1 << 20

// maxUnanswered is how many different requests without an answer are kept in mind.
const maxUnanswered = 1000

// A Recording answers requests. Its methods may be called from any goroutine, as long as
// the store is open.
type Recording struct {
	store *capture.Store
	opts  Options
	notes []string

	places map[place]*shelf // not changed after Index

	mu         sync.Mutex // of the cursors of sequences, and of what is below
	answered   int
	missing    map[string]int
	unanswered int
}

// A place is what has to be equal in any case.
type place struct{ method, host, path string }

// A shelf has what was recorded at one place.
type shelf struct {
	all      *sequence
	exact    map[string]*sequence // by the query as it was sent
	sorted   map[string]*sequence // by the query in order
	stable   map[string]*sequence // by the query in order, without what differs from time to time
	volatile map[string]bool      // names of parameters that were recorded with several values
	queries  []string             // of all, while it is built
}

// A sequence is exchanges in the order in which they were recorded.
type sequence struct {
	of     []*exchange
	next   int
	byBody map[string]*sequence // where requests have bodies
}

// An exchange is what is kept in mind of a recorded flow.
type exchange struct {
	id     flow.ID
	status int
	body   string // digest of the request's body; "" for none or where it was not recorded whole
	ranged string // the range that was asked for, where the answer is a part
}

// Index reads which exchanges a capture has. It keeps the store for their contents.
func Index(ctx context.Context, store *capture.Store, opts Options) (*Recording, error) {
	r := &Recording{store: store, opts: opts, places: map[place]*shelf{}, missing: map[string]int{}}
	left := map[string]int{}
	total := 0
	err := store.Scan(ctx, capture.ScanOptions{Headers: true}, func(batch []capture.Recorded) error {
		for _, recorded := range batch {
			f := recorded.Flow
			if f.Request == nil || !f.IsContact() || !r.named(f) {
				continue
			}
			switch why := unusable(f); {
			case why != "":
				left[why]++
			case total == maxExchanges:
				left["beyond the first "+fmt.Sprint(maxExchanges)]++
			default:
				total++
				r.add(f)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the recording: %w", err)
	}
	for _, s := range r.places {
		s.arrange()
	}
	for why, n := range left {
		r.notes = append(r.notes, fmt.Sprintf("%s left out: %s", exchanges(n), why))
	}
	slices.Sort(r.notes)
	return r, nil
}

func exchanges(n int) string {
	if n == 1 {
		return "1 recorded exchange is"
	}
	return fmt.Sprintf("%d recorded exchanges are", n)
}

// unusable says why nothing can be answered from a flow, "" where it can.
func unusable(f *flow.Flow) string {
	switch {
	case f.Kind == flow.WebSocket:
		return "WebSockets are not played"
	case len(f.Experiments) > 0:
		return "altered by an experiment, so that they are not the server's"
	case f.Kind != flow.HTTP || f.Outcome != flow.Completed || f.Response == nil || f.Response.Status < 200:
		return "without an answer that came to its end"
	}
	return ""
}

// named reports whether the user named the host of a flow.
func (r *Recording) named(f *flow.Flow) bool {
	host, port := f.Host(), f.Port()
	return slices.ContainsFunc(r.opts.Hosts, func(p policy.Pattern) bool { return p.Match(host, port) })
}

// add puts a flow on its shelf.
func (r *Recording) add(f *flow.Flow) {
	at, query := spot(f)
	s := r.places[at]
	if s == nil {
		s = &shelf{all: &sequence{}}
		r.places[at] = s
	}
	e := &exchange{id: f.ID, status: f.Response.Status, body: wholeDigest(f.Request.Body)}
	if e.status == 206 {
		e.ranged = flow.Get(f.Request.Header, "Range")
	}
	s.all.of = append(s.all.of, e)
	s.queries = append(s.queries, query)
}

// wholeDigest returns the digest of a body that was recorded whole.
func wholeDigest(b flow.Body) string {
	if b.Truncated || b.Size == 0 && b.Digest == "" {
		return ""
	}
	return b.Digest
}

// spot returns where a flow with a request belongs, and its query.
func spot(f *flow.Flow) (place, string) {
	host := f.Host()
	if port := f.Port(); port != "" && port != "443" && port != "80" {
		host += ":" + port // of both schemes
	}
	path, query := pathQuery(f.Request.URL)
	return place{strings.ToUpper(f.Request.Method), host, path}, query
}

// pathQuery cuts a URL, which need not be one.
func pathQuery(text string) (path, query string) {
	text, _, _ = strings.Cut(text, "#")
	if _, rest, ok := strings.Cut(text, "://"); ok {
		text = rest
		if i := strings.IndexAny(text, "/?"); i >= 0 {
			text = text[i:]
		} else {
			text = ""
		}
	}
	path, query, _ = strings.Cut(text, "?")
	if path == "" {
		path = "/"
	}
	return flow.Unpercent(path), query
}

// arrange makes the ways to find what is on the shelf, once all of it is there.
func (s *shelf) arrange() {
	s.volatile = volatile(s.queries)
	s.exact, s.sorted, s.stable = map[string]*sequence{}, map[string]*sequence{}, map[string]*sequence{}
	for i, e := range s.all.of {
		query := s.queries[i]
		put(s.exact, query, e)
		put(s.sorted, inOrder(query, nil), e)
		put(s.stable, inOrder(query, s.volatile), e)
	}
	s.queries = nil
	for _, m := range []map[string]*sequence{s.exact, s.sorted, s.stable} {
		for _, q := range m {
			q.arrange()
		}
	}
	s.all.arrange()
}

func put(m map[string]*sequence, key string, e *exchange) {
	q := m[key]
	if q == nil {
		q = &sequence{}
		m[key] = q
	}
	q.of = append(q.of, e)
}

// arrange parts a sequence by the bodies that were sent.
func (q *sequence) arrange() {
	for _, e := range q.of {
		if e.body == "" {
			continue
		}
		if q.byBody == nil {
			q.byBody = map[string]*sequence{}
		}
		put(q.byBody, e.body, e)
	}
}

// volatile returns the names of parameters that were recorded with several values.
func volatile(queries []string) map[string]bool {
	if len(queries) < 2 {
		return nil
	}
	values, differ := map[string]string{}, map[string]bool{}
	for _, query := range queries {
		for pair := range strings.SplitSeq(query, "&") {
			name, value, _ := strings.Cut(pair, "=")
			if before, ok := values[name]; ok && before != value {
				differ[name] = true
			}
			values[name] = value
		}
	}
	return differ
}

// inOrder returns the parameters of a query in order, without some.
func inOrder(query string, without map[string]bool) string {
	if strings.IndexByte(query, '&') < 0 && len(without) == 0 {
		return decoded(query)
	}
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		if name, _, _ := strings.Cut(pair, "="); pair != "" && !without[name] {
			kept = append(kept, decoded(pair))
		}
	}
	slices.Sort(kept)
	return strings.Join(kept, "&")
}

// decoded undoes the encoding of a parameter where that leaves it one.
func decoded(pair string) string {
	if !strings.ContainsAny(pair, "%+") {
		return pair
	}
	name, value, has := strings.Cut(pair, "=")
	for _, part := range []*string{&name, &value} {
		if plain, err := url.QueryUnescape(*part); err == nil && !strings.ContainsAny(plain, "&=") {
			*part = plain
		}
	}
	if !has {
		return name
	}
	return name + "=" + value
}

// Notes says what of the recording is not played.
func (r *Recording) Notes() []string { return r.notes }

// Len returns how many exchanges are played.
func (r *Recording) Len() int {
	n := 0
	for _, s := range r.places {
		n += len(s.all.of)
	}
	return n
}

// Answered returns how many requests were answered from the recording.
func (r *Recording) Answered() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.answered
}

// A Missing is requests that had no answer in the recording.
type Missing struct {
	Request string // method, host and path
	Count   int
}

// Unanswered returns the requests that had no answer, the most frequent first, and how many
// there were in all.
func (r *Recording) Unanswered() (list []Missing, total int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for request, n := range r.missing {
		list = append(list, Missing{request, n})
	}
	slices.SortFunc(list, func(a, b Missing) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return strings.Compare(a.Request, b.Request)
	})
	return list, r.unanswered
}

// miss counts a request that had no answer.
func (r *Recording) miss(at place) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unanswered = min(r.unanswered+1, math.MaxInt-1)
	request := at.method + " " + at.host + at.path
	if _, known := r.missing[request]; known || len(r.missing) < maxUnanswered {
		r.missing[request]++
	}
}
