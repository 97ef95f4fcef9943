package locate

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"telltale/locate/library"
	"telltale/locate/reading"
)

// This file says what was found in words that documents and the screen share.

// A Style is how a document shows text, so that each sentence is written once. What is
// secret is hidden by it, and what would not show as itself is made visible.
type Style struct {
	Data  func(string) string // text of an app, a name of a file
	Prose func(string) string // sentences, which may quote an app
}

// MentionNote says what a lead is worth. It belongs beside every list of leads.
const MentionNote = "A mention is no contact: it says where an address stands in the app, not that it is used. An app that was fixed may still carry the default of a library."

// NothingTells is said of a lead without an origin.
const NothingTells = "nothing around it tells whose code it is"

// A Fact is something that is said of a lead: a label of a word or two, and a text.
type Fact struct{ Label, Text string }

// maxNamed is how many names a fact lists.
const maxNamed = 3

// Where says where a lead stands: "main.jsbundle, line 1, column 48213, byte 1,234,567, module 413".
// Lines and columns are written as editors take them.
func (l *Lead) Where(st Style) string {
	at := st.Data(l.File)
	if p := l.Place; p.Section != "" {
		at += ", " + st.Data(p.Section)
	}
	if l.Place.Line > 0 {
		at += fmt.Sprintf(", line %d", l.Place.Line)
		if l.Place.Column > 0 {
			at += fmt.Sprintf(", column %d", l.Place.Column)
		}
	}
	at += ", byte " + Thousands(l.Offset)
	if m := l.Place.Module; m != nil && m.ID+m.Name != "" {
		at += ", module"
		if m.ID != "" {
			at += " " + st.Data(m.ID)
		}
		if m.Name != "" {
			at += " " + st.Data(m.Name)
		}
	}
	return at
}

// Briefly is Where without the byte, and whose code it is: "@react-native-community/netinfo
// (likely), main.jsbundle line 1 column 48213".
func (l *Lead) Briefly(st Style) string {
	at := st.Data(l.File)
	switch p := l.Place; {
	case p.Line > 0 && p.Column > 0:
		at += fmt.Sprintf(" line %d column %d", p.Line, p.Column)
	case p.Line > 0:
		at += fmt.Sprintf(" line %d", p.Line)
	default:
		at += " byte " + Thousands(l.Offset)
	}
	if o := l.Origin; o != nil && o.Name != "" {
		at = fmt.Sprintf("%s (%s), %s", named(o, st), Sureness(o.Confidence), at)
	}
	return at
}

// Facts are what is known of a lead beside where it stands, and whose code it is, in their
// order.
func (l *Lead) Facts(st Style) []Fact {
	var out facts
	out.add("Written", l.written())
	if !l.plain() || !strings.Contains(l.Snippet.Match, l.Text) && !strings.Contains(l.Text, l.Snippet.Match) {
		out.add("It says", shownAs(st.Data, l.Text))
	}
	out.add("But", l.doubt(st))
	out.add("Used by", l.users(st))
	out.add("Source", l.source(st))
	if l.Same > 0 {
		out.add("Again", plural(l.Same, "further place there says the same", "further places there say the same"))
	}
	if len(l.Copies) > 0 {
		out.add("Also", "the same file for other processors: "+inWords(shownAll(st.Data, l.Copies)))
	}
	out.add("Declared", l.declared(st))
	out.add("Whose", l.whose(st))
	return out
}

func shownAll(as func(string) string, all []string) []string {
	shown := make([]string, 0, len(all))
	for _, one := range all {
		shown = append(shown, shownAs(as, one))
	}
	return shown
}

// Grounds are why a lead belongs to its origin, which default of it that is, and what the app
// sets instead. Leads of one origin have them in common, and they need be told once.
func (l *Lead) Grounds(st Style) []Fact {
	o := l.Origin
	if o == nil {
		return nil
	}
	var out facts
	out.add("Because", sentences(o.Reasons, st))
	out.add("Version", versionOf(o, st))
	out.add("Default", byDefault(o.Default, st))
	out.add("Override", l.instead(st))
	return out
}

// OriginKey is the same for leads whose Grounds and Remedy are; "" where there are none.
func (l *Lead) OriginKey() string {
	o := l.Origin
	if o == nil || o.Name == "" {
		return ""
	}
	key := fmt.Sprintf("%s\x00%s\x00%d\x00%v", o.Name, o.Version, len(l.Overrides), l.Stopped())
	if d := o.Default; d != nil {
		key += "\x00" + d.URL + "\x00" + d.Setting
	}
	return key
}

// Remedy says what a developer can do, in lines as those of a library's remedy; "" where nobody
// knows.
func (l *Lead) Remedy() string {
	switch {
	case l.Origin == nil:
		return ""
	case l.Stopped():
		return l.setTo() + ", which turns it off. A capture of this version shows whether that works."
	}
	return l.Origin.Remedy
}

