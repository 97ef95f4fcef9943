package reports

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"telltale/capture"
	"telltale/diagnosis"
	"telltale/flow"
)

// This file is the examination of a capture: what of it can be read, what stands in
// the way of the rest, and what to do. It judges no contact.

// Examination is everything that the document of an examination may say.
type Examination struct {
	// Report has what was examined. Of its devices, those in Summary.Health.Devices are
	// told, each with what Report.Diagnose returns.
	*Report
	// Device is what picked the devices, "" for all.
	Device string
	// Unnamed are the contacts whose device the capture does not tell, with their
	// evidence. Nil when there are none.
	Unnamed *capture.Device
	// Untold is how many of them could not be read without that the capture says why.
	Untold int
	// AppUnseen is that the policy says which User-Agents are the app's own, and no contact
	// bore one.
	AppUnseen bool
	// Fetched returns when a device fetched the certificate of the authority, zero if
	// it did not. Nil: nobody can tell.
	Fetched  func(capture.Device) time.Time
	Failures []diagnosis.Failure    // contacts that did not reach their server
	Away     []diagnosis.TurnedAway // clients that were not let in
	Skew     time.Duration          // how far the servers' clocks are ahead; 0 for no trouble
}

// DoctorFormats are the names of the formats of an examination.
var DoctorFormats = []string{"text", "json", "markdown"}

// Write writes the examination in one of DoctorFormats.
func (e *Examination) Write(w io.Writer, format string) error {
	switch format {
	case "text":
		return writeDoctorText(w, e.examine())
	case "markdown":
		return writeDoctorMarkdown(w, e.examine())
	case "json":
		return writeDoctorJSON(w, e.examine())
	}
	return errors.New("no examination has the format " + format)
}

// patient is one device as it is examined.
type patient struct {
	device    capture.Device
	signs     []sign
	diagnoses []diagnosed
}

// sign is one thing that works or does not.
type sign struct {
	State string `json:"state"` // "yes", "no", "part" or "?"
	Text  string `json:"text"`
}

// Verdicts of an examination.
const (
	Readable = "readable" // nothing stands in the way
	Unread   = "unread"   // something keeps content of an app from being read
	Unclear  = "unclear"  // something could not be read, and nobody can tell why, or what matters was not seen, or a capture is damaged
	Empty    = "empty"    // there is nothing to examine
)

// Verdict returns what the examination found: Unread where a diagnosis says that
// content of an app stays unread (diagnosis.Diagnosis.Blocks); Unclear where no
// diagnosis explains what could not be read, or the app was not seen; Empty where no contact was recorded and
// nothing says why.
func (e *Examination) Verdict() string { return e.examine().verdict() }

// examined is an examination with what was found of each device.
type examined struct {
	*Examination
	patients []patient
}

func (e *examined) verdict() string {
	for _, p := range e.patients {
		for _, d := range p.diagnoses {
			if d.Blocks() {
				return Unread
			}
		}
	}
	switch {
	case e.contacts() == 0:
		return Empty
	case damagedAny(e.Captures), e.open() > 0, e.AppUnseen:
		return Unclear
	}
	return Readable
}

// contacts counts those of the examined devices.
func (e *Examination) contacts() int {
	if e.Device == "" {
		return e.Summary.Flows
	}
	n := 0
	for _, d := range e.Summary.Health.Devices {
		n += d.Flows
	}
	return n
}

// hosts counts those that the examined devices contacted.
func (e *Examination) hosts() int {
	if e.Device == "" {
		return len(e.Summary.Hosts)
	}
	n := 0
	for _, d := range e.Summary.Health.Devices {
		n += d.Hosts
	}
	return n
}

// examine asks for the diagnoses of each device, once.
func (e *Examination) examine() *examined {
	devices := e.Summary.Health.Devices
	if e.Unnamed != nil {
		devices = append(slices.Clip(devices), *e.Unnamed)
	}
	x := &examined{Examination: e, patients: make([]patient, 0, len(devices))}
	for _, device := range devices {
		p := patient{device: device, signs: e.signs(device)}
		for _, d := range e.diagnose(device) {
			p.diagnoses = append(p.diagnoses, diagnosed{d, device})
		}
		x.patients = append(x.patients, p)
	}
	return x
}

