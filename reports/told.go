package reports

import (
	"fmt"
	"slices"
	"strings"

	"telltale/exposure"
)

// This file says which identifiers were told to whom, and never an identifier itself.

// maxKinds is how many columns of identifiers a table has; with more, they are listed.
const maxKinds = 6

// named is what a value is called: "advertising identifier 6d92…".
func (r *Report) named(t exposure.Trail, st style) string {
	title := r.kind(t.Kind, st)
	switch {
	case t.Masked != "":
		return title + " " + st.data(r.clipped(t.Masked, maxHost))
	case t.Label != "":
		return title + " (" + st.prose(r.clipped(t.Label, maxHost)) + ")"
	}
	return title
}

// receiver names a receiver, and where it is not just a host says what it is.
func (r *Report) receiver(name string, st style) string {
	if strings.Contains(name, ".") && !strings.Contains(name, " ") {
		return st.data(r.clipped(name, maxHost))
	}
	return st.prose(r.clipped(name, maxHost))
}

// told is who was told which identifiers: a table of kinds by receivers, and what these
// identifiers are.
func (r *Report) told(st style) chapter {
	all := exposure.ByReceiver(r.Summary.Trails)
	c := chapter{ID: "told", Heading: "What was told to whom", Intro: "Identifiers of the person, the device or the installation that were found in what was sent. Their values are not shown in full."}
	kinds := exposure.KindsOf(r.Summary.Trails)
	if len(kinds) <= maxKinds {
		c.Head = append([]string{"Receiver"}, r.titles(kinds, st)...)
		c.Note = "The numbers are how many different values a receiver got."
	} else {
		c.Head = []string{"Receiver", "What it was told"}
	}
	for _, told := range all {
		got := exposure.KindsOf(told.Trails)
		var names []string
		for _, t := range told.Trails {
			names = append(names, r.named(t, st))
		}
		name, list := r.receiver(told.Receiver, st), strings.Join(firstOf(names), ", ")
		c.Brief = append(c.Brief, name+": "+list)
		row := []string{name}
		if len(kinds) > maxKinds {
			c.Rows = append(c.Rows, append(row, strings.Join(r.titles(got, st), ", ")))
			continue
		}
		for _, kind := range kinds {
			n := 0
			for _, t := range told.Trails {
				if t.Kind == kind {
					n++
				}
			}
			cell := "–"
			if n > 0 {
				cell = fmt.Sprint(n)
			}
			row = append(row, cell)
		}
		c.Rows = append(c.Rows, row)
	}
	for _, kind := range kinds {
		if k := exposure.KindOf(kind); k.Why != "" {
			c.Items = append(c.Items, capital(r.kind(kind, st))+": "+sentence(st.prose(k.Why)))
		}
	}
	return c
}

func (r *Report) titles(kinds []string, st style) []string {
	out := make([]string, len(kinds))
	for i, kind := range kinds {
		out[i] = capital(r.kind(kind, st))
	}
	return out
}

// kind is the title of a kind: of one that a newer version wrote, it came with the capture.
func (r *Report) kind(name string, st style) string {
	return st.prose(r.clipped(exposure.KindOf(name).Title, maxHost))
}

// links says which values join what several receivers know.
func (r *Report) links(st style) chapter {
	c := chapter{ID: "links", Heading: "Values that link companies"}
	for _, t := range r.Summary.Trails {
		if !t.Links() {
			continue
		}
		var names []string
		for _, receiver := range t.Receivers {
			names = append(names, r.receiver(receiver, st))
		}
		c.Items = append(c.Items, fmt.Sprintf("The same %s went to %s: they can join what they know.", r.named(t, st), joinAnd(firstOf(names))))
	}
	return c
}

// lasting says which values stay the same and which are new in each session.
func (r *Report) lasting(st style) chapter {
	c := chapter{ID: "lasting", Heading: "Stable, or new in each session"}
	fresh := map[string]int{}
	for _, t := range r.Summary.Trails {
		switch t.Lasting {
		case exposure.Stable:
			c.Items = append(c.Items, fmt.Sprintf("%s stayed the same in different sessions: whoever gets it recognises the device or the person again.", capital(r.named(t, st))))
		case exposure.Session:
			fresh[t.Kind]++
		}
	}
	for _, kind := range exposure.KindsOf(r.Summary.Trails) {
		if n := fresh[kind]; n > 0 {
			c.Items = append(c.Items, fmt.Sprintf("%s: %s, a new one in each session. By itself it does not join one session with the next.",
				capital(r.kind(kind, st)), plural(n, "value", "different values")))
		}
	}
	return c
}

// trail is where one value went, as JSON has it.
type trail struct {
	Kind      string   `json:"kind"`
	Title     string   `json:"title"`
	Label     string   `json:"label"`  // tells values of one kind apart
	Masked    string   `json:"masked"` // the value, with what identifies left out
	Names     []string `json:"names"`  // under which it was sent
	Hosts     []string `json:"hosts"`
	Receivers []string `json:"receivers"` // companies, or registered domains
	Links     bool     `json:"links"`     // it joins what several receivers know
	Count     int      `json:"count"`     // flows
	First     *string  `json:"first"`
	Last      *string  `json:"last"`
	Phases    []string `json:"phases"`
	Lasting   string   `json:"lasting"` // "stable", "session", or "" for unknown
}

func (r *Report) trails() []trail {
	out := make([]trail, len(r.Summary.Trails))
	for i, t := range r.Summary.Trails {
		out[i] = trail{
			Kind: r.text(t.Kind), Title: r.text(exposure.KindOf(t.Kind).Title), Label: r.text(t.Label), Masked: r.text(t.Masked), Names: r.texts(t.Names),
			Hosts: r.texts(t.Hosts), Receivers: r.texts(t.Receivers), Links: t.Links(), Count: t.Count,
			First: stamp(t.First), Last: stamp(t.Last), Phases: r.texts(slices.Clone(t.Phases)), Lasting: string(t.Lasting),
		}
	}
	return out
}
