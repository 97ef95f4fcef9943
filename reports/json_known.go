package reports

import (
	"telltale/capture"
	"telltale/policy"
)

// This file is what the JSON says of hosts, of who stands behind them and of the tests
// that a violation bears on.

type host struct {
	Host          string   `json:"host"`
	Verdict       string   `json:"verdict"`
	Flows         int      `json:"flows"`
	Rule          string   `json:"rule"`
	Category      string   `json:"category"`
	First         *string  `json:"first"`
	Last          *string  `json:"last"`
	BytesSent     int64    `json:"bytes_sent"`
	BytesReceived int64    `json:"bytes_received"`
	Violating     int      `json:"violating"`
	Unread        int      `json:"unread"`
	Altered       int      `json:"altered,omitempty"` // flows that experiments altered
	Apps          []string `json:"apps"`
	Phases        []string `json:"phases,omitempty"`
	Decided       *source  `json:"decided"`
	QUICRefused   int      `json:"quic_refused"` // conversations that were refused, so that they came back over TCP
	// Attributed are the apps of flows whose User-Agent names none.
	Attributed []attributed `json:"attributed"`
	Company    string       `json:"company"` // that runs it, as far as it is known
	Product    string       `json:"product"` // that apps embed
	Country    string       `json:"country"` // of the company's seat, ISO 3166-1 alpha-2
	Purpose    string       `json:"purpose"` // one of the catalogue's categories
	Source     string       `json:"source"`  // that says so
	Confidence string       `json:"confidence"`
	Noise      string       `json:"noise"` // "noise": only systems contact it; "ambiguous": they do, too
	Rhythm     *rhythm      `json:"rhythm"`
}

func (r *Report) host(h capture.Host) host {
	out := host{
		Host: r.text(h.Name), Verdict: string(h.Verdict), Flows: h.Flows, Rule: string(h.Rule), Category: h.Category,
		First: stamp(h.First), Last: stamp(h.Last), BytesSent: h.BytesSent, BytesReceived: h.BytesReceived,
		Violating: h.Violating, Unread: h.Unread, Altered: h.Altered, Apps: r.texts(h.Apps), Phases: r.texts(h.Phases), Decided: r.source(h.Source),
		QUICRefused: h.QUICRefused, Attributed: r.attributed(h.Attributed), Noise: string(noiseOf(h.Name)),
	}
	who := r.whois(h.Name)
	out.Company, out.Product, out.Country, out.Purpose = r.text(who.Company), r.text(who.Product), who.Country, who.Purpose
	out.Source, out.Confidence = r.text(who.Source), who.Confidence
	out.Rhythm = newRhythm(h.Rhythm)
	return out
}

// test is one of OWASP's Mobile Application Security Testing Guide.
type test struct {
	ID       string `json:"id"`
	Title    string `json:"title"`
	Platform string `json:"platform"` // "android", "ios", "" for both
	Weakness string `json:"weakness"`
	Note     string `json:"note,omitempty"`
}

// addKnown adds what is known of a finding beyond what it says itself.
func (r *Report) addKnown(out *Violation, f policy.Finding) {
	for _, t := range testsOf(f) {
		out.Tests = append(out.Tests, test(t))
	}
	who := r.whois(f.Host)
	out.Company, out.Product, out.Country, out.Purpose = r.text(who.Company), r.text(who.Product), who.Country, who.Purpose
	out.Rhythm = newRhythm(r.lookup().hosts[f.Host].rhythm)
}
