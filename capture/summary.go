package capture

import (
	"time"

	"telltale/attribution"
	"telltale/cadence"
	"telltale/coverage"
	"telltale/diagnosis"
	"telltale/exposure"
	"telltale/flow"
	"telltale/policy"
)

// Summary is the state of an audit at one moment: every total a screen, a report
// or an exit code needs, without a look at single flows. It never changes, and
// shares memory with those before and after it: do not write to what it holds.
type Summary struct {
	Flows     int // contacts, of every kind
	Allowed   int
	Ignored   int
	Waived    int
	Violating int // flows with at least one finding that counts
	// Hosts has one row for each host that was contacted, sorted by name. Of more than
	// 10,000, those that came later are in a row with others: "*.example.com" has names
	// below example.com, "192.0.*.*" addresses, "*" any. Health.Notes then says so.
	Hosts []Host
	// Violations are sorted by severity, then rule, then host; of very many, some are
	// together as hosts are.
	Violations  []Violation
	Waivers     []Violation // what the policy or a baseline excused, likewise
	Health      Health
	First, Last time.Time // zero when there was no flow
	Activity    Activity  // of all contacts
	// Phases has a row for each phase, at most MaxPhases, in the order of their
	// first flows; contacts outside of any count under "". It is nil when no
	// contact has a phase. Of more phases it has the first by name: the sum of
	// Flows then is less than that of the summary.
	Phases []Phase
	// Shapes has a row for each kind of request that was made, those with most flows
	// first: what an idle baseline is compared by, and what keeps a rhythm. Of more than
	// MaxShapes, those that came later are in a row with others, as hosts are.
	Shapes []Shape
	// Trails is where the identifiers went that devices sent, in all contacts: also those
	// that the policy allows or ignores.
	Trails []exposure.Trail
	// Subtracted counts the flows that an idle baseline explains; Ignored counts them, too.
	Subtracted int
	// Altered counts the contacts that experiments altered, and Experiments has a row for
	// each experiment that was in force or altered one, sorted by name. It is nil for an
	// audit that only observed.
	Altered     int
	Experiments []Experiment
}

// Experiment is the sum of what one experiment did.
type Experiment struct {
	Name    string // as in flow.Flow.Experiments
	Flows   int    // contacts that it altered
	Hosts   int    // of these
	Periods []Period
}

// Period is a time in which an experiment was in force.
type Period struct {
	From, To time.Time // To is zero while it goes on
}

// Phase is the sum of the contacts that began while a mark of the operator stood
// ("before consent"): see [Store.Mark].
type Phase struct {
	Name        string // as it was marked; "" for flows without a mark
	Flows       int
	Violating   int // flows with at least one finding that counts
	Hosts       int // that were contacted in it
	First, Last time.Time
}

// Host is the sum of the flows to one host.
type Host struct {
	Name                     string // canonical
	Verdict                  policy.Verdict
	Rule                     policy.Rule // of its heaviest finding; "" when it has none
	Category                 string
	Source                   policy.Source // line that decided the verdict
	Flows                    int
	Violating                int
	Altered                  int // contacts that experiments altered
	Unread                   int // contacts whose content passed unread, see flow.Flow.Unread
	QUICRefused              int // QUIC conversations that were refused, so that they come back over TCP
	First, Last              time.Time
	BytesSent, BytesReceived int64
	Apps                     []string // distinct User-Agents, sorted, at most MaxApps
	Clients                  []string // addresses of the devices that contacted it, in their order, at most MaxClients
	Phases                   []string // in which it was contacted: as in Violation
	Activity                 Activity
	// Attributed are the apps that made those flows whose User-Agent names none, as far
	// as they are known, and how: sorted, each once, at most MaxApps.
	Attributed []attribution.Attribution
	// Rhythm is that of the kind of request to it by which most contacts keep one; zero
	// where none does.
	Rhythm cadence.Rhythm
}

// Limits of what a summary lists; counts are always exact. Of a User-Agent it has the
// first useragent.MaxLength bytes.
const (
	MaxApps       = 8
	MaxClients    = 32
	MaxServed     = 16
	MaxKinds      = 64
	MaxPhases     = 64
	MaxReferences = 1000
	// MaxExperiments bounds Summary.Experiments; of more it has the first by name.
	MaxExperiments = 64
)

// Violation is every finding with one fingerprint.
type Violation struct {
	ID      string         // the fingerprint
	Finding policy.Finding // of the first flow
	Count   int            // flows
	Altered int            // of these, flows that experiments altered
	// Experiments are those that did so, sorted, at most MaxExperiments.
	Experiments []string
	Method      string // of the first flow
	URL         string // of the first flow
	App         string // User-Agent of the first flow that has one
	// Attributed are the apps of flows whose User-Agent names none, as in Host.
	Attributed  []attribution.Attribution
	First, Last time.Time
	LastFlow    flow.ID  // highest ID of its flows: the newest
	Clients     []string // addresses of the devices that sent it, in their order, at most MaxClients
	// Phases are the names of the phases in which it happened, sorted, at most
	// MaxPhases; "" is among them when some flows had none. It is nil when no flow had one.
	Phases []string
	// Interval is the median time between flows, 0 when there are fewer than
	// three: a probe that fires by a timer shows here.
	Interval time.Duration
	Rhythm   cadence.Rhythm // that its flows keep; zero where they keep none
	Flows    []Reference    // the first MaxReferences of them
	// Annotations are what people and programs said of it, oldest first: the newest
	// MaxAnnotationsEach.
	Annotations []Annotation
}

