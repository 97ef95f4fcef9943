package locate

import (
	"bytes"
	"path"
	"strings"

	"telltale/declarations"
	"telltale/locate/app"
	"telltale/locate/hosts"
	"telltale/locate/reading"
	"telltale/locate/resources"
	"telltale/policy/needle"
)

// An examination is the search of one file, or of one window of it.
type examination struct {
	*search
	file app.File
	doc  reading.Document // nil where no reader knows the file
	base int64            // where Data begins in the file
	// Matches before from belong to the window before this one, those from until on to the
	// next; until is 0 in the last one.
	from, until int
	found       []found
	at          map[spot]bool  // where the bytes themselves have the plain text
	seen        map[same]int   // index into found
	kept        map[string]int // leads to each name
	times       map[int]int    // matches of each name
}

// A spot is a place at which a name stands in plain.
type spot struct{ wanted, start int }

// same is what makes two matches of a file one lead.
type same struct {
	name         string
	form         Form
	text, module string
}

// A hit is a match before it is known what it means.
type hit struct {
	wanted     int
	form       Form
	start, end int // in Data
	view       view
	around     view // what view was before it was cut
	key        byte
	whole      bool // the view is one text with bounds of its own
}

// A name that stands in a file more often than this is counted no more.
const mostMatches = 2000

// windowed searches a window of a file that has no document.
func (x *examination) windowed() {
	if x.result.Listed {
		x.list()
		return
	}
	x.bytes()
	x.differences()
}

// bytes finds every form that bytes show by themselves.
func (x *examination) bytes() {
	data := x.file.Data
	x.needles.bytes.Find(data, func(form *needle.Form, start int) bool {
		p := x.needles.patterns[form.Tag]
		end := start + len(form.Bytes)
		if !x.ours(p, start) {
			return true
		}
		if p.form == BareHost && inPercent(data[:start]) {
			p.form, p.view = Percent, viewPercent
		}
		if v, ok := p.view(data, start, end); ok {
			x.hit(hit{wanted: p.wanted, form: p.form, start: start, end: end, view: v})
		}
		return true
	})
}

// ours reports whether a match is for this window, and not one of too many.
func (x *examination) ours(p pattern, start int) bool {
	if x.beyond(start) {
		return false
	}
	if x.times == nil {
		x.times = map[int]int{}
	}
	x.times[p.wanted]++
	return x.times[p.wanted] <= mostMatches
}

// beyond reports whether a match is another window's.
func (x *examination) beyond(start int) bool {
	return start < x.from || x.until > 0 && start >= x.until
}

// blockSize is how many differences are made at once.
const blockSize = 64 << 10

// differences finds texts in which each byte was changed by the same XOR.
func (x *examination) differences() {
	data, longest := x.file.Data, 0
	for _, name := range x.names {
		longest = max(longest, len(name))
	}
	if x.needles.differences.Len() == 0 {
		return
	}
	block := make([]byte, 0, blockSize+longest)
	for from := 0; from < len(data); from += blockSize {
		to := min(len(data), from+blockSize+longest)
		block = difference(block[:0], data[from:to])
		x.needles.differences.Find(block, func(form *needle.Form, at int) bool {
			p := x.needles.patterns[form.Tag]
			start, name := from+at, x.names[p.wanted]
			key := data[start] ^ name[0]
			if key == 0 || at >= blockSize || !x.ours(p, start) {
				return true
			}
			end := start + len(name)
			x.hit(hit{wanted: p.wanted, form: XOR, start: start, end: end, view: viewXOR(data, start, end, key), key: key})
			return true
		})
	}
}

// joined finds what code puts together from several texts.
func (x *examination) joined() {
	doc, ok := x.doc.(reading.Joiner)
	if !ok {
		return
	}
	doc.Joined(func(j reading.Joined) bool {
		x.needles.joined.Find(j.Value, func(form *needle.Form, at int) bool {
			p := x.needles.patterns[form.Tag]
			start, end := span(j.Parts, at, at+len(form.Bytes))
			if x.known(p.wanted, start, end) || !x.ours(p, start) {
				return true
			}
			h := hit{wanted: p.wanted, form: Neighbours, start: start, end: end, whole: true}
			if j.Sure {
				h.form = Split
			}
			h.view = view{bytes.Clone(j.Value), at, at + len(form.Bytes)}
			x.hit(h)
			return true
		})
		return true
	})
}

// span returns the part of a file that a piece of a joined text comes from.
func span(parts []reading.Part, from, to int) (start, end int) {
	for _, p := range parts {
		if p.At <= from {
			start = p.Start
		}
		if p.At < to {
			end = p.End
		}
	}
	return start, end
}

// known reports whether the bytes of a range have the plain text by themselves.
func (x *examination) known(wanted, start, end int) bool {
	name := []byte(x.names[wanted])
	for at := range x.at {
		if at.wanted == wanted && at.start >= start && at.start+len(name) <= end {
			return true
		}
	}
	return false
}

// hit asks what a match means, and keeps it where it is a lead.
func (x *examination) hit(h hit) {
	place := reading.Place{}
	if x.doc != nil {
		place = x.doc.Place(h.start, h.end)
		h.clip(place)
	}
	if h.form == BareHost || h.form == Verbatim {
		if x.at == nil {
			x.at = map[spot]bool{}
		}
		x.at[spot{h.wanted, h.start}] = true
	}
	isHost := h.wanted < x.hosts
	if isHost && h.form != Parent && !h.view.alone() || h.form == Parent && !h.view.ending() {
		return
	}
	lead := Lead{
		Wanted: x.names[h.wanted], File: x.file.Path, App: x.file.App,
		Offset: x.base + int64(h.start), Form: h.form, Key: h.key, Place: place,
	}
	from, to := h.view.start, h.view.end
	if m, ok := mentionAt(h.view, h.whole || h.bounded(place)); ok && isHost && h.form != Parent {
		lead.Mention = m
		from, to = min(from, m.Start), max(to, m.End)
		if m.URL != "" && lead.Form == BareHost {
			lead.Form = WholeURL
		}
	}
	lead.startEarlier(h.view.start - from)
	lead.Text = string(h.view.text[from:to])
	lead.Snippet = h.snippet(place, from, to)
	x.add(lead)
}

