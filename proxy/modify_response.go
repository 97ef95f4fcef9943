package proxy

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// modifyResponse lets the modifier of the request, if there was one, at the answer of the
// server. What the client is given is then whole in itself: its length is that of its
// content, and there is content only where HTTP has some.
func (t *trip) modifyResponse(resp *http.Response) {
	m := t.mod
	if m == nil {
		return
	}
	before := *resp
	length, encoding := slices.Clone(resp.Header["Content-Length"]), slices.Clone(resp.Header["Content-Encoding"])
	c := &original{src: resp.Body}
	resp.Request, resp.Body = m.seen, c
	m.run(t, "answer", func() ([]Alteration, error) { return m.by.ModifyResponse(resp) })
	resp.Header = t.settleHeader("answer", resp.Header)
	delete(resp.Header, "Transfer-Encoding") // TransferEncoding says it
	t.settleStatus(resp, &before)

	body := resp.Body
	if body == io.ReadCloser(c) {
		c.rewind()
		resp.ContentLength, resp.TransferEncoding = before.ContentLength, before.TransferEncoding
		restore(resp.Header, "Content-Length", length)
		if resp.StatusCode != before.StatusCode && !allowsContent(before.StatusCode) || m.seen.Method == http.MethodHead && t.in.Method != http.MethodHead {
			setContent(resp, http.NoBody, 0) // there was none
		}
	} else {
		rep, n := replaced(body, c, resp.ContentLength, before.ContentLength, lengthOf(resp.Header, length))
		if !c.touched() {
			if slices.Equal(resp.Header["Content-Encoding"], encoding) {
				delete(resp.Header, "Content-Encoding")
			}
			resp.Trailer = nil
		}
		setContent(resp, &both{rep, before.Body}, n)
		if resp.TransferEncoding = nil; n < 0 && t.in.ProtoAtLeast(1, 1) && t.in.ProtoMajor == 1 {
			resp.TransferEncoding = inChunks
		}
	}
	switch {
	case t.in.Method == http.MethodHead: // the length that it would have stays
		if resp.Body != before.Body {
			t.dropContent(resp)
		}
	case !allowsContent(resp.StatusCode) && (resp.StatusCode != before.StatusCode || body != io.ReadCloser(c)):
		t.dropContent(resp)
		delete(resp.Header, "Content-Length")
		resp.ContentLength, resp.TransferEncoding, resp.Trailer = 0, nil, nil
	}
}

var inChunks = []string{"chunked"}

// settleStatus makes the status one that can be passed on, and its line fit.
func (t *trip) settleStatus(resp, before *http.Response) {
	if resp.StatusCode < 200 || resp.StatusCode > 999 {
		t.undone("answer", fmt.Sprintf("%d is no status of a final answer", resp.StatusCode))
		resp.StatusCode, resp.Status = before.StatusCode, before.Status
	}
	if code := strconv.Itoa(resp.StatusCode); !strings.HasPrefix(resp.Status, code+" ") {
		resp.Status = code + " " + http.StatusText(resp.StatusCode)
	}
}

// allowsContent reports whether answers with a status have content (RFC 9110, 6.4.1).
func allowsContent(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

// setContent gives an answer its content and length.
func setContent(resp *http.Response, body io.ReadCloser, n int64) {
	resp.Body, resp.ContentLength = body, n
	sayLength(resp.Header, n)
}

// dropContent takes the content out of an answer that has none.
func (t *trip) dropContent(resp *http.Response) {
	resp.Body.Close()
	resp.Body = http.NoBody
}

// both is content that replaces another: the two are closed together.
type both struct {
	*replacement
	server io.Closer
}

// Close closes the new content and the server's.
func (b *both) Close() error {
	b.replacement.Close() // of a modifier, which has done its work
	return b.server.Close()
}

// modifySwitch lets the modifier at the header of an answer that switches protocols.
func (t *trip) modifySwitch(resp *http.Response) {
	m := t.mod
	if m == nil {
		return
	}
	before := *resp
	resp.Request, resp.Body = m.seen, http.NoBody
	m.run(t, "answer", func() ([]Alteration, error) { return m.by.ModifyResponse(resp) })
	header := t.settleHeader("answer", resp.Header)
	if resp.StatusCode != before.StatusCode || resp.Body != http.NoBody {
		t.undone("answer", "an answer that switches protocols keeps its status and has no content")
	}
	*resp = before
	resp.Header = header
	restore(header, "Content-Length", nil)
}