// signs are what works on a device, and what does not.
func (e *Examination) signs(d capture.Device) []sign {
	var out []sign
	add := func(state, text string) { out = append(out, sign{state, text}) }
	live := slices.Contains(e.Modes, "http") && d.Addr != ""
	uses := "uses the proxy: "
	if !live {
		uses = "made " // through what, its file does not tell
	}
	if d.Flows > 0 {
		text := uses + plural(d.Flows, "contact", "contacts")
		if !d.First.IsZero() {
			text += ", " + between(d.First, d.Last)
		}
		add("yes", text)
	} else {
		add("no", "uses the proxy: it contacted no server")
	}
	if fetched := e.fetched(d); !fetched.IsZero() {
		add("yes", "fetched the certificate of telltale, at "+moment(fetched))
	} else if d.Decrypted.IsZero() && live {
		add("?", "did not fetch the certificate of telltale while this was recorded; it may have it")
	}
	if !d.Decrypted.IsZero() {
		add("yes", "its TLS can be read, since "+moment(d.Decrypted))
	}
	switch {
	case d.Unread > 0 && d.Decrypted.IsZero() && live:
		add("no", fmt.Sprintf("its TLS can be read: %d of %s stayed unread", d.Unread, plural(d.Flows, "contact", "contacts")))
	case d.Unread > 0:
		state := "part"
		if d.Unread >= d.Flows {
			state = "no"
		}
		add(state, fmt.Sprintf("%d of %s could be read", max(0, d.Flows-d.Unread), plural(d.Flows, "contact", "contacts")))
	case d.Flows > 0 && d.Decrypted.IsZero() && live:
		add("?", "made no TLS connection: only plain HTTP was seen")
	}
	return out
}

func (e *Examination) fetched(d capture.Device) time.Time {
	if e.Fetched == nil {
		return time.Time{}
	}
	return e.Fetched(d)
}

// finding is what the examination found, in one sentence without its verdict.
func (e *examined) finding(st style) string {
	var blocking, aside []diagnosed // aside: they leave nothing unread that was recorded
	system := false
	for _, p := range e.patients {
		for _, d := range p.diagnoses {
			switch {
			case d.Blocks():
				blocking = append(blocking, d)
			case d.Cause == diagnosis.SystemPinning:
				system = true
			default:
				aside = append(aside, d)
			}
		}
	}
	switch {
	case len(blocking) > 0:
		return e.foremost(append(blocking, aside...), st)
	case e.contacts() == 0:
		return e.nothing()
	case damagedAny(e.Captures):
		return "nothing is known to stand in the way, but not every capture could be read to its end"
	case e.open() > 0:
		return e.unclear(system)
	case e.AppUnseen:
		return "the app was not seen: no contact bears a User-Agent that the policy names as its own"
	case len(aside) > 0:
		return "nothing of an app stayed unread, but " + e.foremost(aside, st)
	case system:
		return "nothing stands in the way of an app: only services of Apple and Google refuse, as they do to everybody"
	case e.unexplained() > 0:
		return e.settled()
	case e.unnamed() == e.Summary.Flows:
		return "all that is in the capture could be read; it does not tell what is missing from it"
	case e.nothingDecrypted():
		return "nothing stands in the way, but no TLS was seen either"
	case e.unreadContacts() > 0:
		return "nothing stands in the way: what could not be read was not to be read, or is no TLS"
	}
	return "nothing stands in the way: all that was recorded could be read"
}

// foremost says the diagnosis of the most important cause, and how many others there
// are.
func (e *examined) foremost(all []diagnosed, st style) string {
	first := slices.MinFunc(all, func(a, b diagnosed) int { return cmp.Compare(causeRank(a.Cause), causeRank(b.Cause)) })
	s := surely(e.Report, first, st)
	if e.severalDevices() {
		s += ", on " + deviceName(e.Report, first.device, st)
	}
	if more := len(all) - 1; more > 0 {
		s += "; and " + plural(more, "more finding", "more findings")
	}
	return s
}

// unreadContacts counts those of the examined devices.
func (e *Examination) unreadContacts() int {
	if e.Device == "" {
		n, _ := unread(e.Summary.Health)
		return n
	}
	n := 0
	for _, d := range e.Summary.Health.Devices {
		n += d.Unread
	}
	return n
}

