package compare

import (
	"cmp"
	"strings"
	"sync"
	"unicode/utf8"

	"telltale/capture"
	"telltale/flow"
	"telltale/policy"
)

// Limits of what a recorder tells apart. What is more goes unnamed and together, so
// that nothing is proven by it any more: see Audit.crowded. Counts of flows are exact
// all the same.
const (
	maxApps     = 1 << 10
	maxPhases   = 1 << 10
	maxSessions = 1 << 14
	maxSettings = 1 << 16
	maxAppName  = 64 // bytes
)

// Apps says which flows are those of the app that is audited. *policy.Policy does.
type Apps interface {
	// KnowsApp reports whether there is a rule for it.
	KnowsApp() bool
	// IsApp reports whether a User-Agent is the app's own.
	IsApp(userAgent string) bool
}

// A Recorder is the policy of one capture that is being judged, and notes what it is
// asked about. Hand it to the store as its judge, then ask for the Audit. It may be
// asked by several goroutines, but once only of each flow.
type Recorder struct {
	judge policy.Judge
	apps  Apps

	mu         sync.Mutex
	actions    *actions
	violations map[string]uint32 // number by fingerprint
	ids        []string          // fingerprint by number
	contacted  map[uint32]bool   // numbers of violations by more than a prelude to a contact
	appNames   *names
	phases     *names
	sessions   *names
	settings   map[setting]uint16
	places     []setting // by number
	uses       []stretch // likewise
	journal    *journal
	crowded    bool // there were too many settings, actions or violations
}

// ownApp stands for the app that is audited, whatever its User-Agents call it.
const ownApp = "\x00own"

// NewRecorder returns a recorder of one capture.
func NewRecorder(judge policy.Judge, apps Apps) *Recorder {
	r := &Recorder{
		judge: judge, apps: apps, actions: newActions(maxActions), violations: map[string]uint32{}, contacted: map[uint32]bool{},
		appNames: newNames(maxApps), phases: newNames(maxPhases), sessions: newNames(maxSessions),
		settings: map[setting]uint16{}, journal: newJournal(),
	}
	r.setting(setting{}) // what is too much goes there
	return r
}

// Judge says what the policy says, and notes it.
func (r *Recorder) Judge(f *flow.Flow) policy.Judgement {
	j := r.judge.Judge(f)
	r.note(f, j)
	return j
}

// ReadsContent reports whether the policy looks into bodies, see
// [policy.Policy.ReadsContent].
func (r *Recorder) ReadsContent() bool { return policy.ReadsContent(r.judge) }

// note writes down a contact. The device's own noise is left out: it goes on whatever
// is done with the app, and so says nothing of its use. So are contacts that break no rule
// and depend on more than what was done, see [isDeed].
func (r *Recorder) note(f *flow.Flow, j policy.Judgement) {
	if j.Verdict == policy.Unjudged || j.Verdict == policy.Ignored || len(j.Findings) == 0 && !isDeed(f) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	at := microseconds(f.Times.Start)
	where := r.setting(setting{
		session: r.sessions.of(f.Origin.Capture), app: r.appNames.of(r.appOf(appName(f))),
		phase: r.phases.of(f.Phase), client: f.Client.Addr.Addr().Unmap(),
	})
	r.uses[where].add(at)
	for i, finding := range j.Findings {
		id := finding.Fingerprint()
		if i == 0 || !counted(j.Findings[:i], id) {
			n := r.violation(id)
			if !f.IsPrelude() {
				r.contacted[n] = true
			}
			r.write(at, n, isViolation, where)
		}
	}
	// What breaks a rule, excused or not, is nobody's company: the fix that takes one
	// such request away often takes the others too.
	if len(j.Findings) == 0 {
		r.write(at, r.actions.of(f, j.Host), 0, where)
	}
}

// write adds an event to the journal, unless its number is too high for it: then
// something goes unseen.
func (r *Recorder) write(at int64, number, kind uint32, where uint16) {
	if number >= maxKinds {
		r.crowded = true
		return
	}
	r.journal.add(event{at, number | kind, where})
}

func counted(findings []policy.Finding, id string) bool {
	for _, f := range findings {
		if f.Fingerprint() == id {
			return true
		}
	}
	return false
}

func (r *Recorder) violation(id string) uint32 {
	n, ok := r.violations[id]
	if !ok {
		n = uint32(len(r.ids)) // ids are kept, so that memory ends before numbers do
		r.violations[id] = n
		r.ids = append(r.ids, id)
	}
	return n
}