// setTo says what the app sets that turns a default off.
func (l *Lead) setTo() string {
	for _, o := range l.Overrides {
		if says, ok := strings.CutPrefix(o.Says, "the app "); ok && o.Stops {
			return "The app " + says
		}
	}
	return "The app sets what it reads"
}

type facts []Fact

// add adds a fact that says something.
func (f *facts) add(label, text string) {
	if text != "" {
		*f = append(*f, Fact{label, text})
	}
}

// shownAs shows a text; "" stays empty.
func shownAs(as func(string) string, s string) string {
	if s == "" {
		return ""
	}
	return as(s)
}

// plain reports whether an address is written as it is said.
func (l *Lead) plain() bool {
	return slices.Contains([]Form{"", WholeURL, BareHost, Verbatim, UTF16, Split, Neighbours, Parent}, l.Form)
}

// forms are the words for those forms that need some.
var forms = map[Form]string{
	Split:      "in pieces, which the code puts together",
	Neighbours: "in pieces that are neighbours in the code; that it puts them together is not certain",
	Percent:    "percent-encoded",
	Base64:     "in base64",
	Hex:        "in hexadecimal",
	Reversed:   "backwards",
	UTF16:      "in UTF-16",
	Parent:     "only a domain above it: its name may be built from that",
}

// written says how an address is written, where that is not as people write it.
func (l *Lead) written() string {
	if l.Form == XOR {
		return fmt.Sprintf("hidden: every byte is XORed with 0x%02x", l.Key)
	}
	return forms[l.Form]
}

// doubt says why a mention may be none of the address.
func (l *Lead) doubt(st Style) string {
	switch m := l.Mention; {
	case m.Noise != "":
		return "hardly ever contacted: " + st.Prose(m.Noise)
	case m.Template:
		return "a part of it is filled in while the app runs"
	}
	return ""
}

// users says which code uses the text.
func (l *Lead) users(st Style) string {
	var names []string
	more := l.Place.More
	for _, u := range l.Place.Users {
		switch {
		case saysNothing(u):
		case len(names) == maxNamed:
			more++
		default:
			names = append(names, userIn(u, st))
		}
	}
	if more > 0 {
		names = append(names, Thousands(more)+" more")
	}
	return inWords(names)
}

// saysNothing reports whether all that is known of a user is one letter, which is what builds
// make of the names of properties and variables.
func saysNothing(u reading.User) bool {
	return u.Package == "" && u.File == "" && utf8.RuneCountInString(u.Name) == 1
}

// userIn names code: "com.novoda.merlin.Endpoint.<clinit> (Endpoint.java line 12)".
func userIn(u reading.User, st Style) string {
	name := shownAs(st.Data, cmp.Or(u.Name, u.Package))
	if name == "" {
		name = "code without a name"
	}
	var more []string
	if u.File != "" {
		file := st.Data(u.File)
		if u.Line > 0 {
			file += fmt.Sprintf(" line %d", u.Line)
		}
		more = append(more, file)
	}
	if u.Obfuscated {
		more = append(more, "the build shortened its name, which names nobody")
	}
	if len(more) > 0 {
		name += " (" + strings.Join(more, "; ") + ")"
	}
	return name
}

// source says where the text stood before the app was built.
func (l *Lead) source(st Style) string {
	s := l.Place.Source
	if s == nil || s.File == "" {
		return ""
	}
	text := st.Data(s.File)
	if s.Line > 0 {
		text += fmt.Sprintf(" line %d", s.Line)
	}
	if s.By != "" {
		text += ", by " + st.Data(s.By)
	}
	return text
}

// whose says whose code it is, and how sure that is.
func (l *Lead) whose(st Style) string {
	o := l.Origin
	if o == nil || o.Name == "" {
		return NothingTells
	}
	text := named(o, st)
	if o.Ecosystem != "" {
		text += " (" + o.Ecosystem + ")"
	}
	text += ", " + Sureness(o.Confidence)
	if o.Library != nil && o.Library.What != "" {
		text += ": " + st.Prose(o.Library.What)
	}
	return text
}

// named names an origin. That of the app itself is no name of its.
func named(o *library.Origin, st Style) string {
	if o.Own {
		return o.Name
	}
	return st.Data(o.Name)
}

// Sureness is a confidence in a word.
func Sureness(c library.Confidence) string {
	switch c {
	case library.Certain:
		return "certain"
	case library.Likely:
		return "likely"
	}
	return "possible"
}

func versionOf(o *library.Origin, st Style) string {
	switch {
	case o.Version == "":
		return ""
	case o.VersionBy == "":
		return st.Data(o.Version)
	}
	return st.Data(o.Version) + ", by " + st.Prose(o.VersionBy)
}

