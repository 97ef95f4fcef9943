package compare

import (
	"net/netip"
	"sort"
	"time"
)

// A journal is what happened in one capture, 12 bytes for each thing: enough to put
// flows in order of time at the end, since entries of a HAR may come in any.
type journal struct {
	pages  [][]packed
	length int
	sorted bool // as it came
	newest int64
}

// An event is a request, or a flow that broke a rule. A flow that breaks several rules
// has an event for each.
type event struct {
	at    int64  // microseconds since 1970, of 56 bits; untimed where the capture has no time
	what  uint32 // number of an action, or of a violation with isViolation set; of 24 bits
	where uint16 // number of the setting
}

const (
	untimed     = -1 << 55 // before every time
	isViolation = 1 << 23
	maxKinds    = 1 << 23 // actions, and violations, that have a number
	pageLength  = 4096
)

// packed is an event without the bits that are never set.
type packed [3]uint32

func (e event) pack() packed {
	return packed{uint32(e.at >> 24), uint32(e.at)<<8 | e.what>>16, e.what<<16 | uint32(e.where)}
}

func (p packed) event() event {
	return event{at: int64(int32(p[0]))<<24 | int64(p[1]>>8), what: p[1]&0xFF<<16 | p[2]>>16, where: uint16(p[2])}
}

func newJournal() *journal { return &journal{sorted: true, newest: untimed} }

func (j *journal) add(e event) {
	if j.length%pageLength == 0 {
		j.pages = append(j.pages, make([]packed, 0, pageLength)) // pages need no copying when there are more
	}
	last := len(j.pages) - 1
	j.pages[last] = append(j.pages[last], e.pack())
	j.length++
	if e.at < j.newest || e.at == j.newest && j.length > 1 {
		j.sorted = false
	}
	j.newest = max(j.newest, e.at)
}

func (j *journal) slot(i int) *packed { return &j.pages[i/pageLength][i%pageLength] }
func (j *journal) at(i int) event     { return j.slot(i).event() }

// sort brings events in order of time. Those of one moment are in an order that does
// not depend on how they came: requests first, and each kind by its name.
func (j *journal) sort(name func(what uint32) string) {
	if j.sorted {
		return
	}
	sort.Sort(&byTime{j, name})
	j.sorted = true
}

type byTime struct {
	*journal
	name func(uint32) string
}

func (b *byTime) Len() int      { return b.length }
func (b *byTime) Swap(i, k int) { x, y := b.slot(i), b.slot(k); *x, *y = *y, *x }
func (b *byTime) Less(i, k int) bool {
	x, y := b.at(i), b.at(k)
	switch {
	case x.at != y.at:
		return x.at < y.at
	case x.what == y.what:
		return x.where < y.where
	case x.what&isViolation != y.what&isViolation:
		return x.what&isViolation == 0
	}
	return b.name(x.what) < b.name(y.what)
}

// microseconds returns a time as events have it. Years that no capture is of are no
// time: what lies between two of the others is a time.Duration.
func microseconds(t time.Time) int64 {
	if y := t.Year(); y < 1970 || y > 2250 {
		return untimed
	}
	return t.UnixMicro()
}

// between is the time from one event to another.
func between(from, to int64) time.Duration { return time.Duration(to-from) * time.Microsecond }

// A setting is who sent something, and in which part of the audit. Numbers stand for
// names: see names.
type setting struct {
	session uint16 // the file: several recordings may be one side of a comparison
	app     uint16
	phase   uint16 // mark of the operator; 0 for none
	client  netip.Addr
}

// A stretch is the use of an app: how much was seen of it, and from when to when.
type stretch struct {
	flows       int
	first, last int64 // start of the first and of the last flow; untimed when no time is known
}

var noUse = stretch{first: untimed, last: untimed}

func (s *stretch) add(at int64) {
	s.flows++
	s.cover(at, at)
}

func (s *stretch) cover(first, last int64) {
	if first == untimed {
		return
	}
	if s.first == untimed || first < s.first {
		s.first = first
	}
	s.last = max(s.last, last)
}

// join adds another stretch.
func (s *stretch) join(o stretch) {
	s.flows += o.flows
	s.cover(o.first, o.last)
}

// length is the time from the first to the last flow.
func (s *stretch) length() time.Duration {
	if s.first == untimed {
		return 0
	}
	return between(s.first, s.last)
}

// names gives names numbers. 0 is "", and what comes when there are too many.
type names struct {
	limit  int
	full   bool // there were too many
	number map[string]uint16
	list   []string
}

func newNames(limit int) *names {
	return &names{limit: limit, number: map[string]uint16{"": 0}, list: []string{""}}
}

func (n *names) of(name string) uint16 {
	number, ok := n.number[name]
	switch {
	case ok:
	case len(n.list) > n.limit:
		n.full = true
	default:
		number = uint16(len(n.list)) // limits are far below its
		n.list = append(n.list, name)
		n.number[name] = number
	}
	return number
}
