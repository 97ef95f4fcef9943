package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"telltale/capture"
	"telltale/diagnosis"
)

// This file says why connections could not be read, as package diagnosis found it. A
// diagnosis is no violation: it makes a verdict worth less, and stands beside what the
// verdict is worth.

// unreadHeading is the heading of the diagnoses.
const unreadHeading = "Why connections could not be read"

// Limits of what a document for people shows of the diagnoses. The JSON has all.
const (
	maxDiagnoses = 8
	maxEvidence  = 4 // sentences of one
	maxNext      = 6 // steps of one
)

// diagnosed is a diagnosis and the device that it is about.
type diagnosed struct {
	diagnosis.Diagnosis
	device capture.Device
}

// diagnose returns the diagnoses of one device.
func (r *Report) diagnose(d capture.Device) []diagnosis.Diagnosis {
	if r.Diagnose == nil {
		return nil
	}
	return r.Diagnose(d)
}

// diagnoses returns those of all devices, the most important cause first.
func (r *Report) diagnoses() []diagnosed {
	var all []diagnosed
	for _, device := range r.Summary.Health.Devices {
		for _, d := range r.diagnose(device) {
			all = append(all, diagnosed{d, device})
		}
	}
	slices.SortStableFunc(all, func(a, b diagnosed) int { return cmp.Compare(causeRank(a.Cause), causeRank(b.Cause)) })
	return all
}

// causeRank is the place of a cause in their order; what is not known comes last.
func causeRank(c diagnosis.Cause) int {
	if i := slices.Index(diagnosis.Causes, c); i >= 0 {
		return i
	}
	return len(diagnosis.Causes)
}

// certainties say how much a diagnosis can be relied on.
var certainties = map[diagnosis.Certainty]string{
	diagnosis.Certain:  "certain (nothing else explains what was seen)",
	diagnosis.Likely:   "likely (other explanations are rare)",
	diagnosis.Possible: "possible (one explanation among several)",
}

// titleOf is what a diagnosis says, without a full stop.
func titleOf(r *Report, d diagnosed, st style) string {
	return st.prose(strings.TrimSuffix(r.clipped(d.Title, maxText), "."))
}

// found is a diagnosis in one line: "Likely: the app pins its certificates".
func found(r *Report, d diagnosed, st style) string {
	title := titleOf(r, d, st)
	if sure := sureness(d.Certainty); sure != "" {
		return capital(sure) + ": " + title
	}
	return opening(d, title)
}

// opening is a title at the start of a sentence.
func opening(d diagnosed, title string) string {
	if startsWithName(d) {
		return title
	}
	return capital(title)
}

// startsWithName reports whether the title of a diagnosis starts with the name of the
// program, which has a spelling of its own: curl, okhttp.
func startsWithName(d diagnosed) bool {
	first, _, _ := strings.Cut(d.Title, " ")
	return d.App != "" && !slices.Contains([]string{"the", "a", "some", "services"}, first)
}

// sureness is a certainty in one word, "" for one that is not known.
func sureness(c diagnosis.Certainty) string {
	if certainties[c] == "" {
		return ""
	}
	return string(c)
}

// findings are the facts of a diagnosis. Those without a text are left out.
func findings(r *Report, d diagnosed, st style) []fact {
	all := []fact{
		{"Device", deviceName(r, d.device, st)},
		{"App", optional(st.data, r.clipped(d.App, maxText))},
		{"Hosts", hostsOf(r, d.Diagnosis, st)},
		{"Seen", connectionsOf(d.Diagnosis)},
		{"Certainty", certainties[d.Certainty]},
	}
	return slices.DeleteFunc(all, func(f fact) bool { return f.Text == "" })
}

// optional quotes a text that may be missing.
func optional(quote func(string) string, s string) string {
	if s == "" {
		return ""
	}
	return quote(s)
}

// deviceName is what a device is called: its name with its address, or that alone.
func deviceName(r *Report, d capture.Device, st style) string {
	addr := st.data(r.clipped(d.Addr, maxHost))
	switch {
	case d.Name == "" && d.Addr == "":
		return "that the capture does not name"
	case d.Name == "":
		return addr
	case d.Addr == "":
		return st.data(r.clipped(d.Name, maxHost))
	}
	return fmt.Sprintf("%s (%s)", st.data(r.clipped(d.Name, maxHost)), addr)
}

