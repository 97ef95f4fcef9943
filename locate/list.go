package locate

import (
	"path"
	"strings"

	"telltale/locate/hosts"
	"telltale/locate/reading"
)

// A host is listed with this many of its places in one file, and with one of those that are
// noise. The others are counted.
const mostPlaces = 3

// A listing counts the places of a host that were kept, noise apart.
type listing struct {
	host  string
	noise bool
}

// list finds every host that a file mentions.
func (x *examination) list() {
	listed, first := map[listing]int{}, map[listing]int{}
	each := func(text reading.Text) bool {
		hosts.Find(text.Value, text.Whole, func(m hosts.Mention) bool {
			key := listing{m.Host, m.Noise != ""}
			switch n := listed[key]; {
			case n == 0:
				first[key] = len(x.found)
				fallthrough
			case n < mostPlaces && !key.noise:
				x.mention(m, text)
			case first[key] < len(x.found) && x.found[first[key]].Wanted == m.Host:
				x.found[first[key]].Same++
			}
			listed[key]++
			return true
		})
		return true
	}
	if x.doc == nil {
		each(reading.Text{Start: 0, End: len(x.file.Data), Value: x.file.Data})
		return
	}
	x.doc.Texts(each)
	if doc, ok := x.doc.(reading.Joiner); ok {
		doc.Joined(func(j reading.Joined) bool {
			if j.Sure && len(j.Parts) > 0 {
				each(reading.Text{Start: j.Parts[0].Start, End: j.Parts[len(j.Parts)-1].End, Value: j.Value, Whole: true})
			}
			return true
		})
	}
}

// mention keeps a host that a text mentions.
func (x *examination) mention(m hosts.Mention, text reading.Text) {
	start, end := text.Start, text.End
	if end-start == len(text.Value) { // the bytes are the text
		start, end = text.Start+m.Start, text.Start+m.End
	}
	if x.beyond(start) {
		return
	}
	if m.Noise == "" {
		m.Noise = x.medium()
	}
	lead := Lead{
		Wanted: m.Host, File: x.file.Path, App: x.file.App, Offset: x.base + int64(start),
		Form: BareHost, Mention: m, Text: string(text.Value[m.Start:m.End]),
		Snippet: around(text.Value, m.Start, m.End, sideOfListing, false, false),
	}
	if m.URL != "" {
		lead.Form = WholeURL
	}
	if x.doc != nil {
		lead.Place = x.doc.Place(start, end)
	}
	x.add(lead)
}

// medium says where an address stands in a file that no code asks for addresses: in what a
// picture, a film, a sound or a font says of its maker, or in a text for people; "" for other
// files.
func (x *examination) medium() string {
	if prose(x.file.Path) > 0 {
		return "in a text for people"
	}
	if x.doc != nil {
		return ""
	}
	switch strings.ToLower(path.Ext(x.file.Path)) {
	case ".jpg", ".jpeg", ".png", ".webp", ".gif", ".heic", ".bmp", ".ico", ".icns", ".tif", ".tiff", ".psd", ".car":
		return "in a picture"
	case ".ttf", ".otf", ".woff", ".woff2", ".ttc":
		return "in a font"
	case ".mp4", ".mov", ".m4v", ".webm", ".mp3", ".m4a", ".aac", ".ogg", ".wav", ".caf":
		return "in a film or sound"
	}
	return ""
}
