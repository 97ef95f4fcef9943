package reports

import "telltale/locate"

// pageOrigins is the section on where violations come from.
type pageOrigins struct {
	ID, Heading string
	Intro       string // sentence
	Hosts       []pageOrigin
	More        int
	Missing     sentences
	Hidden      sentences
	Advice      sentences
}

// pageOrigin is a host with its leads.
type pageOrigin struct {
	Host  string // sentence
	Leads []pageLead
	Rest  []string // sentences
	More  int
}

type pageLead struct {
	Where   string // sentence
	Snippet locate.Snippet
	Facts   []fact
	Remedy  []paragraph
	Docs    string // sentence
}

// newPageOrigins returns nil where no app was at hand.
func newPageOrigins(r *Report) *pageOrigins {
	parts := r.origins(inHTML)
	if parts == nil {
		return nil
	}
	out := &pageOrigins{ID: originsID, Heading: originsHeading, Intro: parts.Intro, More: parts.More, Missing: parts.Missing, Hidden: parts.Hidden, Advice: parts.Advice}
	for _, h := range parts.Hosts {
		host := pageOrigin{Host: h.Host, Rest: h.Rest, More: h.More}
		for _, l := range h.Leads {
			host.Leads = append(host.Leads, pageLead{Where: l.Where, Snippet: l.Snippet.Fit(pageColumns, cellsOf), Facts: l.Facts, Remedy: paragraphs(l.Remedy), Docs: l.Docs})
		}
		out.Hosts = append(out.Hosts, host)
	}
	return out
}
