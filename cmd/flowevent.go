package cmd

import (
	"telltale/attribution"
	"telltale/capture"
	"telltale/flow"
	"telltale/reports"
)

// flowEvent is the object of contract section 7.
type flowEvent struct {
	Event    string   `json:"event"`
	Time     string   `json:"time"`
	ID       int64    `json:"id"`
	Kind     string   `json:"kind"`
	Mode     string   `json:"mode"`
	Client   string   `json:"client"`
	Method   string   `json:"method"`
	URL      string   `json:"url"`
	Host     string   `json:"host"`
	Status   int      `json:"status"`
	Protocol string   `json:"protocol"`
	Outcome  string   `json:"outcome"`
	Verdict  string   `json:"verdict"`
	Rule     string   `json:"rule"`
	Error    string   `json:"error,omitempty"`
	App      string   `json:"app,omitempty"`
	Sent     int64    `json:"bytes_sent"`
	Received int64    `json:"bytes_received"`
	Duration float64  `json:"duration_ms"`
	Phase    string   `json:"phase,omitempty"`
	Altered  []string `json:"altered,omitempty"`
	// Experiments changed the flow; without any, altered has what telltale always does.
	Experiments []string `json:"experiments,omitempty"`

	SNI     string `json:"sni,omitempty"`
	JA4     string `json:"ja4,omitempty"`
	Alert   string `json:"alert,omitempty"`
	Failure string `json:"failure,omitempty"`
	Dialed  string `json:"dialed,omitempty"`
	// Destination is where the device's packets went, and Resolved the name for which it
	// was given that address.
	Destination string         `json:"destination,omitempty"`
	Resolved    string         `json:"resolved,omitempty"`
	Device      string         `json:"device,omitempty"`
	Speech      string         `json:"speech,omitempty"`
	DNS         *questionEvent `json:"dns,omitempty"`
	// The packets of the kinds udp, icmp and ip.
	DatagramsSent     int64           `json:"datagrams_sent,omitempty"`
	DatagramsReceived int64           `json:"datagrams_received,omitempty"`
	Notes             []string        `json:"notes,omitempty"`
	Exposures         []exposureEvent `json:"exposures,omitempty"`
	// Subtracted is set where a device at rest makes the contact, too.
	Subtracted bool `json:"subtracted,omitempty"`
	// Attributed is the app, as far as it is known when the event is told.
	Attributed *attributedEvent `json:"attributed,omitempty"`
}

// attributedEvent is an app, and how it is known that it made the flow.
type attributedEvent struct {
	App   string `json:"app"`
	ID    string `json:"id"`
	How   string `json:"how"`
	Words string `json:"words"`
}

func newAttributedEvent(a attribution.Attribution, text func(string) string) *attributedEvent {
	if !a.Known() {
		return nil
	}
	return &attributedEvent{text(a.App), text(a.ID), string(a.How), text(a.Words)}
}

// exposureEvent is an identifier that the flow carried, masked.
type exposureEvent struct {
	Kind   string   `json:"kind"`
	Name   string   `json:"name,omitempty"`
	Where  string   `json:"where"`
	Layers []string `json:"layers,omitempty"`
	Masked string   `json:"masked"`
}

func newExposureEvents(all []flow.Exposure, text func(string) string) []exposureEvent {
	var events []exposureEvent
	for _, e := range all {
		events = append(events, exposureEvent{text(e.Kind), text(e.Name), text(e.Where), texts(e.Layers, text), text(e.Masked)})
	}
	return events
}

// questionEvent is a question of DNS and what it was answered.
type questionEvent struct {
	Name    string        `json:"name"`
	Type    string        `json:"type"`
	Code    string        `json:"code"` // "" where no answer came
	Answers []answerEvent `json:"answers"`
}

type answerEvent struct {
	Name string  `json:"name"`
	Type string  `json:"type"`
	TTL  float64 `json:"ttl"` // in seconds
	Data string  `json:"data"`
}

func newQuestionEvent(q *flow.Question, text func(string) string) *questionEvent {
	if q == nil {
		return nil
	}
	e := &questionEvent{text(q.Name), text(q.Type), text(q.Code), []answerEvent{}}
	for _, a := range q.Answers {
		e.Answers = append(e.Answers, answerEvent{text(a.Name), text(a.Type), a.TTL.Seconds(), text(a.Data)})
	}
	return e
}

// newFlowEvent tells a flow. What mask hides is hidden in every text, for a file can have
// any value anywhere; a nil mask reveals everything.
func newFlowEvent(r capture.Recorded, apps *attribution.Book, mask func(string) string) flowEvent {
	f := r.Flow
	text := func(s string) string { return s }
	if mask != nil {
		text = func(s string) string { return mask(flow.WithoutUsers(s)) }
	}
	e := flowEvent{
		Event: "flow", Time: stamp(f.Times.Start), ID: int64(f.ID), Kind: text(string(f.Kind)), Mode: text(f.Mode),
		Method: text(f.Method()), URL: reports.URL(f.URL(), mask), Host: text(f.Host()), Status: f.Status(), Protocol: text(f.Protocol()),
		Outcome: text(string(f.Outcome)), Verdict: string(r.Judgement.Verdict), Rule: string(r.Judgement.Rule()),
		Error: text(f.Error), App: text(f.UserAgent()), Sent: f.BytesSent(), Received: f.BytesReceived(),
		Duration: float64(f.Duration().Microseconds()) / 1000, Phase: text(f.Phase), Altered: texts(f.Altered, text), Experiments: texts(f.Experiments, text),
		SNI: text(f.Server.SNI), Failure: text(f.Failure), Destination: text(f.Server.AddressedTo()), Resolved: text(f.Server.Resolved),
		Device: text(f.Client.Device), Speech: text(f.Speech), DNS: newQuestionEvent(f.DNS, text),
		DatagramsSent: f.DatagramsSent, DatagramsReceived: f.DatagramsReceived, Notes: texts(f.Notes, text),
		Exposures: newExposureEvents(r.Judgement.Exposures(f), text), Subtracted: r.Judgement.Subtracted,
		Attributed: newAttributedEvent(apps.Of(f), text),
	}
	if f.Client.Addr.IsValid() {
		e.Client = text(f.Client.Addr.Addr().Unmap().WithZone("").String())
	}
	if f.Server.Dialed.IsValid() {
		e.Dialed = text(f.Server.Dialed.String())
	}
	if h := f.Client.Hello; h != nil {
		e.JA4, e.Alert = text(h.JA4), text(h.Alert)
	}
	return e
}

// texts returns the sentences as text shows them, nil for none.
func texts(all []string, text func(string) string) []string {
	var out []string
	for _, s := range all {
		out = append(out, text(s))
	}
	return out
}