func (r *Recorder) setting(s setting) uint16 {
	n, ok := r.settings[s]
	switch {
	case ok:
	case len(r.places) == maxSettings:
		r.crowded = true
	default:
		n = uint16(len(r.places)) // bounded by maxSettings
		r.settings[s] = n
		r.places, r.uses = append(r.places, s), append(r.uses, noUse)
	}
	return n
}

// isDeed reports whether a contact shows by itself that something was done. Questions of
// DNS come or not as caches of the device have it, QUIC that is refused is tried again or
// not, and only some ways in see either, or pings. A capture that lacks them may have seen
// the same use of the app.
func isDeed(f *flow.Flow) bool {
	switch f.Kind {
	case flow.DNS, flow.ICMP, flow.IP:
		return false
	}
	return f.Outcome != flow.QUICRefused
}

// appName returns what a flow says of its app: the User-Agent, else what the phone's own
// record has.
func appName(f *flow.Flow) string {
	return cmp.Or(f.UserAgent(), f.Client.App.Name, f.Client.App.ID)
}

// appOf names the app that a User-Agent belongs to.
func (r *Recorder) appOf(userAgent string) string {
	if userAgent == "" {
		return ""
	}
	if r.apps.KnowsApp() && r.apps.IsApp(userAgent) {
		return ownApp
	}
	return product(userAgent)
}

// product returns the name of the first product in a User-Agent (RFC 9110, 10.1.5)
// without its version, by which one app is known in two of its builds. Names of apps
// may have spaces, which the RFC does not foresee: "COVID Alert/1.2".
func product(userAgent string) string {
	name, _, versioned := strings.Cut(userAgent, "/")
	if !versioned {
		name, _, _ = strings.Cut(name, " ")
	}
	name = strings.TrimSpace(name)
	if len(name) > maxAppName {
		name = strings.ToValidUTF8(name[:maxAppName], "")
	}
	if name == ownApp || !utf8.ValidString(name) {
		return ""
	}
	return name
}

// Audit returns what was noted, beside the store's totals of the same flows. damaged
// says that the capture could not be read to its end. Nothing may be judged after it.
func (r *Recorder) Audit(totals capture.Summary, damaged bool) *Audit {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.journal.sort(r.nameOf)
	a := &Audit{Summary: totals, Damaged: damaged, knowsApp: r.apps.KnowsApp(), level: r.actions.level, traces: map[string]*trace{}}
	for i, s := range r.places {
		if r.uses[i].flows > 0 {
			a.uses = append(a.uses, r.use(s, r.uses[i]))
		}
	}
	a.crowded = r.crowded || r.appNames.full || r.phases.full || r.sessions.full
	did := map[uint64]bool{}
	for i := range r.journal.length {
		if e := r.journal.at(i); e.what&isViolation == 0 {
			did[uint64(e.what)<<16|uint64(r.places[e.where].app)] = true
		}
	}
	for key := range did {
		a.deeds = append(a.deeds, deed{r.actions.names[key>>16], r.appNames.list[key&0xFFFF]})
	}
	for n, found := range r.found() {
		t := r.trace(found)
		t.prelude = !r.contacted[uint32(n)]
		a.traces[r.ids[n]] = t
	}
	r.journal = newJournal()
	return a
}

// found returns the places of every violation in the journal, by its number. They share
// one array, since all flows of a capture may break a rule.
func (r *Recorder) found() [][]int32 {
	ends := make([]int, min(len(r.ids), maxKinds)+1) // where those of the violation before end
	each := func(visit func(n uint32, place int32)) {
		for i := range r.journal.length {
			if e := r.journal.at(i); e.what&isViolation != 0 {
				visit(e.what&^isViolation, int32(i)) // a journal of 2^31 events is 24 GiB
			}
		}
	}
	each(func(n uint32, _ int32) { ends[n+1]++ })
	for n := range len(ends) - 1 {
		ends[n+1] += ends[n]
	}
	all := make([]int32, ends[len(ends)-1])
	out := make([][]int32, len(ends)-1)
	for n := range out {
		out[n] = all[ends[n]:ends[n]:ends[n+1]]
	}
	each(func(n uint32, place int32) { out[n] = append(out[n], place) })
	return out
}

// nameOf names what an event is about.
func (r *Recorder) nameOf(what uint32) string {
	if n := what &^ isViolation; n != what {
		return r.ids[n]
	}
	return r.actions.names[what]
}

func (r *Recorder) use(s setting, over stretch) use {
	return use{session: r.sessions.list[s.session], app: r.appNames.list[s.app], phase: r.phases.list[s.phase], stretch: over}
}
