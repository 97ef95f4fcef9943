package exposure

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"sync"

	"telltale/flow"
	"telltale/flow/unwrap"
)

// A leaf is one value that was sent, at its place.
type leaf struct {
	name   string
	text   []byte
	layers []string
	place  interface{ Where() string }
}

// search is the state of one [Look].
type search struct {
	flow     *flow.Flow
	host     string
	measures bool // the host takes the messages of Google Analytics for Firebase
	found    []flow.Exposure
	raw      []original // what was found as it was sent, where somebody asked for it
	keepRaw  bool
	repeats  int  // how often what was found before was found
	asked    int  // how often a place was written out
	lat      half // of the pair that is being read
	lon      half
	sort     aside                    // of the value that is to come
	part     aside                    // a value whose sort is to come
	visitor  func(*unwrap.Value) bool // visit
	filter   unwrap.Filter            // of what visit need not see
	looked   int                      // how many values did not pass
	field    uint64                   // the hash of the header field that is being visited
	before   int                      // what looked was before it
	// names are those that were seen last, by their form: most stand there again and again.
	names [64]struct {
		name    string
		meaning meaning
	}
}

// searches are kept for the names that they have seen.
var searches = sync.Pool{New: func() any {
	s := new(search)
	s.visitor, s.filter = s.visit, unwrap.Filter{Known: s.known, Done: s.done, Names: true}
	return s
}}

// aside is a leaf that waits for the one beside it.
type aside struct {
	set    bool
	name   string
	text   string
	where  string
	layers []string
}

// The lengths of values, in bytes, that are looked at as a whole. Longer texts are only
// searched for what stands out.
const (
	minValue = 2
	maxValue = 512
)

func newSearch(f *flow.Flow) *search {
	s := searches.Get().(*search)
	s.flow, s.host = f, f.Host()
	s.measures = isMeasurement(s.host)
	return s
}

// release makes the search ready for the next flow.
func (s *search) release() {
	s.flow, s.host, s.found, s.raw, s.keepRaw = nil, "", nil, nil, false
	s.repeats, s.asked, s.looked, s.field, s.before = 0, 0, 0, 0, 0
	s.lat, s.lon, s.sort, s.part = half{}, half{}, aside{}, aside{}
	searches.Put(s)
}

// means returns what a name means.
func (s *search) means(name string) meaning {
	if name == "" {
		return nothing
	}
	if len(name) > maxName {
		return meaningOf(name)
	}
	n := &s.names[(len(name)*5+int(name[0])*3+int(name[len(name)-1])+int(name[len(name)/2])*7)%len(s.names)]
	if n.name != name {
		n.name, n.meaning = name, meaningOf(name)
	}
	return n.meaning
}

// passes reports whether a value in a part of the flow need not be looked at: most of them.
func (s *search) passes(m meaning, part, name string, text []byte) bool {
	if len(text) < minValue {
		return true
	}
	switch m {
	case ofServer, aVersion:
		return true
	case nothing:
	case aSecret, aSession, aPassword: // they count in URLs, which a Referer has as well
		if part != "body" && part != "cookie" {
			return false
		}
	default:
		return false
	}
	return !s.promises(name, text)
}

// look looks at one value.
func (s *search) look(m meaning, l leaf) {
	if len(l.text) <= maxValue {
		l.text = bytes.Trim(l.text, " \t\r\n\"'")
		if m == aSort {
			s.keepSort(l)
		}
		if useless(l.text) {
			return
		}
		if m == aPart || m == nothing {
			m = s.partOf(l, m)
		}
		if m == aDeviceID && s.sort.set {
			where, _ := s.where(l)
			if parent, _ := parentOf(where); parent == s.sort.where {
				defer s.rename(parent, meaningOf(s.sort.text))
			}
		}
		if s.byName(m, l) {
			return
		}
	}
	s.byForm(m, l)
}

// A sign is what a character says of the text that it is in, with those of the others.
type sign uint8

const (
	telling   sign = 1 << iota // what is known by its form has one, or begins with one
	separates                  // the groups of an address, or the parts of a JWT
	foreign                    // in an address
)

var signs = func() (t [256]sign) {
	for i := range t {
		if !isHex(byte(i)) {
			t[i] = foreign
		}
	}
	for _, c := range []byte(" \t\r\n\"'/%]") { // around an address
		t[c] = 0
	}
	for _, c := range []byte("@:+[") {
		t[c] = telling
	}
	t['.'], t['-'] = separates, separates
	return t
}()

// promises is a cheap look at a text whose name says nothing: most texts are not looked
// at again.
func (s *search) promises(name string, t []byte) bool {
	var has sign
	for _, c := range t {
		has |= signs[c]
	}
	switch {
	case has&telling != 0, name == "" && s.measures:
		return true
	case has&(separates|foreign) == separates && bytes.Count(t, []byte(".")) >= 2:
		return true
	case has&(separates|foreign) == separates && bytes.Count(t, []byte("-")) >= 2:
		return true
	}
	return len(t) >= minJWT && has&separates != 0 && bytes.Contains(t, []byte("eyJ")) || len(t) >= minFCM && bytes.Contains(t, []byte("APA91b"))
}