// snippet returns what stands around a range of the view: in a text, the line also beyond the
// literal, which is code that a person can read.
func (h *hit) snippet(p reading.Place, from, to int) Snippet {
	plain := h.form == BareHost || h.form == Verbatim
	if !plain || p.Line == 0 || p.Literal != "" {
		return h.view.snippet(from, to)
	}
	shift := h.around.start - h.view.start
	return h.around.line(from+shift, to+shift)
}

// startEarlier moves the place of a lead to the beginning of the URL, some characters before
// the host, where these stand in the file as they are.
func (l *Lead) startEarlier(by int) {
	unit := 1
	switch l.Form {
	case UTF16:
		unit = 2
	case WholeURL, Verbatim:
	default:
		return
	}
	l.Offset -= int64(by * unit)
	if l.Place.Column > by {
		l.Place.Column -= by
	}
}

// bounded reports whether the view ends where the text ends that holds the match.
func (h *hit) bounded(p reading.Place) bool { return p.LiteralEnd > p.LiteralStart }

// clip cuts a view to the literal in which the match stands: what is beyond its bounds belongs
// to something else.
func (h *hit) clip(p reading.Place) {
	h.around = h.view
	if !h.bounded(p) {
		return
	}
	unit := 1
	switch h.form {
	case UTF16:
		unit = 2
	case BareHost, Verbatim, Percent, Parent:
	default:
		return
	}
	if p.Literal != "" && h.form != Percent {
		name := h.view.text[h.view.start:h.view.end]
		if at := indexFold(p.Literal, string(name)); at >= 0 {
			h.view = view{[]byte(p.Literal), at, at + len(name)}
			return
		}
	}
	if h.form == Percent {
		return // its view has another length than the bytes
	}
	before := max(0, h.start-p.LiteralStart) / unit
	after := max(0, p.LiteralEnd-h.end) / unit
	v := &h.view
	if cut := v.start - before; cut > 0 {
		v.text, v.start, v.end = v.text[cut:], v.start-cut, v.end-cut
	}
	v.text = v.text[:min(len(v.text), v.end+after)]
}

func indexFold(text, part string) int {
	return strings.Index(strings.ToLower(text), strings.ToLower(part))
}

// mentionAt returns the mention of a host in which a match stands.
func mentionAt(v view, whole bool) (found hosts.Mention, ok bool) {
	hosts.Find(v.text, whole, func(m hosts.Mention) bool {
		if m.Start <= v.start && v.end <= m.End {
			found, ok = m, true
		}
		return m.Start <= v.start
	})
	return found, ok
}

// mostLeads is how many places of one file are kept for a name.
const mostLeads = 50

// add keeps a lead, or counts it with one that says the same.
func (x *examination) add(lead Lead) {
	if x.seen == nil {
		x.seen, x.kept = map[same]int{}, map[string]int{}
	}
	key := same{name: lead.Wanted, form: lead.Form, text: lead.Text}
	if m := lead.Place.Module; m != nil {
		key.module = m.ID + " " + m.Name
	}
	if i, ok := x.seen[key]; ok {
		x.found[i].Same++
		return
	}
	if x.kept[lead.Wanted]++; x.kept[lead.Wanted] > mostLeads {
		return
	}
	x.seen[key] = len(x.found)
	f := found{Lead: lead}
	if m := lead.Place.Module; m != nil {
		f.around = bytes.Clone(clamp(x.file.Data, m.Start, min(m.End, m.Start+mostAround)))
	}
	x.found = append(x.found, f)
}

// mostAround is how much of a module is kept to recognise it, in bytes.
const mostAround = 64 << 10

func clamp(data []byte, start, end int) []byte {
	if start < 0 || end > len(data) || start >= end {
		return nil
	}
	return data[start:end]
}

// settings returns what the file sets of the settings that libraries have.
func (x *examination) settings() (all []set) {
	doc, ok := x.doc.(reading.Setter)
	if !ok {
		return nil
	}
	for _, one := range doc.Settings(x.search.settings) {
		p := x.doc.Place(one.Start, one.End)
		all = append(all, set{Setting: one, app: x.file.App, file: x.file.Path, line: p.Line, column: p.Column})
	}
	return all
}

// declared returns what the file says of the app's privacy and network.
func (x *examination) declared() []declarations.Declaration {
	if len(x.file.Data) > declarations.MaxSize || !declares(x.file) {
		return nil
	}
	text, err := resources.Text(x.file.Data)
	if err != nil {
		text = x.file.Data // a property list, which has a form of its own
	}
	d, err := declarations.Read(x.file.Path, text)
	if err != nil {
		return nil
	}
	return []declarations.Declaration{d}
}

// declares reports whether a file may be a declaration, by its name or, since tools shorten the
// names of resources, by its root element in one of the forms that it has in an app.
func declares(f app.File) bool {
	switch path.Base(f.Path) {
	case "PrivacyInfo.xcprivacy", "AndroidManifest.xml":
		return true
	case "Info.plist":
		return bytes.Contains(f.Data, []byte("NSAppTransportSecurity"))
	}
	const root = "network-security-config"
	return path.Ext(f.Path) == ".xml" && (bytes.Contains(f.Data, []byte(root)) || bytes.Contains(f.Data, []byte(wide(root))))
}
