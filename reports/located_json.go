package reports

import (
	"time"

	"telltale/locate"
	"telltale/locate/library"
	"telltale/locate/reading"
)

// LocatedSchema names the shape of what was located in JSON. Keys may be added under the
// same name; none changes its meaning.
const LocatedSchema = "telltale.locate/1"

// locatedDocument is the JSON of what was located. Lists are never null.
type locatedDocument struct {
	Schema    string     `json:"schema"`
	Tool      tool       `json:"tool"`
	Generated string     `json:"generated"`
	Policy    policyInfo `json:"policy"`
	Capture   string     `json:"capture,omitempty"`
	Command   string     `json:"command,omitempty"`
	origins
	// Hosts are those that the app mentions, where nothing certain was looked for.
	Hosts      []locatedHost    `json:"hosts"`
	Components []locatedLibrary `json:"components"` // that the app says it is made of
}

// origins is what was found in apps, as the report has it too.
type origins struct {
	Apps     []locatedApp     `json:"apps"`
	Wanted   []locatedWanted  `json:"wanted"`
	Leads    []locatedLead    `json:"leads"`
	Missing  []string         `json:"missing"`  // what was wanted and not found
	Advice   []string         `json:"advice"`   // what to try
	Unread   []locatedUnread  `json:"unread"`   // what was searched as bytes alone
	Failures []locatedFailure `json:"failures"` // what could not be got at
	Searched locatedSearch    `json:"searched"`
	Note     string           `json:"note"` // what a lead is worth
}

type locatedApp struct {
	File     string `json:"file"`
	Kind     string `json:"kind"`
	Platform string `json:"platform"`
	ID       string `json:"id"`
	Name     string `json:"name"`
	Version  string `json:"version"`
	Files    int    `json:"files"`
	Bytes    int64  `json:"bytes"`
}

type locatedWanted struct {
	Host   string `json:"host,omitempty"` // one of the two
	String string `json:"string,omitempty"`
	Found  bool   `json:"found"`
	Leads  int    `json:"leads"`
}

type locatedUnread struct {
	File string `json:"file"`
	Why  string `json:"why"`
}

type locatedFailure struct {
	File  string `json:"file"`
	Error string `json:"error"`
}

type locatedSearch struct {
	Files int           `json:"files"`
	Bytes int64         `json:"bytes"`
	Kinds []locatedKind `json:"kinds"`
}

type locatedKind struct {
	Name  string `json:"name"`
	Files int    `json:"files"`
}

type locatedHost struct {
	Host     string `json:"host"`
	Verdict  string `json:"verdict"` // of a contact to it; "" where nothing judges
	Rule     string `json:"rule"`
	Category string `json:"category"`
	Company  string `json:"company"`
	Product  string `json:"product"`
	Noise    string `json:"noise"`    // why it is hardly ever contacted
	Template bool   `json:"template"` // a part of it is filled in while the app runs
	Places   int    `json:"places"`
	Leads    []int  `json:"leads"` // indexes into leads
}

type locatedLibrary struct {
	Ecosystem string `json:"ecosystem"`
	Name      string `json:"name"`
	Version   string `json:"version"`
	Range     string `json:"range,omitempty"`
	File      string `json:"file"`
	Line      int    `json:"line"`
}

// locatedLead is a place in an app.
type locatedLead struct {
	Wanted    string            `json:"wanted"`
	File      string            `json:"file"`
	App       int               `json:"app"`    // index into apps
	Offset    int64             `json:"offset"` // in the unpacked file, bytes
	Form      string            `json:"form"`
	Key       *int              `json:"key,omitempty"` // of XOR
	Text      string            `json:"text"`
	Section   string            `json:"section"`
	Line      int               `json:"line"`
	Column    int               `json:"column"`
	Module    *locatedModule    `json:"module"`
	Source    *locatedSource    `json:"source"`
	Users     []locatedUser     `json:"users"`
	MoreUsers int               `json:"more_users"`
	Snippet   locatedSnippet    `json:"snippet"`
	Noise     string            `json:"noise"`
	Template  bool              `json:"template"`
	Origin    *locatedOrigin    `json:"origin"`
	Overrides []locatedOverride `json:"overrides"`
	Declared  []string          `json:"declared"` // by the app, of contacts to the host
	Copies    []string          `json:"copies"`   // the same file for other processors
	More      int               `json:"more"`     // further places there that say the same
}

