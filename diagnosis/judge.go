package diagnosis

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"telltale/useragent"
)

// How often something has to be seen before it means something.
const (
	again      = 2           // a refusal that came again is none by chance
	silences   = 3           // so many connections are not opened in advance and never used
	transients = 3           // refusals of a host that the same program reads too
	unhurried  = time.Minute // an app that is open makes a request within it
)

// judge finds the diagnoses of one device.
type judge struct {
	*state
	known    Known
	programs []*program
	systems  []useragent.OS
	guessed  bool  // what the system is
	trusted  int64 // when the device first trusted us; 0: never
	now      int64 // the newest moment there is
	found    []Diagnosis
	keepers  map[string]*trouble // of services that refuse always, by maker
}

// Of returns the diagnoses of one device, by Causes, then by app, then by key. There are none
// for a device of which everything could be read.
func Of(e *Evidence, known Known) []Diagnosis {
	if e == nil {
		return nil
	}
	j := &judge{state: &e.state, known: known, keepers: map[string]*trouble{}}
	j.programs = programs(j.state)
	j.systems, j.guessed = systems(j.programs)
	for _, p := range j.programs {
		p.os = j.systemOf(p)
	}
	j.trusted = earliest(j.read.first, j.test.trusted.first)
	if j.trusted == 0 && j.read.count > 0 {
		j.trusted = 1 // nobody knows when: nothing was before it
	}
	j.now = max(nanos(known.Now), j.all.last)
	clock := j.wrongClock()
	j.noCommonTLS()
	switch {
	case clock: // explains the few others that refused
	case j.trusted == 0:
		j.neverTrusted()
	case !j.noLongerTrusted():
		for _, p := range j.programs {
			j.refuses(p)
		}
	}
	j.systemPinning()
	j.proxyIgnored()
	j.hiddenByRelay()
	slices.SortStableFunc(j.found, func(a, b Diagnosis) int {
		if d := slices.Index(Causes, a.Cause) - slices.Index(Causes, b.Cause); d != 0 {
			return d
		}
		return cmp.Or(strings.Compare(a.App, b.App), strings.Compare(a.Key, b.Key))
	})
	return j.found
}

// systemOf is the system of a program: its own, else that of the device.
func (j *judge) systemOf(p *program) useragent.OS {
	switch {
	case len(j.systems) == 0:
	case p.okHTTP() && slices.Contains(j.systems, useragent.Android):
		return useragent.Android
	case p.okHTTP() && rank(j.systems[0]) < rank(useragent.Linux): // an iPhone has none
	case p.is.OS == "":
		return j.systems[0]
	case p.is.OS == useragent.Apple && slices.Contains(j.systems, useragent.IOS):
		return useragent.IOS
	case p.is.OS == useragent.Apple && slices.Contains(j.systems, useragent.MacOS):
		return useragent.MacOS
	}
	return p.is.OS
}

// trouble sums what a diagnosis explains.
type trouble struct {
	hosts                   []string // sorted
	refused, silent, failed int
	atLeast                 bool // there may be more of them
	cut                     bool // there may be more hosts
	first, last             int64
	alerts, reasons         codes
	programs                []*program // whose they are
}

// add takes what one program met at one host from a moment on.
func (t *trouble) add(p *program, host string, since int64) {
	c := p.servers[host]
	n, exact := c.refused.since(since)
	if n > 0 {
		t.refused += n
		said := c.refused.said(since)
		t.alerts.merge(&said)
		t.span(&c.refused.tries, since)
	}
	t.atLeast = t.atLeast || !exact
	if n, exact = c.silent.since(since); n >= p.silences() {
		t.silent += n
		t.atLeast = t.atLeast || !exact
		t.span(&c.silent, since)
	}
	t.name(p, host)
}

