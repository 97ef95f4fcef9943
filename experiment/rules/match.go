package rules

import (
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/martian/v3/filter"
)

// A condition asks one of martian's matchers about a request's URL, written in one way.
// martian compares byte for byte: "API.example.com", or a port that is the usual one and yet
// stands there, would not match.
type condition struct {
	matcher filter.RequestCondition
	port    bool // the port stands there, also the usual one
}

// MatchRequest says whether a request matches.
func (c condition) MatchRequest(req *http.Request) bool {
	return c.matcher.MatchRequest(&http.Request{URL: c.seen(req)})
}

// MatchResponse says whether the request of an answer matches.
func (c condition) MatchResponse(res *http.Response) bool { return c.MatchRequest(res.Request) }

// seen is the URL of a request as it is compared.
func (c condition) seen(req *http.Request) *url.URL {
	u := &url.URL{Path: req.URL.Path, RawPath: req.URL.RawPath, RawQuery: req.URL.RawQuery, ForceQuery: req.URL.ForceQuery}
	u.Scheme, u.Host = lower(req.URL.Scheme), lower(req.URL.Host)
	if u.Host == "" {
		u.Host = lower(req.Host)
	}
	usual := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	host, port, err := net.SplitHostPort(u.Host)
	if err != nil {
		host, port = strings.Trim(u.Host, "[]"), usual
	}
	switch {
	case c.port && port != "":
		u.Host = net.JoinHostPort(host, port)
	case port == usual || port == "":
		u.Host = host
		if strings.Contains(host, ":") {
			u.Host = "[" + host + "]"
		}
	}
	return u
}

// portIs matches requests by the port of their URL.
type portIs string

// MatchRequest says whether a request goes to the port.
func (p portIs) MatchRequest(req *http.Request) bool { return req.URL.Port() == string(p) }

func lower(s string) string { return strings.ToLower(s) }
