package har

import (
	"net/netip"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"telltale/flow"
)

// record is the _telltale member: what a flow knows and HAR 1.2 has no place for.
// URL, headers, contents and frames stay where HAR has them. Absent members are
// zero values. Its form is part of the format: members are added, never changed.
type record struct {
	ID      flow.ID      `json:"id,omitzero"`
	Kind    flow.Kind    `json:"kind"`
	Mode    string       `json:"mode,omitzero"`
	Outcome flow.Outcome `json:"outcome,omitzero"`
	Failure string       `json:"failure,omitzero"`
	Error   string       `json:"error,omitzero"`
	Altered []string     `json:"altered,omitempty"`
	// Experiments changed the flow: without any, it was observed as it was.
	Experiments []string `json:"experiments,omitempty"`

	Phase   string       `json:"phase,omitzero"`
	Leaks   []leakRecord `json:"leaks,omitempty"`
	Omitted bool         `json:"omitted,omitzero"`
	// Exposures are findings that may have no content here any more; Examined is the version
	// of the search behind them. A reader looks again, and only adds what it finds here.
	Exposures   []exposureRecord `json:"exposures,omitempty"`
	Examined    int              `json:"examined,omitzero"`
	Client      clientRecord     `json:"client,omitzero"`
	Server      serverRecord     `json:"server,omitzero"`
	Request     *messageRecord   `json:"request,omitzero"`  // absent: there was none
	Response    *responseRecord  `json:"response,omitzero"` // absent: there was none
	FrameOffset int              `json:"frameOffset,omitzero"`
	Sent        int64            `json:"sent,omitzero"`
	Received    int64            `json:"received,omitzero"`

	DatagramsSent     int64           `json:"datagramsSent,omitzero"`
	DatagramsReceived int64           `json:"datagramsReceived,omitzero"`
	Speech            string          `json:"speech,omitzero"`
	DNS               *questionRecord `json:"dns,omitzero"` // absent: there was no question
	Notes             []string        `json:"notes,omitempty"`

	Times timesRecord `json:"times"`
}

// leakRecord says what was redacted, so that a redacted file has the verdict of
// the whole one.
type leakRecord struct {
	Name  string   `json:"name"`
	Where []string `json:"where"`
}

// exposureRecord is a [flow.Exposure] without its digest, by which many values can be
// guessed.
type exposureRecord struct {
	Kind   string   `json:"kind"`
	Name   string   `json:"name,omitzero"`
	Where  string   `json:"where"`
	Layers []string `json:"layers,omitempty"`
	Masked string   `json:"masked,omitzero"`
}

type clientRecord struct {
	Addr   netip.AddrPort `json:"addr,omitzero"`
	Device string         `json:"device,omitzero"`
	App    appRecord      `json:"app,omitzero"`
	Hello  *helloRecord   `json:"hello,omitzero"`
	TLS    uint16         `json:"tls,omitzero"`
	ALPN   string         `json:"alpn,omitzero"`
}

type appRecord struct {
	Name string `json:"name,omitzero"`
	ID   string `json:"id,omitzero"`
}

type helloRecord struct {
	ServerName string   `json:"serverName,omitzero"`
	ALPN       []string `json:"alpn,omitempty"`
	Versions   []uint16 `json:"versions,omitempty"`
	JA4        string   `json:"ja4,omitzero"`
	Alert      string   `json:"alert,omitzero"`
}

type serverRecord struct {
	Asked       string         `json:"asked,omitzero"`
	SNI         string         `json:"sni,omitzero"`
	Host        string         `json:"host,omitzero"`
	Destination netip.AddrPort `json:"destination,omitzero"`
	Resolved    string         `json:"resolved,omitzero"`
	Dialed      netip.AddrPort `json:"dialed,omitzero"`
	TLS         *tlsRecord     `json:"tls,omitzero"`
}

type questionRecord struct {
	Name    string         `json:"name"`
	Type    string         `json:"type"`
	Code    string         `json:"code,omitzero"`
	Answers []answerRecord `json:"answers,omitempty"`
}

// answerRecord has its TTL in nanoseconds, as durations are.
type answerRecord struct {
	Name string `json:"name"`
	Type string `json:"type"`
	TTL  int64  `json:"ttl"`
	Data string `json:"data"`
}

type tlsRecord struct {
	Version     uint16             `json:"version,omitzero"`
	CipherSuite uint16             `json:"cipherSuite,omitzero"`
	ALPN        string             `json:"alpn,omitzero"`
	Certificate *certificateRecord `json:"certificate,omitzero"`
	Invalid     string             `json:"invalid,omitzero"`
	Unverified  bool               `json:"unverified,omitzero"`
}

type certificateRecord struct {
	Subject   string    `json:"subject,omitzero"`
	Issuer    string    `json:"issuer,omitzero"`
	DNSNames  []string  `json:"dnsNames,omitempty"`
	NotBefore time.Time `json:"notBefore,omitzero"`
	NotAfter  time.Time `json:"notAfter,omitzero"`
	SHA256    string    `json:"sha256,omitzero"`
}