// byName looks for what the name promises, and reports whether it is there.
func (s *search) byName(m meaning, l leaf) bool {
	switch m {
	case nothing, aPart, aSort:
		return false
	case anAdvertisingID, anAdjustID, aVendorID, anAndroidID, anAppSetID, anInstallation, aFID, aDeviceID:
		return s.softwareID(m, l)
	case anIMEI, anIMEIOrMEID, anMEID, anIMSI, anICCID, aSerial, aLooseSerial:
		return s.hardwareID(m, l)
	case aMAC, aBSSID, anSSID, anAddress:
		return s.networkID(m, l)
	case anEmail, aPhone:
		return s.personal(m, l)
	case aLatitude, aLongitude, aLatitudeE7, aLongitudeE7, aPlace:
		return s.located(m, l)
	case aPushToken:
		return s.pushToken(l)
	case aSecret, aSession, aToken, aPassword:
		return s.secretInURL(m, l)
	}
	return false
}

// byForm looks for what is known without a name.
func (s *search) byForm(m meaning, l leaf) {
	if bytes.IndexByte(l.text, '@') >= 0 {
		s.emails(l)
	}
	if len(l.text) >= minFCM && bytes.Contains(l.text, []byte("APA91b")) {
		s.fcmTokens(l)
		return
	}
	if len(l.text) >= minJWT && l.text[0] == 'e' && isJWT(l.text) {
		s.secretInURL(aSecret, l)
		return
	}
	if bytes.Contains(l.text, []byte("candidate:")) {
		s.candidates(l)
		return
	}
	if len(l.text) > maxValue {
		return
	}
	if l.text = bytes.TrimPrefix(l.text, []byte("tel:")); len(l.text) < minValue { // RFC 3966
		return
	}
	switch c := l.text[0]; {
	case c == '+':
		s.personal(nothing, l)
		return
	case c == 'g' && bytes.HasPrefix(l.text, []byte("geo:")):
		s.located(aPlace, l)
		return
	case c == 'h' || c == 'E':
		s.pushEndpoint(l)
		return
	}
	if looksLikeAddress(l.text) {
		s.networkID(m, l)
	}
}

// where writes out the place of a value, which costs more than a look at it: that is done
// for a bounded number of values that turn out to be nothing.
func (s *search) where(l leaf) (string, bool) {
	if s.asked++; s.asked > maxAsked {
		return "", false
	}
	return l.place.Where(), true
}

// maxAsked is how many places of one flow are written out.
const maxAsked = 4000

// partOf returns what a value is whose name does not say it: by what it stands in, or by
// what stands beside it.
func (s *search) partOf(l leaf, m meaning) meaning {
	if len(l.text) < 8 || len(l.text) > 64 {
		return m
	}
	if m == nothing {
		if l.name != "" && !isDigit(l.name[len(l.name)-1]) || !s.measures {
			return m
		}
		return s.measured(l)
	}
	if !identifies(l.text) {
		return m
	}
	where, ok := s.where(l)
	if !ok {
		return m
	}
	parent, own := parentOf(where)
	if s.sort.set && s.sort.where == parent {
		if by := meaningOf(s.sort.text); by != nothing && by != aPart && by != aSort {
			return by
		}
	}
	around := lastName(parent)
	if by := meaningOf(around + "_" + own); by != aPart && by != nothing && by != aSort {
		return by
	}
	if by := meaningOf(around); by != aPart && by != nothing && by != aSort && by != aPlace {
		return by
	}
	if own == "uid" && isAppsFlyer(l.text) {
		return anInstallation
	}
	s.part = aside{set: true, name: l.name, text: string(l.text), where: where, layers: l.layers}
	return m
}

// keepSort keeps what says of which sort the value beside it is; that may have come before.
func (s *search) keepSort(l leaf) {
	if len(l.text) > maxName {
		return
	}
	by := meaningOf(string(l.text))
	if by == nothing || by == aPart || by == aSort || by == ofServer {
		return
	}
	where, ok := s.where(l)
	if !ok {
		return
	}
	parent, _ := parentOf(where)
	s.sort = aside{set: true, text: string(l.text), where: parent}
	s.rename(parent, by)
	if !s.part.set {
		return
	}
	if of, _ := parentOf(s.part.where); of == parent {
		s.byName(by, leaf{name: s.part.name, text: []byte(s.part.text), layers: s.part.layers, place: written(s.part.where)})
		s.part = aside{}
	}
}

