package tui

import (
	"slices"
	"time"

	"telltale/capture"
	"telltale/coverage"
)

// This file shows what the audit can have seen: of each way in what passes it by, and
// whether the books of a tunnel balance.

// openCoverage shows what each way in can see, and the claim that its books allow.
func (m *model) openCoverage() {
	m.open(&pager{title: "What this audit can have seen", text: coverageText})
}

// ways returns the ways in of this audit.
func (m *model) ways() (ways []coverage.Way) {
	modes := slices.Clone(m.news.modes)
	for _, l := range m.news.sum.Health.Ledgers {
		if !slices.Contains(modes, l.Mode) {
			modes = append(modes, l.Mode)
		}
	}
	for _, whole := range []bool{true, false} { // what a claim can be made of goes first
		for _, w := range coverage.Ways {
			if w.Whole == whole && slices.Contains(modes, w.Mode) {
				ways = append(ways, w)
			}
		}
	}
	return ways
}

// ledger returns the books of a way in; false when nobody keeps them.
func (m *model) ledger(mode string) (coverage.Ledger, bool) {
	for _, l := range m.news.sum.Health.Ledgers {
		if l.Mode == mode {
			return l, true
		}
	}
	return coverage.Ledger{}, false
}

func coverageText(m *model, width int) []string {
	p := &paper{theme: &m.theme, width: max(20, width-2), mask: m.mask(false)}
	ways := m.ways()
	if len(ways) == 0 {
		p.prose("It is not known by which ways in the flows came.", m.theme.dim)
	}
	for _, w := range ways {
		p.heading(capital(w.Title))
		if l, ok := m.ledger(w.Mode); ok {
			p.marked(m.claim(l))
		} else if w.Whole && m.cfg.Live {
			p.prose("Its packets are not counted yet: nothing is claimed to be complete.", m.theme.dim)
		}
		p.items("It sees", bullet, w.Sees)
		p.items("Its limits", bullet, w.Blind)
	}
	return p.lines
}

// A claim is what the books of a way in allow to be said.
type claim struct {
	text  string
	state CheckState
}

// claim says what the books allow. What came in a moment ago is on its way to them:
// that alone is no gap.
func (m *model) claim(l coverage.Ledger) claim {
	switch {
	case l.Empty() && l.Balanced() && m.cfg.Live && m.tunnelUsed():
		return claim{"Counting: what came in a moment ago is not in the books yet.", CheckWaiting}
	case l.Balanced() && (l.Empty() || l.Partial):
		return claim{l.Claim(), CheckWaiting}
	case l.Balanced():
		return claim{l.Claim(), CheckDone}
	case m.gaps.stands(l.Mode):
		return claim{l.Claim(), CheckTrouble}
	}
	return claim{"Counting: packets that came in a moment ago are still on their way to a row.", CheckWaiting}
}

// tunnelUsed reports whether the tunnel is known to have brought something: its books come
// later than its flows.
func (m *model) tunnelUsed() bool {
	return slices.ContainsFunc(m.connect.peers, func(p TunnelDevice) bool {
		return slices.ContainsFunc(m.news.sum.Health.Devices, func(d capture.Device) bool { return d.Addr == p.Addr })
	})
}

// marked writes a claim behind its mark.
func (p *paper) marked(c claim) {
	mark, style := checkMark(p.theme, c.state)
	for i, part := range wrap(c.text, max(10, p.width-4)) {
		if i > 0 {
			mark = "  "
		}
		p.lines = append(p.lines, "  "+style.Render(mark+part))
	}
}

// gaps remembers since when the books of each way in do not balance.
type gaps map[string]gap

type gap struct {
	since time.Time
	lasts bool // longer than a packet takes to its row
}

// settling is how long a packet may take from the tunnel to its row, with a busy disk
// between the two.
const settling = 5 * time.Second

// take takes over the ledgers of a moment. In a capture that is not live nothing is on
// its way.
func (g gaps) take(ledgers []coverage.Ledger, at time.Time, live bool) gaps {
	now := gaps{}
	for _, l := range ledgers {
		if l.Balanced() {
			continue
		}
		x, ok := g[l.Mode]
		if !ok {
			x.since = at
		}
		x.lasts = !live || at.Sub(x.since) >= settling
		now[l.Mode] = x
	}
	return now
}

// stands reports whether the books of a way in have not balanced for so long that it is
// no matter of moments.
func (g gaps) stands(mode string) bool { return g[mode].lasts }

// coverageAlarm says that something is missing from the audit, "" when nothing is.
func (m *model) coverageAlarm() string {
	for _, l := range m.news.sum.Health.Ledgers {
		if m.gaps.stands(l.Mode) {
			return m.theme.violation.Render("! " + l.Status() + " (v)")
		}
	}
	return ""
}