type locatedModule struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type locatedSource struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	By     string `json:"by"` // the source map
}

type locatedUser struct {
	Name       string `json:"name"`
	Package    string `json:"package"`
	Obfuscated bool   `json:"obfuscated"`
	File       string `json:"file"`
	Line       int    `json:"line"`
}

type locatedSnippet struct {
	Before string `json:"before"`
	Match  string `json:"match"`
	After  string `json:"after"`
}

type locatedOrigin struct {
	Library    string          `json:"library"` // its row in the catalogue; ""
	Name       string          `json:"name"`
	Own        bool            `json:"own"` // it is the app's own code
	Ecosystem  string          `json:"ecosystem"`
	Version    string          `json:"version"`
	VersionBy  string          `json:"version_by"`
	Confidence string          `json:"confidence"` // certain, likely or possible
	Reasons    []string        `json:"reasons"`
	Default    *locatedDefault `json:"default"`
	Remedy     string          `json:"remedy"`
	Docs       string          `json:"docs"`
}

type locatedDefault struct {
	URL      string `json:"url"`
	Setting  string `json:"setting"`
	Package  string `json:"package"` // that has the file, where it is another one
	File     string `json:"file"`    // of the library's source
	Line     int    `json:"line"`
	Versions string `json:"versions"`
	When     string `json:"when"`
}

type locatedOverride struct {
	Setting string `json:"setting"`
	Value   string `json:"value"`
	Known   bool   `json:"known"` // else code decides the value
	Stops   bool   `json:"stops"` // the contact
	Moves   bool   `json:"moves"` // it to another server
	Says    string `json:"says"`
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
}

func (f *finds) document() *locatedDocument {
	r := f.r
	doc := &locatedDocument{
		Schema: LocatedSchema, Tool: tool{r.Tool.Name, r.Tool.Version}, Generated: r.Generated.UTC().Format(time.RFC3339),
		Policy: newPolicyInfo(r), Capture: r.text(f.Capture), Command: r.text(f.Command),
		origins: f.origins(), Hosts: []locatedHost{}, Components: []locatedLibrary{},
	}
	if f.Result.Listed {
		doc.Hosts = f.hosts()
	}
	for _, c := range f.Result.Components {
		doc.Components = append(doc.Components, locatedLibrary{c.Ecosystem, f.text(c.Name), f.text(c.Version), f.text(c.Range), f.text(c.File), c.Line})
	}
	return doc
}

// text is a text of an app for JSON.
func (f *finds) text(s string) string { return validText(f.r.ofApp(s)) }

func (f *finds) texts(in []string) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = f.text(s)
	}
	return out
}

// origins are the parts that a report has too.
func (f *finds) origins() origins {
	res := f.Result
	out := origins{
		Apps: []locatedApp{}, Wanted: []locatedWanted{}, Leads: []locatedLead{}, Missing: []string{}, Advice: f.texts(res.Advice()),
		Unread: []locatedUnread{}, Failures: []locatedFailure{}, Note: locate.MentionNote,
		Searched: locatedSearch{Files: res.Files, Bytes: res.Bytes, Kinds: []locatedKind{}},
	}
	for i := range res.Apps {
		a := &res.Apps[i]
		out.Apps = append(out.Apps, locatedApp{f.text(a.Path), a.Kind, a.Platform, f.text(a.ID), f.text(a.Name), f.text(a.Version), a.Files, a.Size})
	}
	for _, x := range f.all() {
		if res.Listed {
			break
		}
		w := locatedWanted{Found: len(x.leads) > 0, Leads: len(x.leads)}
		if name := f.text(x.name); x.host {
			w.Host = name
		} else {
			w.String = name
		}
		out.Wanted = append(out.Wanted, w)
		if !w.Found {
			out.Missing = append(out.Missing, f.text(x.name))
		}
	}
	for i := range res.Leads {
		out.Leads = append(out.Leads, f.lead(&res.Leads[i]))
	}
	for _, u := range res.Unread {
		out.Unread = append(out.Unread, locatedUnread{f.text(u.File), f.text(u.Why)})
	}
	for _, x := range res.Failures {
		failure := locatedFailure{File: f.text(x.Path)}
		if x.Err != nil {
			failure.Error = f.text(x.Err.Error())
		}
		out.Failures = append(out.Failures, failure)
	}
	for _, k := range res.Kinds {
		out.Searched.Kinds = append(out.Searched.Kinds, locatedKind{f.text(k.Name), k.Files})
	}
	return out
}

