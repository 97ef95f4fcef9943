package rules

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/martian/v3"
	"github.com/google/martian/v3/proxyutil"

	"telltale/flow/plain"
)

// A leaf is one of martian's modifiers that alters messages itself. It notes what it did.
type leaf struct {
	name     string
	place    string // "rules.json:7"
	request  martian.RequestModifier
	response martian.ResponseModifier
	alterer
}

// An alterer lets a leaf alter a message, mends what martian leaves unsound, and says what
// was altered: "" for nothing.
type alterer struct {
	requests func(l *leaf, req *http.Request) (string, error)
	answers  func(l *leaf, res *http.Response) (string, error)
}

// ModifyRequest alters a request.
func (l *leaf) ModifyRequest(req *http.Request) error {
	if l.request == nil || l.requests == nil {
		return nil
	}
	what, err := l.requests(l, req)
	note(req.Context(), l.place, l.name, what)
	return err
}

// ModifyResponse alters an answer.
func (l *leaf) ModifyResponse(res *http.Response) error {
	if l.response == nil || l.answers == nil {
		return nil
	}
	what, err := l.answers(l, res)
	note(res.Request.Context(), l.place, l.name, what)
	return err
}

// alterNothing does nothing.
func alterNothing(*node) alterer { return alterer{} }

// alterHeader alters the headers that a field names.
func alterHeader(field, did string) func(*node) alterer {
	return func(fields *node) alterer {
		names := namesOf(fields.member(field))
		return alterer{
			requests: func(l *leaf, req *http.Request) (string, error) {
				return changed(req.Header, names, did, true, func() error { return l.request.ModifyRequest(req) })
			},
			answers: func(l *leaf, res *http.Response) (string, error) {
				return changed(res.Header, names, did, false, func() error { return l.response.ModifyResponse(res) })
			},
		}
	}
}

// namesOf returns the canonical names of headers of a text or a list.
func namesOf(n *node) []string {
	if n.form == text {
		return []string{http.CanonicalHeaderKey(n.text)}
	}
	var names []string
	for _, item := range n.items {
		names = append(names, http.CanonicalHeaderKey(item.text))
	}
	return names
}

// changed alters headers of the names, and says of which the lines are others than before.
func changed(h http.Header, names []string, did string, asked bool, alter func() error) (string, error) {
	before := make([][]string, len(names))
	for i, name := range names {
		before[i] = h[name]
		if before[i] != nil {
			h[name] = slices.Clip(before[i]) // what is appended gets memory of its own
		}
	}
	err := alter()
	var others []string
	for i, name := range names {
		if !slices.Equal(before[i], h[name]) {
			others = append(others, name)
		}
	}
	if _, there := h["User-Agent"]; asked && !there && slices.Contains(names, "User-Agent") {
		h["User-Agent"] = nil // keeps net/http from naming itself
	}
	if len(others) == 0 {
		return "", err
	}
	return did + " " + strings.Join(others, ", "), err
}

// alterCopy copies a header. martian would set an empty one where there is none to copy.
func alterCopy(fields *node) alterer {
	from, to := http.CanonicalHeaderKey(fields.member("from").text), http.CanonicalHeaderKey(fields.member("to").text)
	did := "copied " + from + " to"
	return alterer{
		requests: func(l *leaf, req *http.Request) (string, error) {
			if proxyutil.RequestHeader(req).Get(from) == "" {
				return "", nil
			}
			return changed(req.Header, []string{to}, did, true, func() error { return l.request.ModifyRequest(req) })
		},
		answers: func(l *leaf, res *http.Response) (string, error) {
			if proxyutil.ResponseHeader(res).Get(from) == "" {
				return "", nil
			}
			return changed(res.Header, []string{to}, did, false, func() error { return l.response.ModifyResponse(res) })
		},
	}
}

// alterCookie adds a cookie.
func alterCookie(fields *node) alterer {
	name := plain.Text(fields.member("name").text)
	say := func(what string, err error) (string, error) {
		if what != "" {
			what = "added the cookie " + name
		}
		return what, err
	}
	return alterer{
		requests: func(l *leaf, req *http.Request) (string, error) {
			if lines := req.Header["Cookie"]; len(lines) > 1 {
				req.Header["Cookie"] = []string{strings.Join(lines, "; ")} // net/http would lose all but the first
			}
			return say(changed(req.Header, []string{"Cookie"}, "", true, func() error { return l.request.ModifyRequest(req) }))
		},
		answers: func(l *leaf, res *http.Response) (string, error) {
			return say(changed(res.Header, []string{"Set-Cookie"}, "", false, func() error { return l.response.ModifyResponse(res) }))
		},
	}
}

// alterQuery sets a parameter. martian sorts the whole query by that, writes it anew, and
// loses what it does not take for a parameter; so it gets those of the name alone.
func alterQuery(fields *node) alterer {
	name := fields.member("name").text
	return alterer{requests: func(l *leaf, req *http.Request) (string, error) {
		var before, mine, after []string
		if req.URL.RawQuery != "" {
			before = strings.Split(req.URL.RawQuery, "&")
		}
		place := -1
		for _, p := range before {
			key, _, _ := strings.Cut(p, "=")
			if key, err := url.QueryUnescape(key); err == nil && key == name {
				if place < 0 {
					place = len(after)
					after = append(after, "")
				}
				mine = append(mine, p)
				continue
			}
			after = append(after, p)
		}
		if place < 0 {
			place = len(after)
			after = append(after, "")
		}
		alone := &http.Request{URL: &url.URL{RawQuery: strings.Join(mine, "&")}}
		if err := l.request.ModifyRequest(alone); err != nil {
			return "", err
		}
		after[place] = alone.URL.RawQuery
		query := strings.Join(after, "&")
		if query == req.URL.RawQuery {
			return "", nil
		}
		u := *req.URL
		u.RawQuery, req.URL = query, &u
		return "set the parameter " + plain.Name(name, 60), nil
	}}
}

// alterURL sets parts of the URL. martian leaves the escaped form of the old path.
func alterURL(*node) alterer {
	return alterer{requests: func(l *leaf, req *http.Request) (string, error) {
		before, u := *req.URL, *req.URL
		req.URL = &u
		if err := l.request.ModifyRequest(req); err != nil {
			return "", err
		}
		var what []string
		if u.Scheme != before.Scheme {
			what = append(what, "scheme → "+u.Scheme)
		}
		if u.Host != before.Host {
			what = append(what, "host → "+plain.Name(u.Host, 200))
		}
		if u.Path != before.Path {
			u.RawPath, u.Opaque = "", ""
			what = append(what, "changed the path") // which may hold a token
		}
		if u.RawQuery != before.RawQuery {
			what = append(what, "replaced the query")
		}
		return strings.Join(what, ", "), nil
	}}
}