// nothingDecrypted reports whether all was plain HTTP: what comes from a file says
// nothing of that.
func (e *Examination) nothingDecrypted() bool {
	if !slices.Equal(e.Modes, []string{"http"}) {
		return false
	}
	return !slices.ContainsFunc(e.Summary.Health.Devices, func(d capture.Device) bool { return !d.Decrypted.IsZero() })
}

// nothing says why there is nothing to examine.
func (e *Examination) nothing() string {
	switch {
	case damagedAny(e.Captures):
		return "no contact could be read, as the capture is damaged"
	case len(e.Away) > 0:
		return "no contact was recorded: every client was turned away"
	case e.Summary.Health.Nameless > 0:
		return "no contact was recorded: what came named no server"
	case len(e.Summary.Health.Devices) > 0:
		return "no contact was recorded: what came was for telltale's own pages alone"
	}
	return "nothing was recorded: no device used the proxy"
}

// steps are what to do where no diagnosis says it.
func (e *examined) steps() []string {
	switch verdict := e.verdict(); {
	case verdict == Unread:
		return nil
	case damagedAny(e.Captures):
		return []string{"Export or record the damaged capture again, and examine that."}
	case verdict == Unclear && e.open() == 0:
		return []string{
			"Open the app and use it while it is recorded; close it first, so that it starts with the proxy set.",
			"If it was used: `app: user-agent:` in the policy may not fit what it sends.",
			e.otherWay(),
		}
	case verdict == Unclear && e.open() == e.Untold:
		return []string{"Record it with telltale, on the device itself: that tells which connections could not be read, and why."}
	case verdict == Unclear && e.keepersAlone():
		return []string{"Open any https page in the device's browser while it is recorded: only then it shows whether TLS can be read."}
	case verdict == Unclear:
		return []string{
			"While it is recorded, open any https page in the device's browser, then use the app: what can be read and what cannot tells the causes apart.",
			"Name the app's User-Agent in the policy (`app: user-agent:`), so that it is told from the rest of the device.",
		}
	case verdict == Empty:
		return e.stepsForNothing()
	case e.nothingDecrypted():
		return []string{"Open any https page in the device's browser while it is recorded: only then it shows whether TLS can be read."}
	}
	return nil
}

// otherWay is what to do about an app that may ignore the proxy.
func (e *Examination) otherWay() string {
	if e.wholeDevice() {
		return "The tunnel takes every app of the device, unless its settings leave one out: look whether the tunnel is on."
	}
	return "An app that ignores the proxy setting (Flutter, games, sockets of its own) comes through a tunnel all the same: `telltale record --wireguard`."
}

// wholeDevice reports whether a way in was open that takes every packet of a device.
func (e *Examination) wholeDevice() bool {
	return slices.ContainsFunc(e.ways(), func(w wayIn) bool { return w.Whole })
}

// stepsForNothing are what to do where there is nothing to examine.
func (e *Examination) stepsForNothing() []string {
	switch {
	case len(e.Away) > 0:
		return nil // they are told with the clients
	case len(e.Summary.Health.Devices) > 0:
		return []string{
			"The device reaches this machine. Set its HTTP proxy, for the network that it is in: `telltale setup` shows where.",
			"Then open any page in its browser, while it is recorded: it has to appear in `telltale watch`.",
			e.otherWay(),
		}
	}
	return []string{
		"Set the HTTP proxy of the device to this machine: `telltale setup` shows the address and the steps.",
		"Open the address of the proxy in its browser. If nothing comes, the device is in another network (guest networks keep devices apart), or a firewall on this machine keeps the port shut.",
		"Switch off a VPN or iCloud Private Relay on the device: they lead round the proxy.",
		"Use the app while it is recorded; `telltale watch` shows what comes.",
		e.otherWay(),
	}
}

// trouble is what keeps an audit from working that is no device's doing.
type trouble struct {
	Text string   // sentence
	Next []string // sentences
}