// Reference points at one flow in its capture.
type Reference struct {
	Capture string // file as the user named it; "" for the live capture
	Entry   int    // 1-based entry of a HAR, 0 outside its entries; the ID of a live flow
	Line    int    // 1-based; 0 when unknown
	ID      flow.ID
	// Destination and Resolved are as in flow.Server: where the device's packets were
	// addressed to, "203.0.113.7:443", and the name for which DNS gave that address. Both
	// are "" when unknown.
	Destination string
	Resolved    string
}

// Health says what a verdict is worth.
type Health struct {
	Devices []Device
	// Unread counts, per host, the contacts whose content passed unread, by outcome. What
	// did not pass is not among them: QUIC that was refused, answered pings, contacts
	// that somebody else saw.
	Unread map[string]map[flow.Outcome]int
	// QUICRefused counts, per host, the QUIC conversations that were refused. Nothing was
	// missed there: clients come back over TCP, and that is a contact of its own.
	QUICRefused map[string]int
	// Cut counts the requests of which less was recorded than was sent, and CutBytes what
	// they sent in all: behind the cut nobody looked for values.
	Cut      int
	CutBytes int64
	// Omitted counts the flows of which contents were searched and judged, and then not kept
	// (flow.Flow.Omitted). They are not among those of Cut; what another policy lists cannot
	// be looked for in them.
	Omitted int
	Lookups int // questions of DNS that look for no server: see flow.Flow.IsLookup
	// Failed counts exchanges that did not complete: server down, client gone. Those that an
	// experiment altered are not among them.
	Failed int
	// Nameless counts connections that named no host: port scans, garbage.
	Nameless int
	Denied   int // clients that were turned away
	Open     int // flows still under way
	// Ledgers are the books of the ways in that are given every packet of a device, one
	// for each mode, as far as they were kept.
	Ledgers []coverage.Ledger
	// Notes are sentences on what could not be seen or kept: a blind spot of
	// the mode, a full disk, entries of a HAR that are not contacts.
	Notes []string
}

// Refusal is the newest handshake in which a device refused our certificate; zero
// when there was none.
type Refusal struct {
	At    time.Time
	Host  string // of the server, canonical
	Alert string // as in flow.ClientHello; "" when none was sent
}

// NameSource says who gave a device its name. A person's name goes before that of
// the policy, and that before what the device says of itself.
type NameSource string

// The sources of names.
const (
	NamedByPerson NameSource = "person" // on the screen, by a flag, or in the file that was read
	NamedByPolicy NameSource = "policy" // its section devices
	NamedByAgent  NameSource = "agent"  // made of its User-Agents
)

// Device is one client address that was seen. The forms of one address (IPv4-mapped,
// with a zone) are one device.
type Device struct {
	Addr  string     // IP address
	Name  string     // "" when nothing names it
	Named NameSource // whose name it is; "" without one
	Flows int        // contacts
	// Altered are those of them that experiments altered.
	Altered int
	Hosts   int // that it contacted
	// Contacts by verdict, as in Summary; all are 0 where nothing judges.
	Allowed, Ignored, Waived, Violating int
	First, Last                         time.Time
	// Decrypted is when the device first trusted us, by TLS that could be read or by the
	// set-up page's own test: from then on an absence of violations means something.
	// Zero: never.
	Decrypted   time.Time
	Questions   int                  // of DNS, among the contacts
	QUICRefused int                  // QUIC conversations that were refused
	Unread      int                  // contacts whose content passed unread
	Outcomes    map[flow.Outcome]int // of these contacts; never changed
	Refused     int                  // handshakes in which it refused our certificate
	Refusal     Refusal
	Apps        []string // distinct User-Agents, sorted, at most MaxApps
	// Served tells by URL path when each page of telltale itself was first served
	// to it ("/", "/ca.pem"), errors excepted; at most the first MaxServed.
	Served map[string]time.Time
	// Evidence is what its flows show of why connections could not be read.
	Evidence *diagnosis.Evidence
}

// Inconclusive reports whether the audit proves nothing because it saw no contact.
func (s Summary) Inconclusive() bool { return s.Flows == 0 }

// MaxShapes is how many shapes are counted apart.
const MaxShapes = maxRows

// A Shape is a kind of request: its host, its method and its path with what changes from
// one request to the next left out.
type Shape struct {
	policy.Shape
	Flows       int
	Subtracted  int // of them, by an idle baseline
	First, Last time.Time
	Rhythm      cadence.Rhythm // zero where they keep none
	App         string         // that made the first of them, as far as it is known or likely
	Agents      []string       // distinct User-Agents, sorted, at most MaxApps
	Sent        []string       // distinct kinds of identifiers in them, sorted, at most MaxKinds
}
