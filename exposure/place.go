package exposure

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// half is one coordinate that waits for the other.
type half struct {
	set      bool
	value    float64
	decimals int
	name     string
	parent   string
	where    string
	layers   []string
	text     string
}

// minDecimals is from how many decimals on a place is precise: 0.001° are 110 m.
const minDecimals = 3

// located looks for places: two numbers under names that belong together, or both in one
// text.
func (s *search) located(m meaning, l leaf) bool {
	if m == aPlace {
		return s.pair(l)
	}
	value, decimals, ok := coordinate(l.text)
	if m == aLatitudeE7 || m == aLongitudeE7 {
		value, decimals, ok = scaled(l.text)
	}
	isLat := m == aLatitude || m == aLatitudeE7
	if !ok || isLat && math.Abs(value) > 90 || math.Abs(value) > 180 {
		return false
	}
	where, ok := s.where(l)
	if !ok {
		return false
	}
	parent, _ := parentOf(where)
	h := half{true, value, decimals, l.name, parent, where, l.layers, ""}
	if s.keepRaw {
		h.text = string(l.text)
	}
	if isLat {
		s.lat = h
	} else {
		s.lon = h
	}
	if s.lat.set && s.lon.set && s.lat.parent == s.lon.parent {
		if s.addPlace(leaf{name: s.lat.name, layers: s.lat.layers, place: written(s.lat.where)}, s.lat.value, s.lon.value, max(s.lat.decimals, s.lon.decimals)) && s.keepRaw {
			s.raw = append(s.raw, s.lat.original(), s.lon.original())
		}
		s.lat, s.lon = half{}, half{}
	}
	return true
}

// original returns a half of a place as it was sent. Its mask shows the whole degrees.
func (h half) original() original {
	whole, _, ok := strings.Cut(h.text, ".")
	if !ok { // in parts of a degree
		return original{text: h.text, masked: h.text[:min(2, len(h.text)/2)] + "…", kind: Location}
	}
	return original{text: h.text, masked: whole + ".…", kind: Location}
}

// coordinate reads a number in degrees, and tells how many decimals it has.
func coordinate(t []byte) (value float64, decimals int, ok bool) {
	if len(t) == 0 || len(t) > 32 || t[0] != '-' && t[0] != '+' && !isDigit(t[0]) {
		return 0, 0, false
	}
	dot := bytes.IndexByte(t, '.')
	if dot < 0 {
		return 0, 0, false
	}
	for i, c := range t {
		if !isDigit(c) && i != dot && i != 0 {
			return 0, 0, false
		}
	}
	value, err := strconv.ParseFloat(string(t), 64)
	return value, len(t) - dot - 1, err == nil
}

// scaled reads a number in millionths or in tenths of millionths of a degree.
func scaled(t []byte) (value float64, decimals int, ok bool) {
	if len(t) > 11 || !allDigits(bytes.TrimPrefix(t, []byte("-"))) {
		return 0, 0, false
	}
	n, err := strconv.ParseInt(string(t), 10, 64)
	return float64(n) / 1e7, 7, err == nil
}

// pair reads "52.5200,13.4050", with what may stand before it.
func (s *search) pair(l leaf) bool {
	t := bytes.TrimPrefix(l.text, []byte("geo:")) // RFC 5870
	t = bytes.Trim(t, "[]() ")
	if i := bytes.IndexAny(t, ";@"); i > 0 {
		t = t[:i]
	}
	first, rest, ok := bytes.Cut(t, []byte(","))
	if !ok {
		return false
	}
	second, _, _ := bytes.Cut(rest, []byte(",")) // an altitude may follow
	lat, a, okLat := coordinate(bytes.TrimSpace(first))
	lon, b, okLon := coordinate(bytes.TrimSpace(second))
	if !okLat || !okLon {
		return false
	}
	if reversed := strings.HasPrefix(strings.ToLower(l.name), "lon") || strings.HasPrefix(strings.ToLower(l.name), "lng") || math.Abs(lat) > 90; reversed {
		lat, lon = lon, lat
	}
	return s.addPlace(l, lat, lon, max(a, b))
}

// addPlace adds a place that is precise, and that is one: 0,0 is what a phone says that
// does not know where it is.
func (s *search) addPlace(l leaf, lat, lon float64, decimals int) bool {
	if math.Abs(lat) > 90 || math.Abs(lon) > 180 || decimals < minDecimals {
		return false
	}
	if math.Abs(lat) < 0.01 && math.Abs(lon) < 0.01 || lat == lon {
		return false
	}
	for _, p := range manuals {
		if math.Abs(lat-p[0]) < 0.0002 && math.Abs(lon-p[1]) < 0.0002 {
			return false
		}
	}
	decimals = min(decimals, 7)
	masked := fmt.Sprintf("%d.…, %d.… (to %s)", int(lat), int(lon), precision(decimals))
	return s.add(Location, l, fmt.Sprintf("%.4f,%.4f", lat, lon), masked)
}

// manuals are places at which emulators and manuals put every phone: Googleplex, Apple's
// simulator.
var manuals = [][2]float64{{37.421998, -122.084}, {37.422, -122.084}, {37.785834, -122.406417}, {37.33182, -122.03118}}

// precision says how large a step of the last decimal is.
func precision(decimals int) string {
	m := 111_000 / math.Pow10(decimals)
	if m >= 1 {
		return "about " + strconv.Itoa(int(math.Round(m))) + " m"
	}
	return "less than 1 m"
}
