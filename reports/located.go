package reports

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"telltale/locate"
	"telltale/policy"
)

// Located is what was found in apps: where the hosts stand that were looked for, or which
// hosts there are. It is no audit and has no verdict.
type Located struct {
	Tool      Tool
	Generated time.Time
	// Policy judges the hosts of a list; the zero value where none does.
	Policy PolicyInfo
	Result *locate.Result
	// Judge says what the policy would say of a contact to a host, at the URL that stands
	// in the app, "" for a bare host. Nil: nothing judges.
	Judge   func(host, url string) policy.Judgement
	Capture string // whose violating hosts were looked for, as the user named it; ""
	Command string // as Report.Command

	Reveal bool                // secrets are shown; Mask is then not called
	Mask   func(string) string // hides never-send values; nil hides nothing
	Color  bool                // text only
	Width  int                 // columns of the terminal, 0 for 80; text only
}

// LocatedFormats are the names of the formats of what was located.
var LocatedFormats = []string{"text", "json"}

// WriteLocated writes what was located in one of LocatedFormats.
func WriteLocated(w io.Writer, l *Located, format string) error {
	f := newFinds(l)
	switch format {
	case "text":
		return f.writeText(w)
	case "json":
		return writeIndented(w, f.document(), "what was located as JSON")
	}
	return fmt.Errorf("unknown format %q; the formats are %s", format, strings.Join(LocatedFormats, ", "))
}

// finds are what was located, ready to be written.
type finds struct {
	*Located
	r *Report // masks and names hosts as every document does
}

func newFinds(l *Located) *finds {
	if l.Result == nil {
		empty := *l
		empty.Result = &locate.Result{}
		l = &empty
	}
	r := &Report{Tool: l.Tool, Generated: l.Generated, Policy: l.Policy, Command: l.Command, Reveal: l.Reveal, Mask: l.Mask, Color: l.Color, Width: l.Width}
	return &finds{l, r.indexed()}
}

// ofApp hides what is secret in a text of an app.
func (r *Report) ofApp(s string) string {
	if r.Reveal {
		return s
	}
	return locate.WithoutKeys(r.mask(s))
}

// inApp is how text of an app is shown, in the style of a document.
func (r *Report) inApp(st style) locate.Style {
	return locate.Style{
		Data:  func(s string) string { return st.data(clip(r.ofApp(s), maxText)) },
		Prose: func(s string) string { return st.prose(clip(r.ofApp(s), maxText)) },
	}
}

// snippet returns what stands around a lead, with secrets hidden: more of it than is to be shown.
func (r *Report) snippet(l *locate.Lead) locate.Snippet {
	return l.Snippet.Masked(r.ofApp)
}

// A find is something that is wanted, or a host of the list, with its leads.
type find struct {
	name  string
	host  bool          // and no other text
	leads []locate.Lead // that say it
	above []locate.Lead // that only say a domain above it
}

// all are what was wanted, in that order; of a list, its hosts.
func (f *finds) all() []find {
	var out []find
	res := f.Result
	at := map[string]int{}
	add := func(name string, host bool) {
		if _, ok := at[name]; !ok {
			at[name] = len(out)
			out = append(out, find{name: name, host: host})
		}
	}
	for _, h := range res.Wanted.Hosts {
		add(h, true)
	}
	for _, s := range res.Wanted.Strings {
		add(s, false)
	}
	for _, l := range res.Leads {
		add(l.Wanted, true)
		x := &out[at[l.Wanted]]
		if l.Form == locate.Parent {
			x.above = append(x.above, l)
		} else {
			x.leads = append(x.leads, l)
		}
	}
	return out
}

// parted parts what was found from what was not.
func (f *finds) parted() (found, missing []find) {
	for _, x := range f.all() {
		if len(x.leads) > 0 {
			found = append(found, x)
		} else {
			missing = append(missing, x)
		}
	}
	return found, missing
}

// A listedHost is a host of the list.
type listedHost struct {
	find
	judged  policy.Judgement
	noise   string // why it is hardly ever contacted; "" where it may be
	pattern bool   // its URL is filled in while the app runs
	places  int
}

// listed are the hosts of the list, judged, in their order.
func (f *finds) listed() []listedHost {
	var out []listedHost
	for _, x := range f.all() {
		h := listedHost{find: x}
		h.noise, h.pattern = x.aside()
		for _, l := range x.leads {
			h.places += 1 + l.Same
		}
		if f.Judge != nil {
			h.judged = f.Judge(x.name, x.url())
		}
		out = append(out, h)
	}
	return out
}

// aside says whether every mention is noise, and whether every one is a template.
func (x find) aside() (noise string, template bool) {
	if len(x.leads) == 0 {
		return "", false
	}
	noise, template = x.leads[0].Mention.Noise, true
	for _, l := range x.leads {
		if l.Mention.Noise == "" {
			noise = ""
		}
		template = template && l.Mention.Template
	}
	return noise, template
}

// url is the first URL that says it, "" where only its name stands in the app.
func (x find) url() string {
	i := slices.IndexFunc(x.leads, func(l locate.Lead) bool { return l.Mention.URL != "" && l.Mention.Noise == "" && !l.Mention.Template })
	if i < 0 {
		return ""
	}
	return x.leads[i].Mention.URL
}

// byVerdict groups hosts that are no noise, the heaviest verdict first.
func byVerdict(all []listedHost) [][]listedHost {
	hosts := slices.DeleteFunc(slices.Clone(all), func(h listedHost) bool { return h.noise != "" })
	slices.SortStableFunc(hosts, func(a, b listedHost) int {
		return cmp.Compare(b.judged.Verdict.Weight(), a.judged.Verdict.Weight())
	})
	var out [][]listedHost
	for i, h := range hosts {
		if i == 0 || h.judged.Verdict != hosts[i-1].judged.Verdict {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], h)
	}
	return out
}

// noises groups the hosts that are noise by the reason, the most first.
func noises(all []listedHost) [][]listedHost {
	at := map[string]int{}
	var out [][]listedHost
	for _, h := range all {
		if h.noise == "" {
			continue
		}
		i, ok := at[h.noise]
		if !ok {
			i = len(out)
			at[h.noise], out = i, append(out, nil)
		}
		out[i] = append(out[i], h)
	}
	slices.SortStableFunc(out, func(a, b []listedHost) int { return cmp.Compare(len(b), len(a)) })
	return out
}