// hosts are those of a list.
func (f *finds) hosts() []locatedHost {
	out := []locatedHost{}
	leads := map[string][]int{}
	for i, l := range f.Result.Leads {
		leads[l.Wanted] = append(leads[l.Wanted], i)
	}
	for _, h := range f.listed() {
		who := f.r.whois(h.name)
		x := locatedHost{
			Host: f.text(h.name), Verdict: string(h.judged.Verdict), Category: h.judged.Category, Rule: string(h.judged.Rule()),
			Company: validText(who.Company), Product: validText(who.Product), Noise: f.text(h.noise), Template: h.pattern,
			Places: h.places, Leads: leads[h.name],
		}
		out = append(out, x)
	}
	return out
}

func (f *finds) lead(l *locate.Lead) locatedLead {
	p, sn := l.Place, f.r.snippet(l).Near(snippetSide)
	out := locatedLead{
		Wanted: f.text(l.Wanted), File: f.text(l.File), App: l.App, Offset: l.Offset, Form: string(l.Form), Text: f.text(l.Text),
		Section: f.text(p.Section), Line: p.Line, Column: p.Column, Users: []locatedUser{}, MoreUsers: p.More,
		Snippet: locatedSnippet{validText(sn.Before), validText(sn.Match), validText(sn.After)},
		Noise:   f.text(l.Mention.Noise), Template: l.Mention.Template, Overrides: []locatedOverride{}, More: l.Same,
		Declared: f.texts(l.Declared), Copies: f.texts(l.Copies),
	}
	if l.Form == locate.XOR {
		key := int(l.Key)
		out.Key = &key
	}
	if m := p.Module; m != nil {
		out.Module = &locatedModule{f.text(m.ID), f.text(m.Name)}
	}
	if s := p.Source; s != nil {
		out.Source = &locatedSource{f.text(s.File), s.Line, s.Column, f.text(s.By)}
	}
	for _, u := range p.Users {
		out.Users = append(out.Users, f.user(u))
	}
	if l.Origin != nil {
		out.Origin = f.origin(l.Origin)
	}
	for _, o := range l.Overrides {
		out.Overrides = append(out.Overrides, f.override(o))
	}
	return out
}

func (f *finds) user(u reading.User) locatedUser {
	return locatedUser{f.text(u.Name), f.text(u.Package), u.Obfuscated, f.text(u.File), u.Line}
}

func (f *finds) origin(o *library.Origin) *locatedOrigin {
	out := &locatedOrigin{
		Name: f.text(o.Name), Own: o.Own, Ecosystem: o.Ecosystem, Version: f.text(o.Version), VersionBy: f.text(o.VersionBy),
		Confidence: locate.Sureness(o.Confidence), Reasons: f.texts(o.Reasons), Remedy: f.text(o.Remedy), Docs: f.text(o.Docs),
	}
	if o.Library != nil {
		out.Library = o.Library.ID
	}
	if d := o.Default; d != nil {
		out.Default = &locatedDefault{f.text(d.URL), f.text(d.Setting), f.text(d.Package), f.text(d.File), d.Line, f.text(d.Versions), f.text(d.When)}
	}
	return out
}

func (f *finds) override(o library.Override) locatedOverride {
	return locatedOverride{f.text(o.Setting.Name), f.text(o.Setting.Value), o.Setting.Known, o.Stops, o.Moves, f.text(o.Says), f.text(o.File), o.Line, o.Column}
}
