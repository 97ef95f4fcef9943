package rules

import (
	"fmt"
	"net/http"
	"strconv"
)

// aboutContent are headers that say something of a content that is no longer there. Of these
// ETag and Last-Modified would outlast the experiment: the client would keep the content of
// a rule, and the server would later say that it is still right.
var aboutContent = []string{"Content-Md5", "Content-Digest", "Repr-Digest", "Digest", "Content-Range",
	"Etag", "Last-Modified", "Trailer", "Transfer-Encoding"}

// alterBody replaces the content.
func alterBody(fields *node) alterer {
	size := int64(len(decoded(fields.member("body"))))
	media := fields.member("contentType").text
	say := func(before int64) string {
		old := "of unknown size"
		if before >= 0 {
			old = fmt.Sprintf("%d bytes", before)
		}
		return fmt.Sprintf("replaced the content (%s → %d bytes, %s)", old, size, clip(media))
	}
	return alterer{
		requests: func(l *leaf, req *http.Request) (string, error) {
			before := req.ContentLength
			if req.Header.Get("Upgrade") != "" || req.Method == http.MethodConnect || before == 0 && size == 0 {
				return "", nil
			}
			if req.Body == nil {
				req.Body = http.NoBody
			}
			if err := l.request.ModifyRequest(req); err != nil {
				return "", err
			}
			frame(req.Header, size)
			req.TransferEncoding, req.Trailer, req.GetBody = nil, nil, nil
			if size == 0 {
				req.Body = http.NoBody
			}
			return say(before), nil
		},
		answers: func(l *leaf, res *http.Response) (string, error) {
			if !hasContent(res.StatusCode) {
				return "", nil // it cannot have any
			}
			before := res.ContentLength
			if before == 0 && size == 0 {
				return "", nil
			}
			return say(before), l.replace(res, size)
		},
	}
}

// replace lets martian replace the content of an answer. It never sees that a range was asked
// for: with one that is not within the content it panics or fails, and it leaves an answer
// of 416 with the length of the old content. A server may always answer with the whole
// (RFC 9110, 14.2). An answer to HEAD gets the content as well: whoever passes it on writes
// the length alone.
func (l *leaf) replace(res *http.Response, size int64) error {
	if res.Body == nil {
		res.Body = http.NoBody
	}
	asked := res.Request
	if asked.Header.Get("Range") != "" {
		whole := *asked
		whole.Header = asked.Header.Clone()
		whole.Header.Del("Range")
		res.Request = &whole
	}
	err := l.response.ModifyResponse(res)
	res.Request = asked
	if err != nil {
		return err
	}
	if res.StatusCode == http.StatusPartialContent {
		res.StatusCode, res.Status = http.StatusOK, "200 OK"
	}
	frame(res.Header, size)
	res.TransferEncoding, res.Trailer, res.Uncompressed = nil, nil, false
	if size == 0 {
		res.Body = http.NoBody
	}
	return nil
}

// frame writes the length of a new content, and drops what was said of the old one.
func frame(h http.Header, size int64) {
	for _, name := range aboutContent {
		h.Del(name)
	}
	h.Set("Content-Length", strconv.FormatInt(size, 10))
}

// hasContent says whether an answer of a status may have content (RFC 9110, 6.4.1 and 15.3.6).
func hasContent(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusResetContent && status != http.StatusNotModified
}

// alterStatus sets the status. An answer that may not have content loses it, and one that
// now may has none: martian leaves that to others.
func alterStatus(*node) alterer {
	return alterer{answers: func(l *leaf, res *http.Response) (string, error) {
		before := res.StatusCode
		phrase := res.Status
		if err := l.response.ModifyResponse(res); err != nil {
			return "", err
		}
		if res.StatusCode == before {
			res.Status = phrase
			return "", nil
		}
		head := res.Request.Method == http.MethodHead
		switch {
		case !hasContent(res.StatusCode):
			if res.Body != nil {
				res.Body.Close()
			}
			res.Body, res.ContentLength, res.TransferEncoding, res.Trailer = http.NoBody, 0, nil, nil
			for _, name := range []string{"Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding", "Trailer"} {
				res.Header.Del(name)
			}
		case !hasContent(before) && !head:
			res.Body, res.ContentLength, res.TransferEncoding = http.NoBody, 0, nil
			res.Header.Set("Content-Length", "0")
		}
		if res.StatusCode != http.StatusPartialContent && res.StatusCode != http.StatusRequestedRangeNotSatisfiable {
			res.Header.Del("Content-Range")
		}
		return fmt.Sprintf("%d → %d", before, res.StatusCode), nil
	}}
}