// messageRecord is what a message's own form in HAR does not say.
type messageRecord struct {
	Proto     string `json:"proto,omitzero"`
	Size      int64  `json:"size,omitzero"` // of the body as it passed
	Truncated bool   `json:"truncated,omitzero"`
	Digest    string `json:"digest,omitzero"`
	Decoded   bool   `json:"decoded,omitzero"`
}

type responseRecord struct {
	messageRecord
	Interim []int `json:"interim,omitempty"`
}

// timesRecord has durations in nanoseconds, -1 for unmeasured ones, as flow has.
type timesRecord struct {
	Start   time.Time `json:"start,omitzero"`
	End     time.Time `json:"end,omitzero"`
	Blocked int64     `json:"blocked"`
	DNS     int64     `json:"dns"`
	Connect int64     `json:"connect"`
	TLS     int64     `json:"tls"`
	Send    int64     `json:"send"`
	Wait    int64     `json:"wait"`
	Receive int64     `json:"receive"`
}

// newRecord describes a flow; its bodies are described when they are written.
func newRecord(f *flow.Flow) *record {
	r := &record{
		ID: f.ID, Kind: f.Kind, Mode: f.Mode, Outcome: f.Outcome, Failure: f.Failure, Error: f.Error,
		Altered: f.Altered, Experiments: f.Experiments, Phase: f.Phase, Omitted: f.Omitted, FrameOffset: f.FrameOffset, Sent: f.Sent, Received: f.Received,
		Exposures: exposureRecords(f.Exposures), Examined: f.Examined,
		DatagramsSent: f.DatagramsSent, DatagramsReceived: f.DatagramsReceived, Speech: f.Speech, Notes: f.Notes, DNS: newQuestionRecord(f.DNS),
		Client: clientRecord{Addr: f.Client.Addr, Device: f.Client.Device, App: appRecord(f.Client.App), TLS: f.Client.TLS, ALPN: f.Client.ALPN},
		Server: serverRecord{
			Asked: f.Server.Asked, SNI: f.Server.SNI, Host: f.Server.Host,
			Destination: f.Server.Destination, Resolved: f.Server.Resolved, Dialed: f.Server.Dialed,
		},
		Times: timesRecord{
			Start: f.Times.Start, End: f.Times.End, Blocked: int64(f.Times.Blocked), DNS: int64(f.Times.DNS),
			Connect: int64(f.Times.Connect), TLS: int64(f.Times.TLS), Send: int64(f.Times.Send),
			Wait: int64(f.Times.Wait), Receive: int64(f.Times.Receive),
		},
	}
	if h := f.Client.Hello; h != nil {
		r.Client.Hello = &helloRecord{ServerName: h.ServerName, ALPN: h.ALPN, Versions: h.Versions, JA4: h.JA4, Alert: h.Alert}
	}
	if t := f.Server.TLS; t != nil {
		r.Server.TLS = &tlsRecord{Version: t.Version, CipherSuite: t.CipherSuite, ALPN: t.ALPN, Invalid: t.Invalid, Unverified: t.Unverified}
		if c := t.Certificate; c != nil {
			cert := certificateRecord(*c)
			r.Server.TLS.Certificate = &cert
		}
	}
	return r
}

// flow makes the flow of a record, without what stands elsewhere in the entry.
func (r *record) flow() *flow.Flow {
	f := &flow.Flow{
		ID: r.ID, Kind: r.Kind, Mode: r.Mode, Outcome: r.Outcome, Failure: r.Failure, Error: r.Error,
		Altered: r.Altered, Experiments: r.Experiments, Phase: r.Phase, Omitted: r.Omitted, FrameOffset: r.FrameOffset, Sent: r.Sent, Received: r.Received,
		DatagramsSent: r.DatagramsSent, DatagramsReceived: r.DatagramsReceived, Speech: r.Speech, Notes: r.Notes, DNS: r.DNS.question(),
		Client: flow.Client{Addr: r.Client.Addr, Device: r.Client.Device, App: flow.App(r.Client.App), TLS: r.Client.TLS, ALPN: r.Client.ALPN},
		Server: flow.Server{
			Asked: r.Server.Asked, SNI: r.Server.SNI, Host: r.Server.Host,
			Destination: r.Server.Destination, Resolved: r.Server.Resolved, Dialed: r.Server.Dialed,
		},
		Times: flow.Times{
			Start: r.Times.Start, End: r.Times.End, Blocked: time.Duration(r.Times.Blocked), DNS: time.Duration(r.Times.DNS),
			Connect: time.Duration(r.Times.Connect), TLS: time.Duration(r.Times.TLS), Send: time.Duration(r.Times.Send),
			Wait: time.Duration(r.Times.Wait), Receive: time.Duration(r.Times.Receive),
		},
	}
	r.findings(f)
	if h := r.Client.Hello; h != nil {
		f.Client.Hello = &flow.ClientHello{ServerName: h.ServerName, ALPN: h.ALPN, Versions: h.Versions, JA4: h.JA4, Alert: h.Alert}
	}
	if t := r.Server.TLS; t != nil {
		f.Server.TLS = &flow.ServerTLS{Version: t.Version, CipherSuite: t.CipherSuite, ALPN: t.ALPN, Invalid: t.Invalid, Unverified: t.Unverified}
		if t.Certificate != nil {
			c := flow.Certificate(*t.Certificate)
			f.Server.TLS.Certificate = &c
		}
	}
	return f
}

