package experiment

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// statusAnswer answers with a status alone, as a plain server does: nothing in it says
// that telltale made it.
func statusAnswer(status string) func(*http.Request) (*http.Response, string) {
	code, _ := strconv.Atoi(status) // of a list of ours
	return func(r *http.Request) (*http.Response, string) {
		body := ""
		if code != http.StatusNoContent {
			title := status + " " + http.StatusText(code)
			body = "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title + "</h1></center>\r\n</body>\r\n</html>\r\n"
		}
		return answer(r, code, "text/html", body), "answered " + status + " in the place of the server"
	}
}

// redirect sends a client to the sign-in page.
func redirect(to string) func(*http.Request) (*http.Response, string) {
	return func(r *http.Request) (*http.Response, string) {
		resp := answer(r, http.StatusFound, "text/plain; charset=utf-8", "This network has a sign-in page.\n")
		resp.Header.Set("Location", to)
		resp.Header.Set("Cache-Control", "no-store")
		return resp, "redirected to the sign-in page in the place of the server"
	}
}

// answer makes a response to a request.
func answer(r *http.Request, code int, kind, body string) *http.Response {
	resp := &http.Response{
		StatusCode: code, Status: strconv.Itoa(code) + " " + http.StatusText(code),
		Proto: r.Proto, ProtoMajor: r.ProtoMajor, ProtoMinor: r.ProtoMinor,
		Header: http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}}, Body: http.NoBody, Request: r,
	}
	if body == "" {
		return resp
	}
	resp.Header.Set("Content-Type", kind)
	if r.Method == http.MethodHead {
		return resp
	}
	resp.ContentLength = int64(len(body))
	resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
	resp.Body = io.NopCloser(strings.NewReader(body))
	return resp
}
