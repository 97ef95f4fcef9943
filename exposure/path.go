package exposure

import (
	"strings"

	"telltale/flow"
)

// lookAtPath looks at the segments of the URL's path, each under the name of the one
// before it: "/v1/projects/p/installations/FID", "/players/UUID/on_session".
func (s *search) lookAtPath() {
	if s.flow.Request == nil {
		return
	}
	path := s.flow.Request.URL
	if i := strings.Index(path, "://"); i >= 0 {
		path = path[i+3:]
	}
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path = path[:i]
	}
	_, path, _ = strings.Cut(path, "/")
	before := ""
	for n := 0; path != "" && n < 64; n++ {
		segment, rest, _ := strings.Cut(path, "/")
		segment = flow.Unpercent(segment)
		if before != "" && len(segment) >= minSegment && len(segment) <= maxValue {
			s.segment(before, segment)
		}
		before, path = segment, rest
	}
}

// minSegment is the length of the shortest identifier below: a phone number, in bytes.
const minSegment = 7

func (s *search) segment(before, segment string) {
	l := leaf{name: before, text: []byte(segment), place: written("URL path")}
	switch m := meaningOf(before); m {
	case anAdvertisingID, aVendorID, anAndroidID, anAppSetID, anInstallation, aDeviceID, anIMEI, anMEID, anIMSI, anICCID, aMAC, aBSSID, aPhone, aPushToken:
		if !useless(l.text) && !(m == aPushToken && len(segment) < minAPNs) {
			s.byName(m, l)
		}
	}
}
