package diagnosis

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"telltale/useragent"
)

// program is what one program of the device did: all clients of one User-Agent, or of
// one TLS stack where connections bore none.
type program struct {
	agent  string // User-Agent; "" when none is known
	is     useragent.Agent
	os     useragent.OS // its system, else that of the device
	stacks []string
	kin    []*program // of one without a name: those with its TLS stack
	// taken are the hosts at which only connections without a name, that were taken for
	// the program's own, refused or left in silence.
	taken map[string]bool
	counts
	test    testCounts
	offered uint16
	servers map[string]*counts
	more    int // contacts with hosts that are not among servers
}

// programs groups the clients. A connection that could not be read bears only the
// User-Agent of its CONNECT, which some programs leave out: it is then taken for the
// one program with the same TLS stack, where there is exactly one.
func programs(s *state) []*program {
	named, unnamed := map[string]*program{}, map[string]*program{}
	for _, c := range s.clients.parts {
		group, key := named, c.agent
		if c.agent == "" {
			group, key = unnamed, c.stack
		}
		if group[key] == nil {
			group[key] = &program{agent: c.agent, is: useragent.Parse(c.agent), servers: map[string]*counts{}}
		}
		group[key].take(c)
	}
	all := slices.Collect(maps.Values(named))
	slices.SortFunc(all, byAgent)
	for stack, p := range unnamed {
		var kin []*program
		for _, q := range all[:len(named)] {
			if stack != "" && slices.Contains(q.stacks, stack) {
				kin = append(kin, q)
			}
		}
		if len(kin) == 1 && s.clients.more == 0 {
			kin[0].join(p)
			continue
		}
		p.kin = kin
		all = append(all, p)
	}
	slices.SortFunc(all, byAgent)
	return all
}

func byAgent(a, b *program) int {
	return cmp.Or(strings.Compare(a.agent, b.agent), slices.Compare(a.stacks, b.stacks))
}

// take adds what one client did.
func (p *program) take(c *client) {
	if c.stack != "" && !slices.Contains(p.stacks, c.stack) {
		p.stacks = append(p.stacks, c.stack)
	}
	p.counts.merge(&c.counts)
	p.test.trusted.merge(c.test.trusted)
	p.test.refused.merge(&c.test.refused)
	p.offered = max(p.offered, c.offered)
	p.more += c.servers.more
	for _, s := range c.servers.parts {
		p.server(s.name).merge(&s.counts)
	}
}

// join adds what another program did that turns out to be this one.
func (p *program) join(o *program) {
	p.counts.merge(&o.counts)
	p.test.trusted.merge(o.test.trusted)
	p.test.refused.merge(&o.test.refused)
	p.offered = max(p.offered, o.offered)
	p.more += o.more
	for name, c := range o.servers {
		own := p.server(name)
		if own.refused.count+own.silent.count == 0 && c.refused.count+c.silent.count > 0 {
			if p.taken == nil {
				p.taken = map[string]bool{}
			}
			p.taken[name] = true
		}
		own.merge(c)
	}
}

// guests counts the hosts of a trouble that are known only from connections that named
// no program.
func (p *program) guests(t *trouble) int {
	n := 0
	for _, host := range t.hosts {
		if p.taken[host] {
			n++
		}
	}
	return n
}