// name notes a host of a program.
func (t *trouble) name(p *program, host string) {
	if i, found := slices.BinarySearch(t.hosts, host); !found {
		t.hosts = slices.Insert(t.hosts, i, host)
	}
	if !slices.Contains(t.programs, p) {
		t.programs = append(t.programs, p)
	}
	if p.more > 0 {
		t.cut, t.atLeast = true, true
	}
}

// span widens the time that the trouble took.
func (t *trouble) span(tries *tries, since int64) {
	first := tries.first
	for _, at := range tries.recent {
		if first < since && at >= since {
			first = at // of those before, only the newest moments are known
		}
	}
	t.first, t.last = earliest(t.first, first), max(t.last, tries.last)
}

// count is how many connections it is about.
func (t *trouble) count() int { return t.refused + t.silent + t.failed }

// since returns from when on a program may be expected to trust us: from when the device
// does, or, where it has a store of its own, from when it was first read.
func (j *judge) since(p *program) int64 {
	if storeOf(p) != nil {
		return earliest(p.read.first, p.test.trusted.first)
	}
	return j.trusted
}

// troubled are the hosts that a program refused although the device trusted us, or
// left in silence again and again. Of a host that the same program reads, a refusal or
// two are a page that was closed while it loaded.
func (j *judge) troubled(p *program) []string {
	return p.hosts(func(host string, c *counts) bool {
		since := j.since(p)
		refused, _ := c.refused.since(since)
		if j.dated(p, host) {
			return false // told as such
		}
		if p.readFrom(host) {
			said := c.refused.said(since)
			return refused >= transients && c.refused.last > c.read.first && said.spoke()
		}
		silent, _ := c.silent.since(since)
		return refused > 0 || silent >= p.silences() && !p.is.Browser
	})
}

// refuses says why a program refuses on a device that trusts us.
func (j *judge) refuses(p *program) {
	var hosts []string
	for _, host := range j.troubled(p) {
		if maker := j.keeper(p, host); maker != "" {
			j.keep(maker, p, host)
		} else {
			hosts = append(hosts, host)
		}
	}
	var t trouble
	for _, host := range hosts {
		t.add(p, host, j.since(p))
	}
	tested, exact := p.test.refused.since(j.since(p))
	distrusts := tested > 0 && p.test.trusted.last < p.test.refused.last && !p.reads()
	if distrusts && len(hosts) == 0 {
		t.refused, t.atLeast = tested, !exact
		t.span(&p.test.refused.tries, j.since(p))
	}
	switch {
	case distrusts:
		j.ownStore(p, &t)
	case len(hosts) == 0:
	case p.reads():
		j.pinsSome(p, &t)
	case p.is.Browser || storeOf(p) != nil:
		j.ownStore(p, &t)
	case t.refused == 0:
		j.pinsAll(p, &t)
	case p.os == useragent.Android && !before(j.android(p), 7):
		j.userCAIgnored(p, &t)
	default:
		j.pinsAll(p, &t)
	}
}

// keep notes a service that refuses always.
func (j *judge) keep(maker string, p *program, host string) {
	if j.keepers[maker] == nil {
		j.keepers[maker] = &trouble{}
	}
	j.keepers[maker].add(p, host, j.since(p))
}

// android is the version of the system of a program.
func (j *judge) android(p *program) string {
	for _, q := range append([]*program{p}, j.programs...) {
		if q.is.OS == useragent.Android && q.is.Version != "" {
			return q.is.Version
		}
	}
	return ""
}

// before reports whether a version is known to be before a major one.
func before(version string, major int) bool {
	first, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(first)
	return err == nil && n < major
}