// rename gives identifiers of devices of no known sort the one that stands beside them.
func (s *search) rename(parent string, by meaning) {
	kind, ok := map[meaning]string{anAdvertisingID: AdvertisingID, anAdjustID: AdvertisingID, aVendorID: IDFV, anAndroidID: AndroidID, anAppSetID: AppSetID}[by]
	for i := range s.found {
		e := &s.found[i]
		if !ok || e.Kind != InstallationID {
			continue
		}
		if of, _ := parentOf(e.Where); of == parent && meaningOf(e.Name) == aDeviceID && s.count(kind) < MaxOfKind {
			e.Kind = kind
		}
	}
}

// written is a place that was already written out.
type written string

// Where returns the place.
func (w written) Where() string { return string(w) }

const (
	maxRepeats = 1000         // places of values that were found before that are written out
	maxRaw     = MaxExposures // texts that are kept for who asked for them
)

// original is a value as it was sent, and what people may see of it.
type original struct{ text, masked, kind, digest string }

// count returns how many entries of a kind there are.
func (s *search) count(kind string) int {
	n := 0
	for i := range s.found {
		if s.found[i].Kind == kind {
			n++
		}
	}
	return n
}

// add keeps what was found. normal is the value in the one way in which its digest is
// made, masked what people may see of it.
func (s *search) add(kind string, l leaf, normal, masked string) bool {
	if s.keepRaw && len(l.text) > 0 && len(s.raw) < maxRaw {
		s.raw = append(s.raw, original{string(l.text), masked, kind, digestOf(normal)})
	}
	if s.count(kind) == MaxOfKind {
		return true
	}
	e := flow.Exposure{Kind: kind, Name: shownName(l.name), Layers: l.layers, Masked: masked, Digest: digestOf(normal)}
	if len(l.text) >= 4 {
		e.Name = strings.ReplaceAll(e.Name, string(l.text), masked)
	}
	known := s.knows(&e)
	if known && s.flow.Kind == flow.WebSocket { // what each message has counts where it stood first
		return true
	}
	if !known {
		e.Where = l.place.Where()
	} else if s.repeats++; s.repeats <= maxRepeats {
		e.Where = l.place.Where()
	} else {
		return true
	}
	if len(l.text) >= 4 {
		e.Where = strings.ReplaceAll(e.Where, string(l.text), masked)
	}
	if !slices.ContainsFunc(s.found, func(o flow.Exposure) bool { return o.Kind == kind && o.Digest == e.Digest && o.Where == e.Where }) {
		s.found = append(s.found, e)
	}
	return true
}

// digestOf returns the digest of a value in the one way in which its digest is made.
func digestOf(normal string) string {
	sum := sha256.Sum256([]byte(normal))
	return hex.EncodeToString(sum[:16])
}

// knows reports whether a value was found before, under this name.
func (s *search) knows(e *flow.Exposure) bool {
	return slices.ContainsFunc(s.found, func(o flow.Exposure) bool { return o.Kind == e.Kind && o.Digest == e.Digest && o.Name == e.Name })
}

// shownName returns a name that a programmer chose, and "*" for one that may be a value.
func shownName(name string) string {
	if name == "" {
		return ""
	}
	return unwrap.ShownName(name)
}

// innermost returns what was found without what was also found further inside: a text of
// JSON has what the values in it have.
func (s *search) innermost() []flow.Exposure {
	if len(s.found) < 2 {
		return s.found
	}
	return slices.DeleteFunc(slices.Clone(s.found), func(a flow.Exposure) bool {
		return slices.ContainsFunc(s.found, func(b flow.Exposure) bool {
			switch {
			case a.Kind != b.Kind:
				return false
			case a.Where == b.Where: // as it stood, and decoded
				return len(b.Layers) > len(a.Layers) && (a.Digest == b.Digest || a.Kind != Email)
			}
			rest, inside := strings.CutPrefix(b.Where, a.Where)
			return inside && a.Digest == b.Digest && strings.IndexByte(" .[", rest[0]) >= 0
		})
	})
}

// parentOf parts a place into what it stands in and its own name.
func parentOf(where string) (parent, own string) {
	i := strings.LastIndexAny(where, ". []")
	if i < 0 {
		return "", where
	}
	if where[i] == ']' {
		return strings.TrimRight(where[:max(0, strings.LastIndexByte(where, '['))], "."), ""
	}
	return where[:i], where[i+1:]
}

// lastName returns the last name of a place, without the numbers of items.
func lastName(where string) string {
	for strings.HasSuffix(where, "]") {
		i := strings.LastIndexByte(where, '[')
		if i < 0 {
			break
		}
		where = where[:i]
	}
	_, own := parentOf(where)
	return own
}

// inURL reports whether a place is in the URL, or in the one before it, which the Referer
// header tells.
func inURL(where string) bool {
	return strings.HasPrefix(where, "query") || strings.HasPrefix(where, "URL ") || strings.HasPrefix(where, "header Referer query")
}
