package playback

import (
	"net/http"
	"slices"
	"strings"
)

// An asked is a request that looks for its answer.
type asked struct {
	at     place
	query  string
	header http.Header
	body   string // digest of its body; "" for none
	peeks  bool   // the next one still is the next one
}

// A found is an exchange, and in what it differs from what was asked, in words.
type found struct {
	*exchange
	differs string
	head    bool // the answer to GET stands for one to HEAD
}

// find looks for the exchange that is nearest to a request: query as it was sent, in
// another order, without what differs from time to time, then the path alone.
func (r *Recording) find(a asked) (found, bool) {
	if f, ok := r.findAt(a.at, a); ok {
		return f, true
	}
	if a.at.method == http.MethodHead {
		get := a.at
		get.method = http.MethodGet
		a.peeks = true
		if f, ok := r.findAt(get, a); ok {
			f.head = true
			return f, true
		}
	}
	return found{}, false
}

func (r *Recording) findAt(at place, a asked) (found, bool) {
	s := r.places[at]
	if s == nil {
		return found{}, false
	}
	steps := []struct {
		with  func() *sequence
		words string
	}{
		{func() *sequence { return s.exact[a.query] }, ""},
		{func() *sequence { return s.sorted[inOrder(a.query, nil)] }, "whose query has another order"},
		{func() *sequence { return s.stable[inOrder(a.query, s.volatile)] }, "whose query differs in " + s.changing(a.query)},
		{func() *sequence { return s.all }, "whose query differs"},
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, step := range steps {
		q := step.with()
		if q == nil {
			continue
		}
		if e, sameBody := q.take(a); e != nil {
			return found{exchange: e, differs: joined(step.words, bodyWords(a, e, sameBody))}, true
		}
	}
	return found{}, false
}

// changing names the parameters of a query that differ from time to time.
func (s *shelf) changing(query string) string {
	var names []string
	for pair := range strings.SplitSeq(query, "&") {
		if name, _, _ := strings.Cut(pair, "="); s.volatile[name] && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 || len(names) > 3 {
		return "what changes from time to time"
	}
	return strings.Join(names, ", ")
}

func bodyWords(a asked, e *exchange, same bool) string {
	switch {
	case same || a.body == "" && e.body == "":
		return ""
	case e.body == "":
		return "whose body is not known"
	}
	return "whose body differs"
}

func joined(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}

// take returns the next exchange of a sequence that can answer, at best one whose request
// had the same body; the last one again when there is no more.
func (q *sequence) take(a asked) (e *exchange, sameBody bool) {
	if a.body != "" {
		if same := q.byBody[a.body]; same != nil {
			if e := same.advance(a); e != nil {
				return e, true
			}
		}
	}
	return q.advance(a), false
}

// advance returns the next exchange that can answer, or the last one that could.
func (q *sequence) advance(a asked) *exchange {
	for i := q.next; i < len(q.of); i++ {
		if q.of[i].answers(a) {
			if !a.peeks {
				q.next = i + 1
			}
			return q.of[i]
		}
	}
	for i := min(q.next, len(q.of)) - 1; i >= 0; i-- {
		if q.of[i].answers(a) {
			return q.of[i]
		}
	}
	return nil
}

// answers reports whether an exchange can answer a request: "not modified" only who has a
// copy, and a part only who asks for that part.
func (e *exchange) answers(a asked) bool {
	switch e.status {
	case http.StatusNotModified:
		return a.header.Get("If-None-Match") != "" || a.header.Get("If-Modified-Since") != ""
	case http.StatusPartialContent:
		return a.header.Get("Range") != "" && a.header.Get("Range") == e.ranged
	}
	return true
}