// pinsSome is for a program of which some hosts are read. It may have a store of its own
// for the others, or be broken: that it pins is likely at most.
func (j *judge) pinsSome(p *program, t *trouble) {
	d := j.about(AppPinning, p, t)
	readToo := slices.ContainsFunc(t.hosts, p.readFrom)
	d.Certainty = Likely
	if p.is.Browser || readToo || t.count() < again && !t.alerts.spoke() {
		d.Certainty = Possible
	}
	d.Title = j.name(p) + " pins its certificates"
	switch {
	case p.agent == "":
		d.Evidence = append(d.Evidence, "These connections named no program; others with the same TLS stack can be read.")
	case readToo:
		d.Evidence = append(d.Evidence, "Other connections of it to the same host can be read: only a part of it may pin.")
	default:
		d.Evidence = append(d.Evidence, "Other connections of the same program can be read: "+number(p.read.count, "exchange")+
			" with "+j.some(p.hosts(func(_ string, c *counts) bool { return c.read.count > 0 }))+".")
	}
	d.Next = stepsForPins(d.Hosts)
	j.addGuess(d, p, t)
}

// pinsAll is for a program of which nothing is read, on a device that trusts us.
func (j *judge) pinsAll(p *program, t *trouble) {
	d := j.about(AppPinning, p, t)
	d.Certainty = Possible
	if (p.os == useragent.IOS || p.os == useragent.Apple) && t.refused >= again || p.os == useragent.Android && t.refused >= again && j.systemStore() {
		d.Certainty = Likely
	}
	d.Title = j.name(p) + " pins its certificates, or has a trust store of its own"
	d.Evidence = append(d.Evidence, j.othersRead(p), "Nothing of this program was read: pinned for every host, or it does not ask the device whom to trust.")
	if t.refused == 0 {
		d.Title = j.name(p) + " may check our certificate after the handshake, against pins"
	}
	d.Next = stepsForPins(d.Hosts)
	if p.os == "" || p.okHTTP() {
		d.Next = append(d.Next, "On Android 7 and later this may be an app that ignores user certificates: `telltale setup android`.")
	}
	j.addGuess(d, p, t)
}

// userCAIgnored is for an app of Android that refuses everything.
func (j *judge) userCAIgnored(p *program, t *trouble) {
	if j.systemStore() {
		j.pinsAll(p, t) // the certificate is where apps look
		return
	}
	d := j.about(UserCAIgnored, p, t)
	d.Certainty = Possible
	otherApp := slices.ContainsFunc(j.programs, func(q *program) bool { return q != p && q.read.count > 0 && !q.is.Browser })
	if t.refused >= again && !otherApp && !j.guessed {
		d.Certainty = Likely
	}
	d.Title = j.name(p) + " ignores certificates that a user installed, as apps do since Android 7"
	d.Evidence = append(d.Evidence, j.othersRead(p), "Nothing of this program was read.")
	if j.guessed {
		d.Evidence = append(d.Evidence, "That the device runs Android is a guess, from OkHttp.")
	}
	if otherApp {
		d.Evidence = append(d.Evidence, "Another app can be read: it was built to trust user certificates, or this one pins its own.")
	}
	d.Next = stepsForUserCA
	j.addGuess(d, p, t)
}

// systemStore reports whether our authority is in Android's system store: parts of the
// system trust us, which never ask the user's.
func (j *judge) systemStore() bool {
	return slices.ContainsFunc(j.programs, func(p *program) bool {
		return p.read.count > 0 && slices.ContainsFunc(androidSystem, func(name string) bool { return strings.HasPrefix(p.agent, name) })
	})
}

// ownStore is for a program that has, or may have, trust of its own.
func (j *judge) ownStore(p *program, t *trouble) {
	d := j.about(NotInstalled, p, t)
	d.Certainty = Likely
	if t.refused < again {
		d.Certainty = Possible
	}
	d.Title = j.name(p) + " does not have telltale's certificate authority"
	if tested, _ := p.test.refused.since(j.since(p)); tested > 0 {
		d.Evidence = append(d.Evidence, "The set-up page's own test in it was refused: it does not trust the authority, or is on another device behind this address.")
	}
	d.Evidence = append(d.Evidence, j.othersRead(p))
	if s := storeOf(p); s != nil {
		d.Evidence = append(d.Evidence, s.name+" keeps a trust store of its own.")
	}
	d.Next = j.installSteps(p)
	j.addGuess(d, p, t)
}
