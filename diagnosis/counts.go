package diagnosis

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// span counts what happened, from the first time to the last: nanoseconds of Unix
// time, 0 where nobody knows.
type span struct {
	count       int
	first, last int64
}

func (s *span) add(at int64) { s.merge(span{1, at, at}) }

func (s *span) merge(o span) {
	s.count += o.count
	if o.first != 0 && (s.first == 0 || o.first < s.first) {
		s.first = o.first
	}
	s.last = max(s.last, o.last)
}

// newest is how many of the newest moments of each trouble are kept, to tell how
// often it came again after the device trusted us.
const newest = 4

// tries is a span that knows its newest moments too, in rising order.
type tries struct {
	span
	recent [newest]int64
}

func (t *tries) add(at int64) {
	t.span.add(at)
	t.note(at)
}

// note keeps a moment if it is among the newest.
func (t *tries) note(at int64) {
	if at <= t.recent[0] {
		return
	}
	i, _ := slices.BinarySearch(t.recent[:], at)
	copy(t.recent[:i-1], t.recent[1:i])
	t.recent[i-1] = at
}

func (t *tries) merge(o *tries) {
	t.span.merge(o.span)
	for _, at := range o.recent {
		t.note(at)
	}
}

// since returns how many there were from a moment on. Where exact is false there
// were at least as many.
func (t *tries) since(moment int64) (n int, exact bool) {
	if moment == 0 || t.first >= moment {
		return t.count, true
	}
	i, _ := slices.BinarySearch(t.recent[:], moment)
	return newest - i, i > 0
}

// maxCodes bounds the alerts that are told apart for one host.
const maxCodes = 4

// codes counts alerts, the smallest maxCodes of them by number. What is counted of
// one that stays was counted from its first time on.
type codes [maxCodes]struct {
	code  int16 // 0 is an empty place: close_notify is told as noAlert
	count int32
}

func (c *codes) add(code int16, n int32) {
	for i := range c {
		switch e := &c[i]; {
		case e.count > 0 && e.code == code:
			e.count += n
			return
		case e.count == 0 || code < e.code:
			copy(c[i+1:], c[i:])
			c[i].code, c[i].count = code, n
			return
		}
	}
}

func (c *codes) merge(o *codes) {
	for _, e := range o {
		if e.count > 0 {
			c.add(e.code, e.count)
		}
	}
}

func (c *codes) of(code int16) int {
	for _, e := range c {
		if e.count > 0 && e.code == code {
			return int(e.count)
		}
	}
	return 0
}

// spoke reports whether a client said by an alert what it does not like.
func (c *codes) spoke() bool {
	for _, e := range c {
		if e.count > 0 && e.code != noAlert {
			return true
		}
	}
	return false
}

// refusals are tries that know the alerts of each: of the smallest maxCodes by number,
// when they came.
type refusals struct {
	tries
	alerts [maxCodes]alert
}

// alert is the refusals with one alert. Without any the place is empty.
type alert struct {
	tries
	code int16
}

func (r *refusals) add(at int64, code int16) {
	r.tries.add(at)
	var once tries
	once.add(at)
	r.tally(code, &once)
}

func (r *refusals) tally(code int16, times *tries) {
	for i := range r.alerts {
		switch a := &r.alerts[i]; {
		case a.count > 0 && a.code == code:
			a.merge(times)
			return
		case a.count == 0 || code < a.code:
			copy(r.alerts[i+1:], r.alerts[i:])
			*a = alert{*times, code}
			return
		}
	}
}

func (r *refusals) merge(o *refusals) {
	r.tries.merge(&o.tries)
	for i := range o.alerts {
		if a := &o.alerts[i]; a.count > 0 {
			r.tally(a.code, &a.tries)
		}
	}
}

// of returns how many there were with an alert from a moment on, or at least were.
func (r *refusals) of(code int16, moment int64) int {
	for i := range r.alerts {
		if a := &r.alerts[i]; a.count > 0 && a.code == code {
			n, _ := a.since(moment)
			return n
		}
	}
	return 0
}

// said returns the alerts from a moment on.
func (r *refusals) said(moment int64) (said codes) {
	for i := range r.alerts {
		if a := &r.alerts[i]; a.count > 0 {
			if n, _ := a.since(moment); n > 0 {
				said.add(a.code, int32(min(n, math.MaxInt32)))
			}
		}
	}
	return said
}

// what is how a contact went, as far as reading it is concerned.
type what int

const (
	wasOther   what = iota // blocked, denied, altered by an experiment, unused, no server, not TLS
	wasPlain               // HTTP without TLS
	wasRead                // TLS, and its content was seen
	wasRefused             // the client refused our certificate
	wasSilent              // it accepted TLS and made no request
	wasFailed              // TLS failed for another reason
	wasPassed              // not decrypted, as the operator asked
)

// counts are the contacts of a host, of a client or of the device.
type counts struct {
	all                 span
	plain, read, passed span
	refused             refusals
	silent, failed      tries
	reasons             codes // of failed
	lookup              lookupWays
}

// lookupWays are ways in which the names of DNS are looked up, as a set.
type lookupWays uint8

const (
	inClear lookupWays = 1 << iota
	overHTTPS
	overTLS
	overQUIC
)

func (c *counts) add(w what, at int64, code int16) {
	c.all.add(at)
	switch w {
	case wasPlain:
		c.plain.add(at)
	case wasRead:
		c.read.add(at)
	case wasPassed:
		c.passed.add(at)
	case wasSilent:
		c.silent.add(at)
	case wasRefused:
		c.refused.add(at, code)
	case wasFailed:
		c.failed.add(at)
		c.reasons.add(code, 1)
	}
}

func (c *counts) merge(o *counts) {
	c.all.merge(o.all)
	c.plain.merge(o.plain)
	c.read.merge(o.read)
	c.passed.merge(o.passed)
	c.refused.merge(&o.refused)
	c.silent.merge(&o.silent)
	c.failed.merge(&o.failed)
	c.reasons.merge(&o.reasons)
	c.lookup |= o.lookup
}

// nanos returns a moment as this package counts it.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// moment is the inverse of nanos.
func moment(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// earliest returns the first of the moments that are known.
func earliest(moments ...int64) int64 {
	return slices.MinFunc(moments, func(a, b int64) int {
		if a == 0 || b == 0 {
			return cmp.Compare(b, a)
		}
		return cmp.Compare(a, b)
	})
}
