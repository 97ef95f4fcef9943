package rules

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// A path that is set is the one that is sent, also where the URL was opaque.
func TestPathOfAnOpaqueURL(t *testing.T) {
	req := asking(t, "GET", "http://a.example/", "")
	req.URL = &url.URL{Scheme: "http", Host: "a.example", Opaque: "/old", Path: "/old", RawQuery: "q=1"}
	done, err := parsed(t, `{"url.Modifier": {"path": "/new"}}`).ModifyRequest(req)
	if got := said(t, done, err); got != "rules.json:1 url.Modifier: changed the path" || req.URL.RequestURI() != "/new?q=1" {
		t.Errorf("%s: %q", req.URL.RequestURI(), got)
	}
}

// What is appended to a header goes into no memory of others.
func TestAppendedLinesAreTheirOwn(t *testing.T) {
	shared := make([]string, 1, 4)
	req := asking(t, "GET", "http://a.example/", "")
	req.Header["A"] = shared
	if _, err := parsed(t, `{"header.Append": {"name": "A", "value": "1"}}`).ModifyRequest(req); err != nil {
		t.Fatal(err)
	}
	if len(req.Header["A"]) != 2 || shared[:2][1] != "" {
		t.Errorf("%q, of others %q", req.Header["A"], shared[:2])
	}
}

func TestCopyInAnAnswer(t *testing.T) {
	r := parsed(t, `{"header.Copy": {"from": "Etag", "to": "X-Was"}}`)
	res := answering(asking(t, "GET", "http://a.example/", ""), 200, "", "X-Was", "1")
	done, err := r.ModifyResponse(res)
	if got := said(t, done, err); got != "" || res.Header.Get("X-Was") != "1" {
		t.Errorf("%q %v", got, res.Header)
	}
	res.Header.Set("Etag", "v1")
	done, err = r.ModifyResponse(res)
	if got := said(t, done, err); got != "rules.json:1 header.Copy: copied Etag to X-Was" || res.Header.Get("X-Was") != "v1" {
		t.Errorf("%q %v", got, res.Header)
	}
}

// Content that is replaced comes in one piece, without what would have followed the old.
func TestReplacedContentIsNotInChunks(t *testing.T) {
	r := parsed(t, `{"body.Modifier": {"contentType": "a/b", "body": "e30="}}`)
	req := asking(t, "POST", "http://a.example/", "x")
	res := answering(req, 200, "x", "Trailer", "Sum")
	req.ContentLength, req.TransferEncoding, req.Trailer = -1, []string{"chunked"}, http.Header{"Sum": nil}
	res.ContentLength, res.TransferEncoding, res.Trailer = -1, []string{"chunked"}, http.Header{"Sum": nil}
	done, err := r.ModifyRequest(req)
	if got := said(t, done, err); got != "rules.json:1 body.Modifier: replaced the content (of unknown size → 2 bytes, a/b)" {
		t.Error(got)
	}
	if _, err := r.ModifyResponse(res); err != nil {
		t.Fatal(err)
	}
	if req.TransferEncoding != nil || req.Trailer != nil || req.GetBody != nil || req.ContentLength != 2 {
		t.Errorf("%v %v %d", req.TransferEncoding, req.Trailer, req.ContentLength)
	}
	if res.TransferEncoding != nil || res.Trailer != nil || res.ContentLength != 2 || len(res.Header["Trailer"]) > 0 {
		t.Errorf("%v %v %d", res.TransferEncoding, res.Trailer, res.ContentLength)
	}
}

func TestNoPartOfAnotherStatus(t *testing.T) {
	r := parsed(t, `{"status.Modifier": {"statusCode": 500}}`)
	res := answering(asking(t, "GET", "http://a.example/", ""), 206, "23", "Content-Range", "bytes 2-3/9")
	if _, err := r.ModifyResponse(res); err != nil || len(res.Header) != 0 {
		t.Errorf("%v %v", res.Header, err)
	}
}

func TestHostOfARequestWithoutOneInItsURL(t *testing.T) {
	req := &http.Request{Method: "GET", Host: "API.example", URL: &url.URL{Scheme: "https", Path: "/"}, Body: http.NoBody}
	_, err := parsed(t, `{"url.Filter": {"host": "api.example", "modifier": {"header.Modifier": {"name": "A", "value": "1"}}}}`).ModifyRequest(req)
	if err != nil || req.Header.Get("A") != "1" {
		t.Errorf("%v %v", req.Header, err)
	}
}

// The scope of a group or a filter holds for all that is in it.
func TestScopeOfWhatIsAround(t *testing.T) {
	for _, around := range []string{
		`{"fifo.Group": {"scope": ["SCOPE"], "modifiers": [{"header.Modifier": {"name": "A", "value": "1"}}]}}`,
		`{"priority.Group": {"scope": ["SCOPE"], "modifiers": [{"priority": 1, "modifier": {"header.Modifier": {"name": "A", "value": "1"}}}]}}`,
		`{"url.Filter": {"scope": ["SCOPE"], "host": "a.example", "modifier": {"header.Modifier": {"name": "A", "value": "1"}}}}`,
		`{"fifo.Group": {"modifiers": [{"header.Modifier": {"scope": ["SCOPE"], "name": "A", "value": "1"}}]}}`,
	} {
		for _, scope := range []string{"request", "response"} {
			r := parsed(t, strings.ReplaceAll(around, "SCOPE", scope))
			req := asking(t, "GET", "http://a.example/", "")
			res := answering(req, 200, "")
			if _, err := r.ModifyRequest(req); err != nil {
				t.Fatal(err)
			}
			if _, err := r.ModifyResponse(res); err != nil {
				t.Fatal(err)
			}
			asked, answered := req.Header.Get("A") != "", res.Header.Get("A") != ""
			if asked != (scope == "request") || answered != (scope == "response") {
				t.Errorf("%s for %s: request %v, answer %v", around, scope, asked, answered)
			}
		}
	}
}

func TestStatusThatIsThereKeepsItsPhrase(t *testing.T) {
	res := answering(asking(t, "GET", "http://a.example/", ""), 200, "")
	res.Status = "200 Fine"
	if _, err := parsed(t, `{"status.Modifier": {"statusCode": 200}}`).ModifyResponse(res); err != nil || res.Status != "200 Fine" {
		t.Errorf("%q %v", res.Status, err)
	}
}