// hostsOf names the hosts whose connections a diagnosis explains.
func hostsOf(r *Report, d diagnosis.Diagnosis, st style) string {
	shown := min(len(d.Hosts), maxListed)
	names := make([]string, 0, shown+1)
	for _, h := range d.Hosts[:shown] {
		names = append(names, st.data(r.clipped(h, maxHost)))
	}
	if more := len(d.Hosts) - shown + d.MoreHosts; more > 0 && shown > 0 {
		names = append(names, atLeast(d)+fmt.Sprintf("%d more", more))
	}
	return joinAnd(names)
}

// connectionsOf says how many connections a diagnosis explains, and when they were.
func connectionsOf(d diagnosis.Diagnosis) string {
	if d.Connections == 0 {
		return ""
	}
	s := atLeast(d) + plural(d.Connections, "connection", "connections")
	if !d.First.IsZero() {
		s += ", " + between(d.First, d.Last)
	}
	return s
}

// atLeast comes before a number that may be larger.
func atLeast(d diagnosis.Diagnosis) string {
	if d.AtLeast {
		return "at least "
	}
	return ""
}

// evidenceOf and stepsOf are what was observed, and what to do about it.
func evidenceOf(r *Report, d diagnosis.Diagnosis, st style) []string {
	return said(r, d.Evidence, maxEvidence, st)
}

func stepsOf(r *Report, d diagnosis.Diagnosis, st style) []string {
	return said(r, d.Next, maxNext, st)
}

// said returns the first of some sentences for a document.
func said(r *Report, texts []string, most int, st style) []string {
	out := make([]string, 0, min(len(texts), most))
	for _, text := range texts[:min(len(texts), most)] {
		out = append(out, st.prose(r.clipped(text, maxText)))
	}
	return out
}

// inOneSentence says a diagnosis where there is no room for more.
func inOneSentence(r *Report, d diagnosed, st style) string {
	s := "Device " + deviceName(r, d.device, st) + ": " + surely(r, d, st) + "."
	if hosts := hostsOf(r, d.Diagnosis, st); hosts != "" {
		s += " Hosts: " + hosts + "."
	}
	return s
}

// briefly says the most important diagnoses, a sentence each.
func briefly(r *Report, st style) []string {
	all := r.diagnoses()
	shown := min(len(all), maxListed)
	out := make([]string, 0, shown+1)
	for _, d := range all[:shown] {
		out = append(out, inOneSentence(r, d, st))
	}
	if more := len(all) - shown; more > 0 {
		out = append(out, plural(more, "more diagnosis stands", "more diagnoses stand")+" in a .json report.")
	}
	return out
}

// Diagnosis is one diagnosis, as JSON has it.
type Diagnosis struct {
	Key         string   `json:"key"` // tells those of one device apart: diagnosis.Diagnosis
	Cause       string   `json:"cause"`
	Certainty   string   `json:"certainty"`
	Title       string   `json:"title"`
	App         string   `json:"app"`
	Hosts       []string `json:"hosts"`
	MoreHosts   int      `json:"more_hosts"`
	Connections int      `json:"connections"`
	AtLeast     bool     `json:"at_least"` // there may be more connections and hosts
	Guess       bool     `json:"guess"`    // that they are of app rests on the TLS stack alone
	First       *string  `json:"first"`
	Last        *string  `json:"last"`
	Evidence    []string `json:"evidence"`
	Next        []string `json:"next"`
}

// NewDiagnosis returns a diagnosis whose texts went through mask. A nil mask reveals
// everything.
func NewDiagnosis(d diagnosis.Diagnosis, mask func(string) string) Diagnosis {
	return (&Report{Mask: mask, Reveal: mask == nil}).diagnosis(d)
}

func (r *Report) diagnosis(d diagnosis.Diagnosis) Diagnosis {
	return Diagnosis{
		Key: r.text(d.Key), Cause: r.text(string(d.Cause)), Certainty: r.text(string(d.Certainty)), Title: r.text(d.Title), App: r.text(d.App),
		Hosts: r.texts(d.Hosts), MoreHosts: d.MoreHosts, Connections: d.Connections, AtLeast: d.AtLeast, Guess: d.Guess, First: stamp(d.First), Last: stamp(d.Last),
		Evidence: r.texts(d.Evidence), Next: r.texts(d.Next),
	}
}