// Bounds of what a record may claim, which package exposure stays below.
const (
	maxExposures      = 512
	maxExposureText   = 4 << 10 // bytes of its texts in all
	maxExposureLayers = 32
)

// findings gives a flow what its record says was found in it. It is a claim, which can add
// findings and take none away: Examined stays 0, so that what is here is searched.
func (r *record) findings(f *flow.Flow) {
	for _, leak := range r.Leaks {
		if leak.Name != "" && len(leak.Where) > 0 {
			f.Leaks = append(f.Leaks, flow.Leak(leak))
		}
	}
	for _, x := range r.Exposures[:min(len(r.Exposures), maxExposures)] {
		if x.Kind != "" && len(x.Layers) <= maxExposureLayers && len(x.Kind)+len(x.Name)+len(x.Where)+len(x.Masked)+len(strings.Join(x.Layers, "")) <= maxExposureText {
			f.Exposures = append(f.Exposures, flow.Exposure{Kind: x.Kind, Name: x.Name, Where: x.Where, Layers: x.Layers, Masked: x.Masked})
		}
	}
}

func exposureRecords(found []flow.Exposure) (records []exposureRecord) {
	for _, x := range found {
		records = append(records, exposureRecord{Kind: x.Kind, Name: x.Name, Where: x.Where, Layers: x.Layers, Masked: x.Masked})
	}
	return records
}

func newQuestionRecord(q *flow.Question) *questionRecord {
	if q == nil {
		return nil
	}
	r := &questionRecord{Name: q.Name, Type: q.Type, Code: q.Code}
	for _, a := range q.Answers {
		r.Answers = append(r.Answers, answerRecord{Name: a.Name, Type: a.Type, TTL: int64(a.TTL), Data: a.Data})
	}
	return r
}

// maxAnswers is how many answers a question has at most.
const maxAnswers = 64

// question returns the question of a record, nil for none.
func (r *questionRecord) question() *flow.Question {
	if r == nil {
		return nil
	}
	q := &flow.Question{Name: r.Name, Type: r.Type, Code: r.Code}
	for _, a := range r.Answers[:min(len(r.Answers), maxAnswers)] {
		q.Answers = append(q.Answers, flow.Answer{Name: a.Name, Type: a.Type, TTL: time.Duration(a.TTL), Data: a.Data})
	}
	return q
}

func leakRecords(leaks []flow.Leak) (records []leakRecord) {
	for _, leak := range leaks {
		records = append(records, leakRecord(leak))
	}
	return records
}

// kinds are those that a record may name.
var kinds = map[flow.Kind]bool{
	flow.HTTP: true, flow.WebSocket: true, flow.DNS: true, flow.Tunnel: true,
	flow.UDP: true, flow.ICMP: true, flow.IP: true, flow.Contact: true,
}

// ownRecord returns the record of the draft, nil when there is none that can be
// read.
func (d *reader) ownRecord() *record {
	raw := d.draft.telltale
	if raw == nil {
		return nil
	}
	var r record
	err := json.Unmarshal(raw, &r, unmarshalOptions)
	if err != nil || !kinds[r.Kind] {
		d.note(noteTelltale)
		return nil
	}
	return &r
}

// ownFlow puts a flow that we wrote together again.
func (d *reader) ownFlow(r *record) *flow.Flow {
	e := &d.draft
	f := r.flow()
	f.Frames = e.frames
	if m := r.Request; m != nil {
		f.Request = &flow.Request{
			Method: e.method, URL: e.url, Proto: m.Proto,
			Header: e.request.header, Trailer: e.request.trailer, Body: d.ownBody(&e.request, m),
		}
	}
	if m := r.Response; m != nil {
		f.Response = &flow.Response{
			Status: e.status, Reason: e.reason, Proto: m.Proto,
			Header: e.response.header, Trailer: e.response.trailer, Body: d.ownBody(&e.response, &m.messageRecord), Interim: m.Interim,
		}
	}
	return f
}

// ownBody combines the content of an entry with what its record says of it.
func (d *reader) ownBody(m *message, r *messageRecord) flow.Body {
	body := d.body(m)
	// By our limit, or since it lies in a file that was not read.
	cut := (m.body.size > 0 || m.body.attached != "") && int64(len(body.Content)) < body.Size
	body.Size, body.Decoded = r.Size, r.Decoded
	body.Truncated, body.Digest = r.Truncated || cut, r.Digest
	if cut {
		body.Digest = "" // it is the key of another content now
	}
	return body
}