// towardsServers says which contacts did not reach their server.
func (e *Examination) towardsServers(st style) []trouble {
	var out []trouble
	for _, f := range e.Failures {
		words := e.failure(f.Class)
		hosts := diagnosis.Diagnosis{Hosts: f.Hosts, MoreHosts: f.MoreHosts}
		text := fmt.Sprintf("%s %s", plural(f.Contacts, "contact", "contacts"), words.text)
		if names := hostsOf(e.Report, hosts, st); names != "" {
			text += ": " + names
		}
		out = append(out, trouble{text + ".", said(e.Report, words.next, maxNext, st)})
	}
	return out
}

// turnedAway says which clients were not let in.
func (e *Examination) turnedAway(st style) []trouble {
	var out []trouble
	for i, c := range e.Away {
		if i == maxTurnedAway {
			out = append(out, trouble{Text: plural(len(e.Away)-i, "more client was", "more clients were") + " turned away."})
			break
		}
		name := "A client"
		if c.Client != "" {
			name = st.data(e.clipped(c.Client, maxHost))
		}
		out = append(out, trouble{
			Text: fmt.Sprintf("%s was turned away %s: %s.", name, times(c.Attempts), st.prose(e.clipped(c.Why, maxText))),
			Next: said(e.Report, admission(c), maxNext, st),
		})
	}
	return out
}

// clock says that a clock is wrong.
func (e *Examination) clock(st style) []trouble {
	if e.Skew == 0 {
		return nil
	}
	way := "behind"
	if e.Skew < 0 {
		way = "ahead of"
	}
	return []trouble{{
		Text: fmt.Sprintf("The clock of the machine that recorded this is %s %s that of the servers.", duration(e.Skew.Abs()), way),
		Next: said(e.Report, []string{"Set the clock, then record again: certificates are made by it, and servers' certificates are checked by it."}, maxNext, st),
	}}
}

// unseen says what the capture cannot tell, and what else limits it.
func (e *Examination) unseen(st style) []string {
	out := damage(e.Report, st)
	if n := e.unnamed(); n > 0 && e.Device == "" {
		out = append(out, fmt.Sprintf("Of %s, the capture does not say from which device %s came. A file of a browser or of another proxy does not, nor does it, as a rule, hold the connections that could not be read; a recording of telltale does.",
			plural(n, "contact", "contacts"), ending(n, "it", "they")))
	}
	out = append(out, claims(e.Report, st)...)
	if n := e.Summary.Health.Nameless; n > 0 && e.Device == "" {
		out = append(out, plural(n, "connection", "connections")+" named no host (port scans, garbage).")
	}
	for _, note := range e.Summary.Health.Notes {
		out = append(out, st.prose(e.clipped(note, maxText)))
	}
	return out
}

// unnamed counts the contacts whose device is not told.
func (e *Examination) unnamed() int {
	n := e.Summary.Flows
	for _, d := range e.Summary.Health.Devices {
		n -= d.Flows
	}
	return n
}

// outcomes counts the contacts of the examined devices that could not be read.
func (e *Examination) outcomes() map[flow.Outcome]int {
	sum := map[flow.Outcome]int{}
	add := func(some map[flow.Outcome]int) {
		for outcome, n := range some {
			sum[outcome] += n
		}
	}
	if e.Device == "" {
		for _, some := range e.Summary.Health.Unread {
			add(some)
		}
		return sum
	}
	for _, d := range e.Summary.Health.Devices {
		add(d.Outcomes)
	}
	return sum
}

// notClients are the outcomes that no client is to blame for: what telltale was asked to
// do, what is no TLS, and what ended before it could be told.
var notClients = []flow.Outcome{
	flow.PassedThrough, flow.Tunnelled, flow.Blocked, flow.Simulated, flow.Malformed, flow.Abandoned, flow.Open, flow.UpstreamFailed, flow.DestinationDenied,
}

// otherwise lists why connections could not be read where that is no diagnosis.
func otherwise(unread map[flow.Outcome]int) []silence {
	var out []silence
	for _, outcome := range notClients {
		if n := unread[outcome]; n > 0 {
			out = append(out, silence{why: outcomes[outcome], connections: n})
		}
	}
	return out
}

// total counts the connections.
func total(all []silence) int {
	n := 0
	for _, s := range all {
		n += s.connections
	}
	return n
}
