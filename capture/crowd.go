package capture

import (
	"fmt"
	"net/netip"
	"strings"

	"telltale/policy"
)

// A device can ask DNS for as many names as it likes. Totals keep rows of their own for
// the first maxRows hosts and the first maxRows violations, which is far more than any
// app has; what comes later is summed by its parent, and by one row for all once there
// are as many parents again. Every flow is in one row, so that counts and verdicts stay
// exact.
const maxRows = 10_000

// everyone is the row of what has no parent, or one too many.
const everyone = "*"

// crowded returns the key of a row of which there may not be too many: the own one, that
// of its parent, or the last one.
func crowded[K comparable, V any](rows *table[K, V], own, parent, last K) K {
	switch n := rows.len(); {
	case n < maxRows || rows.has(own):
		return own
	case n < 2*maxRows || rows.has(parent):
		return parent
	default:
		return last
	}
}

// parentOf returns the row in which a host without one of its own is: the last two labels
// of a name, the first half of an address of IPv4, the first 48 bits of one of IPv6.
func parentOf(host string) string {
	if addr, err := netip.ParseAddr(host); err == nil {
		addr = addr.WithZone("")
		if addr.Is4() {
			b := addr.As4()
			return fmt.Sprintf("%d.%d.*.*", b[0], b[1])
		}
		prefix, _ := addr.Prefix(48)
		return strings.TrimSuffix(prefix.Addr().String(), "::") + ":*"
	}
	if i := strings.LastIndexByte(host, '.'); i >= 0 {
		return "*." + host[strings.LastIndexByte(host[:i], '.')+1:]
	}
	return everyone
}

// Crowd reports whether the row is that of several hosts: its name is no host's.
func (h Host) Crowd() bool { return isCrowd(h.Name) }

// isCrowd reports whether a row stands for more than one host.
func isCrowd(host string) bool { return strings.Contains(host, everyone) }

// hostRow returns the name of the row in which a host is counted.
func (t *totals) hostRow(host string) string {
	row := crowded(&t.hosts, host, parentOf(host), everyone)
	t.manyHosts = t.manyHosts || row != host
	return row
}

// violationRow returns a finding as it is counted in rows.
func (t *totals) violationRow(rows *table[string, violationTotal], own policy.Finding) policy.Finding {
	finding, together := countedAs(rows, own)
	t.manyViolations = t.manyViolations || together
	return finding
}

// countedAs returns a finding as it is counted in rows: by itself, or together with
// others of its rule.
func countedAs[V any](rows *table[string, V], own policy.Finding) (counted policy.Finding, together bool) {
	if rows.len() < maxRows { // the usual case, at no cost
		return own, false
	}
	with := func(host string) policy.Finding {
		f := own
		f.Host, f.Subject = host, ""
		return f
	}
	parent, last := with(parentOf(own.Host)), with(everyone)
	switch crowded(rows, own.Fingerprint(), parent.Fingerprint(), last.Fingerprint()) {
	case own.Fingerprint():
		return own, false
	case parent.Fingerprint():
		return parent, true
	default:
		return last, true
	}
}

// crowdNotes say that there are rows for more than one host.
func (t *totals) crowdNotes() (notes []string) {
	if t.manyHosts {
		notes = append(notes, fmt.Sprintf("more than %d hosts were contacted: of those that came later, names below one parent are counted together, as in *.example.com; the flows themselves are kept as they were", maxRows))
	}
	if t.manyViolations {
		notes = append(notes, fmt.Sprintf("there were more than %d violations: of those that came later, the ones of a rule are counted together for all names below one parent, as in *.example.com", maxRows))
	}
	if t.manyShapes {
		notes = append(notes, fmt.Sprintf("there were more than %d kinds of requests: those that came later are counted together for all names below one parent, and whether they keep a rhythm is not known", MaxShapes))
	}
	return notes
}