// digest tells programs of one device apart.
func (p *program) digest() string {
	h := fnv.New64a()
	h.Write([]byte(p.agent)) // never fails
	if p.agent == "" && len(p.stacks) > 0 {
		h.Write([]byte(" " + p.stacks[0])) // its only one
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// okHTTP reports whether the program is named only after the library OkHttp, which says
// nothing of the system: it is in most apps of Android, and in Java programs.
func (p *program) okHTTP() bool { return strings.HasPrefix(p.agent, "okhttp/") }

func (p *program) server(name string) *counts {
	c := p.servers[name]
	if c == nil {
		c = &counts{}
		p.servers[name] = c
	}
	return c
}

// hosts returns the hosts of which a condition holds, sorted.
func (p *program) hosts(holds func(host string, c *counts) bool) []string {
	var hosts []string
	for name, c := range p.servers {
		if holds(name, c) {
			hosts = append(hosts, name)
		}
	}
	slices.Sort(hosts)
	return hosts
}

// reads reports whether TLS of the program was read; of one without a name, whether
// that of its kin was.
func (p *program) reads() bool {
	return p.read.count > 0 || slices.ContainsFunc(p.kin, (*program).reads)
}

// readFrom reports likewise of one host.
func (p *program) readFrom(host string) bool {
	if c := p.servers[host]; c != nil && c.read.count > 0 {
		return true
	}
	return slices.ContainsFunc(p.kin, func(q *program) bool { return q.readFrom(host) })
}

// lastFrom returns when it was last read.
func (p *program) lastFrom(host string) int64 {
	last := int64(0)
	if c := p.servers[host]; c != nil {
		last = c.read.last
	}
	for _, q := range p.kin {
		last = max(last, q.lastFrom(host))
	}
	return last
}

// systems returns the operating systems that the programs name, those of phones first
// and then by how much they did. "iOS or macOS" is the one of the two that is there.
// Where none is named and OkHttp is there, Android is a guess.
func systems(all []*program) (found []useragent.OS, guessed bool) {
	weight := map[useragent.OS]int{}
	for _, p := range all {
		if p.is.OS != "" {
			weight[p.is.OS] += 1 + p.all.count
		}
	}
	if len(weight) == 0 && slices.ContainsFunc(all, (*program).okHTTP) {
		return []useragent.OS{useragent.Android}, true
	}
	for _, os := range []useragent.OS{useragent.IOS, useragent.MacOS} {
		if weight[os] > 0 {
			weight[os] += weight[useragent.Apple]
			delete(weight, useragent.Apple)
		}
	}
	return slices.SortedFunc(maps.Keys(weight), func(a, b useragent.OS) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(weight[b], weight[a]), cmp.Compare(a, b))
	}), false
}

// rank puts phones before computers: an app on a phone may call itself Linux or a Mac,
// but not the other way round.
func rank(os useragent.OS) int {
	switch os {
	case useragent.IOS, useragent.Android:
		return 0
	case useragent.Apple:
		return 1
	}
	return 2
}

// Platform returns the operating system of the device, as its User-Agents have it; ""
// when they do not say. Where several share the address it is that of a phone.
func (e *Evidence) Platform() useragent.OS {
	if e == nil {
		return ""
	}
	if found, _ := systems(programs(&e.state)); len(found) > 0 {
		return found[0]
	}
	return ""
}

// Trusted returns when the device first trusted us: when TLS of it was first read, or the
// set-up page's own test succeeded. It is zero when that never was. A connection on which
// TLS was accepted and nothing was said proves nothing: some programs look at the
// certificate only then.
func (e *Evidence) Trusted() time.Time {
	if e == nil {
		return time.Time{}
	}
	return moment(earliest(e.state.read.first, e.state.test.trusted.first))
}

// Settled returns until when the device refused our certificate, where it does so no
// longer: all of it was before the device first trusted us, or its hosts were read since
// by the same program. It is zero where nothing was refused, or not all is settled, or
// too much was refused to tell.
func (e *Evidence) Settled() time.Time {
	if e == nil {
		return time.Time{}
	}
	trusted, until := nanos(e.Trusted()), e.state.refused.last
	switch {
	case trusted == 0:
		return time.Time{}
	case until < trusted:
		return moment(until)
	case e.state.clients.more > 0:
		return time.Time{}
	}
	for _, p := range programs(&e.state) {
		if p.more > 0 {
			return time.Time{}
		}
		for host, c := range p.servers {
			if c.refused.last >= trusted && p.lastFrom(host) <= c.refused.last {
				return time.Time{}
			}
		}
	}
	return moment(until)
}