// byDefault says which default of a library it is.
func byDefault(d *library.Default, st Style) string {
	if d == nil {
		return ""
	}
	text := st.Data(d.URL)
	if d.Setting != "" {
		text = st.Data(d.Setting) + " is " + text
	}
	if d.File != "" {
		text += ", in " + st.Data(d.File)
		if d.Line > 0 {
			text += fmt.Sprintf(" line %d", d.Line)
		}
		if d.Package != "" {
			text += " of " + st.Data(d.Package)
		} else {
			text += " of its source"
		}
	}
	if d.Versions != "" {
		text += " (" + st.Prose(d.Versions) + ")"
	}
	if d.When != "" {
		text += "; " + st.Prose(d.When)
	}
	return text
}

// instead says what the app sets instead of a library's default.
func (l *Lead) instead(st Style) string {
	if len(l.Overrides) == 0 {
		if d := l.Origin.Default; d != nil && d.Setting != "" {
			return "none was found in the app"
		}
		return ""
	}
	var all []string
	for i, o := range l.Overrides {
		if i == maxNamed {
			all = append(all, Thousands(len(l.Overrides)-i)+" more")
			break
		}
		all = append(all, overriding(o, st))
	}
	return strings.Join(all, "; ")
}

// overriding says what a value does, and where it stands.
func overriding(o library.Override, st Style) string {
	text := shownAs(st.Prose, o.Says)
	if text == "" {
		text = st.Data(o.Setting.Name) + " is set"
	}
	if o.Stops {
		text += ", which stops the contact"
	}
	text += " (" + st.Data(o.File)
	if o.Line > 0 {
		text += fmt.Sprintf(" line %d", o.Line)
	}
	if o.Line > 0 && o.Column > 0 {
		text += fmt.Sprintf(" column %d", o.Column)
	}
	return text + ")"
}

// Stopped reports whether the app sets a value that stops the contact.
func (l *Lead) Stopped() bool {
	return slices.ContainsFunc(l.Overrides, func(o library.Override) bool { return o.Stops })
}

// Searched says in how much was looked: "2,310 files, 48.2 MB unpacked".
func (r *Result) Searched() string {
	return fmt.Sprintf("%s, %s unpacked", plural(r.Files, "file", "files"), Size(r.Bytes))
}

// Read says which files were understood, a sentence for each kind: "3 files: Android bytecode (DEX 039)".
func (r *Result) Read(st Style) []string {
	var out []string
	for _, k := range r.Kinds {
		out = append(out, plural(k.Files, "file", "files")+": "+st.Prose(k.Name))
	}
	return out
}

// Hidden says what could not be understood or got at, a sentence each.
func (r *Result) Hidden(st Style) []string {
	var out []string
	for _, f := range r.Failures {
		why := "it could not be read"
		if f.Err != nil {
			why = st.Prose(f.Err.Error())
		}
		out = append(out, st.Data(f.Path)+": "+why)
	}
	for _, u := range r.Unread {
		out = append(out, st.Data(u.File)+": "+st.Prose(u.Why))
	}
	return out
}

// Called names an app: "COVID Alert 1.0.2 (iOS)", without a name its file.
func (a *App) Called(st Style) string {
	name := cmp.Or(a.Name, a.ID)
	if name == "" {
		return st.Data(a.Path)
	}
	text := st.Data(strings.TrimSpace(name + " " + a.Version))
	if a.Platform != "" {
		text += " (" + a.Platform + ")"
	}
	return text
}

// Names of what the apps are called, in their order.
func (r *Result) Names(st Style) string {
	names := make([]string, len(r.Apps))
	for i := range r.Apps {
		names[i] = r.Apps[i].Called(st)
	}
	if n := len(names) - maxNamed; n > 1 {
		names = append(names[:maxNamed], Thousands(n)+" more")
	}
	return inWords(names)
}

// Thousands writes a number with its thousands apart: 1,234,567.
func Thousands[N int | int64](n N) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Size writes a number of bytes as people read it: "512 bytes", "48.2 MB".
func Size(n int64) string {
	value := float64(n)
	for _, unit := range []string{"bytes", "kB", "MB", "GB"} {
		switch {
		case unit == "bytes" && n < 1000:
			return plural(n, "byte", "bytes")
		case unit != "bytes" && (value < 999.5 || unit == "GB"):
			if value >= 99.95 {
				return fmt.Sprintf("%.0f %s", value, unit)
			}
			return fmt.Sprintf("%.1f %s", value, unit)
		}
		value /= 1000
	}
	return ""
}

func plural[N int | int64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Thousands(n) + " " + many
}

// sentences joins sentences.
func sentences(all []string, st Style) string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = st.Prose(s)
	}
	return strings.Join(out, "; ")
}

func inWords(parts []string) string {
	if n := len(parts); n > 1 {
		return strings.Join(parts[:n-1], ", ") + " and " + parts[n-1]
	}
	return strings.Join(parts, "")
}
