package locate

import (
	"bytes"
	"path"
	"slices"

	"telltale/declarations"
	"telltale/locate/app"
	"telltale/locate/hosts"
	"telltale/locate/library"
	"telltale/locate/reading"
	"telltale/locate/resources"
	"telltale/locate/script"
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
	plain       map[int][]int  // where the bytes themselves have each name
	seen        map[same]int   // index into found
	kept        map[tally]int  // leads to each name
	tried       map[tally]int  // matches of each name
	around      map[int][]byte // texts of modules, by where they begin
}

// A tally counts for a name in one form: what is found in one takes nothing from another.
type tally struct {
	name string
	form Form
}

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
	place      reading.Place
	view       view
	key        byte
	whole      bool // the view is one text with bounds of its own
}

// What is looked at and kept of a name in one form, in one file.
const (
	mostTried = 50_000
	mostLeads = 50
)

// run lists what the file has, or looks for what is wanted.
func (x *examination) run() {
	if x.result.Listed {
		x.list()
		return
	}
	x.bytes()
	x.differences()
	x.joined()
}

// bytes finds every form that bytes show by themselves.
func (x *examination) bytes() {
	data := x.file.Data
	x.needles.bytes.Find(data, func(form *needle.Form, start int) bool {
		p := x.needles.patterns[form.Tag]
		if p.form == BareHost && inPercent(data[:start]) {
			p.form, p.view = Percent, viewPercent
		}
		x.look(p, start, start+len(form.Bytes), 0)
		return true
	})
}

// look takes a match, and undoes its form within the text in which it stands.
func (x *examination) look(p pattern, start, end int, key byte) {
	if !x.ours(p, start) {
		return
	}
	h := hit{wanted: p.wanted, form: p.form, start: start, end: end, key: key}
	from, to := 0, len(x.file.Data)
	if x.doc != nil {
		h.place = x.doc.Place(start, end)
	}
	if l := h.place; l.LiteralStart <= start && end <= l.LiteralEnd && l.LiteralEnd <= to {
		from, to, h.whole = l.LiteralStart, l.LiteralEnd, true
	}
	text := x.file.Data[from:to]
	ok := true
	if p.form == XOR {
		h.view = viewXOR(text, start-from, end-from, key)
	} else {
		h.view, ok = p.view(text, start-from, end-from)
	}
	if p.form == BareHost || p.form == Verbatim {
		if x.plain == nil {
			x.plain = map[int][]int{}
		}
		x.plain[p.wanted] = append(x.plain[p.wanted], start)
	}
	if p.form == UTF16 && bigEndian(x.file.Data, start, end) {
		h.start--
	}
	if ok {
		x.hit(h)
	}
}

// ours reports whether a match is for this window, and not one of too many.
func (x *examination) ours(p pattern, start int) bool {
	if x.beyond(start) {
		return false
	}
	if x.tried == nil {
		x.tried = map[tally]int{}
	}
	key := tally{x.names[p.wanted], p.form}
	x.tried[key]++
	return x.tried[key] <= mostTried
}

// beyond reports whether a match is another window's.
func (x *examination) beyond(start int) bool {
	return start < x.from || x.until > 0 && start >= x.until
}

// blockSize is how many differences are made at once.
const blockSize = 64 << 10

