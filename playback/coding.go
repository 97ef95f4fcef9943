package playback

import (
	"net/http"
	"strconv"
	"strings"

	"telltale/flow/content"
)

// maxUncoded is how large a content may become whose coding is undone.
const maxUncoded = 64 << 20

// takes reports whether a client asked for all codings of a content (RFC 9110, 12.5.3). One
// that says nothing is taken for one that cannot undo any: it gets what it always can read.
func takes(accept []string, codings []string) bool {
	asked := map[string]bool{}
	for one := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		name, parameters, _ := strings.Cut(one, ";")
		if name = strings.ToLower(strings.TrimSpace(name)); name == "" {
			continue
		}
		weight := 1.0
		if q, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(parameters)), "q="); ok {
			weight, _ = strconv.ParseFloat(strings.TrimSpace(q), 64)
		}
		asked[strings.TrimPrefix(name, "x-")] = weight > 0
	}
	for _, coding := range codings {
		yes, named := asked[strings.TrimPrefix(coding, "x-")]
		if !yes && (named || !asked["*"]) {
			return false
		}
	}
	return true
}

// uncode undoes the content coding of an answer for a client that did not ask for it, and says
// so. coded is nil where the content is not sent.
func uncode(resp *http.Response, req *http.Request, coded []byte) (plain []byte, what string) {
	coding := strings.Join(resp.Header.Values("Content-Encoding"), ", ")
	codings := content.Codings(coding)
	if len(codings) == 0 || takes(req.Header.Values("Accept-Encoding"), codings) {
		return coded, ""
	}
	if resp.StatusCode == http.StatusPartialContent {
		return coded, "whose content coding was not asked for"
	}
	plain, err := content.Decode(coding, coded, maxUncoded)
	if err != nil {
		return coded, "whose content coding was not asked for, and cannot be undone"
	}
	for _, name := range []string{"Content-Encoding", "Content-Md5", "Digest", "Content-Digest", "Repr-Digest"} {
		resp.Header.Del(name)
	}
	if etag := resp.Header.Get("Etag"); etag != "" && !strings.HasPrefix(etag, "W/") {
		resp.Header.Set("Etag", "W/"+etag) // the same, and not byte for byte
	}
	if coded == nil {
		resp.ContentLength = -1 // not known without the content
	}
	return plain, "whose content coding was undone, since it was not asked for"
}
