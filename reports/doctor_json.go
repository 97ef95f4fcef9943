package reports

import (
	"io"
	"time"

	"telltale/diagnosis"
)

// DoctorSchema names the shape of an examination in JSON. Keys may be added under the
// same name; none changes its meaning.
const DoctorSchema = "telltale.doctor/1"

// doctorDocument is the JSON of an examination. Unknown times are null, lists are
// never null.
type doctorDocument struct {
	Schema    string          `json:"schema"`
	Tool      tool            `json:"tool"`
	Generated string          `json:"generated"`
	Policy    policyInfo      `json:"policy"`
	Captures  []captureEntry  `json:"captures"`
	Verdict   string          `json:"verdict"` // readable, unread, unclear or empty
	Finding   string          `json:"finding"`
	Flows     int             `json:"flows"`
	Hosts     int             `json:"hosts"`
	Unread    int             `json:"unread"`
	Devices   []doctorDevice  `json:"devices"`
	Failures  []doctorFailure `json:"failures"`    // towards servers
	Away      []doctorAway    `json:"turned_away"` // clients
	Skew      float64         `json:"clock_skew_seconds"`
	Next      []string        `json:"next"` // where no diagnosis says it
	Limits    []string        `json:"limits"`
}

type doctorDevice struct {
	contacting
	Authority *string     `json:"authority_fetched"` // when it fetched the certificate
	Signs     []sign      `json:"signs"`
	Diagnoses []Diagnosis `json:"diagnoses"`
}

type doctorFailure struct {
	Class     string   `json:"class"`
	Contacts  int      `json:"contacts"`
	Hosts     []string `json:"hosts"`
	MoreHosts int      `json:"more_hosts"`
	Text      string   `json:"text"`
	Next      []string `json:"next"`
}

type doctorAway struct {
	Client   string   `json:"client"`
	Why      string   `json:"why"`
	Attempts int      `json:"attempts"`
	Next     []string `json:"next"`
}

func writeDoctorJSON(w io.Writer, e *examined) error {
	return writeIndented(w, newDoctorDocument(e), "the examination as JSON")
}

func newDoctorDocument(e *examined) *doctorDocument {
	r := e.Report
	doc := &doctorDocument{
		Schema: DoctorSchema, Tool: tool{r.Tool.Name, r.Tool.Version}, Generated: r.Generated.UTC().Format(time.RFC3339),
		Policy: newPolicyInfo(r), Captures: newCaptures(r), Verdict: e.verdict(), Finding: validText(e.finding(inData)),
		Flows: e.contacts(), Hosts: e.hosts(), Unread: e.unreadContacts(), Skew: e.Skew.Seconds(),
		Devices: []doctorDevice{}, Failures: []doctorFailure{}, Away: []doctorAway{}, Next: texts(e.steps()), Limits: valid(e.unseen(inData)),
	}
	for _, p := range e.patients {
		doc.Devices = append(doc.Devices, newDoctorDevice(e, p))
	}
	for i, t := range e.towardsServers(inData) {
		f := e.Failures[i]
		doc.Failures = append(doc.Failures, doctorFailure{r.text(f.Class), f.Contacts, r.texts(f.Hosts), f.MoreHosts, validText(t.Text), texts(t.Next)})
	}
	for _, c := range e.Away {
		doc.Away = append(doc.Away, newDoctorAway(r, c))
	}
	return doc
}

func newDoctorDevice(e *examined, p patient) doctorDevice {
	r := e.Report
	out := doctorDevice{
		contacting: r.contacting(p.device), Authority: stamp(e.fetched(p.device)),
		Signs: p.signs, Diagnoses: []Diagnosis{},
	}
	for _, found := range p.diagnoses {
		out.Diagnoses = append(out.Diagnoses, r.diagnosis(found.Diagnosis))
	}
	return out
}

func newDoctorAway(r *Report, c diagnosis.TurnedAway) doctorAway {
	return doctorAway{r.text(c.Client), r.text(c.Why), c.Attempts, r.texts(admission(c))}
}

// valid is texts without broken UTF-8.
func valid(in []string) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = validText(s)
	}
	return out
}

// texts is a list that is never nil.
func texts(in []string) []string { return append([]string{}, in...) }