// differences finds texts in which each byte was changed by the same XOR.
func (x *examination) differences() {
	data, longest := x.file.Data, x.needles.longest
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
			if key != 0 && at < blockSize {
				x.look(p, start, start+len(name), key)
			}
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
	for _, starts := range x.plain {
		slices.Sort(starts)
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
			h.place = x.doc.Place(start, end)
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
	starts := x.plain[wanted]
	i, _ := slices.BinarySearch(starts, start)
	return i < len(starts) && starts[i]+len(x.names[wanted]) <= end
}

// hit asks what a match means, and keeps it where it is a lead.
func (x *examination) hit(h hit) {
	isHost := h.wanted < x.hosts
	if isHost && h.form != Parent && !h.view.alone() || h.form == Parent && !h.view.ending() {
		return
	}
	lead := Lead{
		Wanted: x.names[h.wanted], File: x.file.Path, App: x.file.App,
		Offset: x.base + int64(h.start), Form: h.form, Key: h.key, Place: h.place,
	}
	from, to := h.view.start, h.view.end
	if m, ok := mentionAt(h.view, h.whole); ok && isHost && h.form != Parent {
		lead.Mention = m
		from, to = min(from, m.Start), max(to, m.End)
		if m.URL != "" && lead.Form == BareHost {
			lead.Form = WholeURL
		}
	}
	lead.startEarlier(h.view.start - from)
	lead.Text = string(h.view.text[from:to])
	lead.Snippet = x.snippet(h, from, to)
	x.add(lead)
}

// snippet returns what stands around a range of the view: in a text, the line also beyond the
// literal, which is code that a person can read.
func (x *examination) snippet(h hit, from, to int) Snippet {
	plain := h.form == BareHost || h.form == Verbatim
	if !plain || h.place.Line == 0 {
		return h.view.snippet(from, to)
	}
	shift := h.start - h.view.start
	return view{text: x.file.Data}.line(from+shift, min(to+shift, len(x.file.Data)))
}

// startEarlier moves the place of a lead to the beginning of the URL, some characters before
// the host, where these stand in the file as they are.
func (l *Lead) startEarlier(by int) {
	unit := 1
	switch l.Form {
	case UTF16:
		unit = 2
	case WholeURL, Verbatim, XOR:
	default:
		return
	}
	l.Offset -= int64(by * unit)
	if l.Place.Column > by {
		l.Place.Column -= by
	}
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

// add keeps a lead, or counts it with one that says the same.
func (x *examination) add(lead Lead) {
	if x.seen == nil {
		x.seen, x.kept = map[same]int{}, map[tally]int{}
	}
	key := same{name: lead.Wanted, form: lead.Form, text: lead.Text}
	if m := lead.Place.Module; m != nil {
		key.module = m.ID + " " + m.Name
	}
	if i, ok := x.seen[key]; ok {
		x.found[i].Same++
		return
	}
	count := tally{lead.Wanted, lead.Form}
	if x.kept[count]++; x.kept[count] > mostLeads {
		return
	}
	x.seen[key] = len(x.found)
	f := found{Lead: lead}
	if m := lead.Place.Module; m != nil {
		f.around, f.claims = x.module(m), x.claims(m)
	}
	x.found = append(x.found, f)
}

// claims returns what a bundle itself says of whose a module is.
func (x *examination) claims(m *reading.Module) (claims []library.Claim) {
	js, ok := x.doc.(*script.Doc)
	if !ok {
		return nil
	}
	for _, n := range js.Packages(m) {
		claims = append(claims, library.Claim{Name: n.Name, Version: n.Version, Why: n.Why, Sure: n.Sure})
	}
	return claims
}

// How much is kept to recognise modules by, in bytes: of one, and of all of a search.
const (
	mostAround  = 64 << 10
	mostModules = 32 << 20
)

// module returns the beginning of a module's text, the same for each lead in it.
func (x *examination) module(m *reading.Module) []byte {
	if text, ok := x.around[m.Start]; ok {
		return text
	}
	text := clamp(x.file.Data, m.Start, min(m.End, m.Start+mostAround))
	if x.modules.Add(int64(len(text))) > mostModules {
		return nil
	}
	if x.around == nil {
		x.around = map[int][]byte{}
	}
	x.around[m.Start] = bytes.Clone(text)
	return x.around[m.Start]
}

func clamp(data []byte, start, end int) []byte {
	if start < 0 || end > len(data) || start >= end {
		return nil
	}
	return data[start:end]
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

// declares reports whether a file may be a declaration of the app, by its name or, since tools shorten the
// names of resources, by its root element in one of the forms that it has in an app. Of transport security
// the system asks the main bundle of an app or of an extension alone.
func declares(f app.File) bool {
	switch path.Base(f.Path) {
	case "PrivacyInfo.xcprivacy":
		return true
	case "AndroidManifest.xml":
		return ofApp(f.Path)
	case "Info.plist":
		return ofApp(f.Path) && !ofBundle(f.Path) && bytes.Contains(f.Data, []byte("NSAppTransportSecurity"))
	}
	const root = "network-security-config"
	return path.Ext(f.Path) == ".xml" && ofApp(f.Path) && (bytes.Contains(f.Data, []byte(root)) || bytes.Contains(f.Data, []byte(wide(root))))
}
