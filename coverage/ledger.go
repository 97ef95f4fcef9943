package coverage

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Unrecorded returns what was received and neither is in a flow nor will be, by its
// class; classes of which nothing is unrecorded are left out. A negative amount is of a
// class of which more was recorded than received: the books are wrong.
func (l Ledger) Unrecorded() map[Class]Amount {
	out := map[Class]Amount{}
	for _, c := range Classes {
		if a := l.Received[c].minus(l.Recorded[c]).minus(l.UnderWay[c]); a != (Amount{}) {
			out[c] = a
		}
	}
	return out
}

// DroppedTotal returns what was dropped, for whatever reason.
func (l Ledger) DroppedTotal() Amount {
	var sum Amount
	for _, a := range l.Dropped {
		sum = sum.plus(a)
	}
	return sum
}

// Missing returns what was received and has neither a flow nor a reason to have none. A
// reason counts packets of all classes, so that there is no more of one class missing
// than is unrecorded of it.
func (l Ledger) Missing() Amount {
	var sum Amount
	for _, a := range l.Unrecorded() {
		sum = sum.plus(a)
	}
	return sum.minus(l.DroppedTotal())
}

// Closed returns the books of a way in by which nothing comes any more: what is still under
// way will never be in a flow, and so is missing.
func (l Ledger) Closed() Ledger {
	l.UnderWay = nil
	return l
}

// Balanced reports whether all that was received is in a flow, will be, or was dropped
// for a reason that was counted. Books that were cut off do not balance.
func (l Ledger) Balanced() bool { return l.tallies() && !l.Cut }

// tallies reports whether what was counted adds up.
func (l Ledger) tallies() bool {
	for _, a := range l.Unrecorded() {
		if a.Units < 0 || a.Bytes < 0 {
			return false
		}
	}
	return l.Missing() == Amount{}
}

// Complete reports whether everything that was received has a row, or will have one:
// the books balance and are of all recordings, and nothing was dropped.
func (l Ledger) Complete() bool { return l.Balanced() && !l.Partial && l.DroppedTotal() == Amount{} }

// Empty reports whether nothing was received.
func (l Ledger) Empty() bool { return total(l.Received) == Amount{} }

// Add returns the sum of two ledgers, as for two sessions of one capture. The mode is
// that of l.
func (l Ledger) Add(other Ledger) Ledger {
	return Ledger{
		Mode:     cmp.Or(l.Mode, other.Mode),
		Received: added(l.Received, other.Received),
		Recorded: added(l.Recorded, other.Recorded),
		UnderWay: added(l.UnderWay, other.UnderWay),
		Dropped:  added(l.Dropped, other.Dropped),
		Cut:      l.Cut || other.Cut,
		Partial:  l.Partial || other.Partial,
	}
}

func added[K comparable](a, b map[K]Amount) map[K]Amount {
	sum := make(map[K]Amount, max(len(a), len(b)))
	maps.Copy(sum, a)
	for k, v := range b {
		sum[k] = sum[k].plus(v)
	}
	return sum
}

func total[K comparable](m map[K]Amount) (sum Amount) {
	for _, a := range m {
		sum = sum.plus(a)
	}
	return sum
}

func (a Amount) plus(b Amount) Amount  { return Amount{a.Units + b.Units, a.Bytes + b.Bytes} }
func (a Amount) minus(b Amount) Amount { return Amount{a.Units - b.Units, a.Bytes - b.Bytes} }

// Claim says in one sentence how much of what devices sent through the way in is in the
// audit. "Everything" is said only while the books balance.
func (l Ledger) Claim() string {
	through := "through the " + l.title()
	switch {
	case l.Partial && l.Balanced():
		return l.partial()
	case l.Partial:
		return l.partial() + " What is known to be missing: " + l.gap() + "."
	case l.Empty() && l.Balanced():
		return "Nothing came " + through + ": no claim can be made."
	case l.Complete():
		return "Everything that devices sent " + through + " is in this audit: " + amounts(l.Received) + "."
	case l.Balanced():
		return "Everything that devices sent " + through + " is accounted for: " + amounts(l.Received) + ". " +
			"Not all of it has a row: " + droppedInWords(l) + "." + l.harmless()
	case l.tallies():
		return "It is not known whether everything that devices sent " + through + " is in this audit: " + killed + "."
	}
	return "Not everything that devices sent " + through + " is in this audit: " + l.gap() + "."
}

// Warning says what is missing, "" while the books balance.
func (l Ledger) Warning() string {
	if l.Balanced() {
		return ""
	}
	return "Incomplete: " + l.gap() + ". \"Everything\" cannot be claimed of the " + l.title() + "."
}

// harmless says what was dropped where it is usually no loss, "" elsewhere.
func (l Ledger) harmless() string {
	if l.Dropped[ForeignSource] != l.DroppedTotal() {
		return ""
	}
	return " These are usually what the device's system says to its own link when the tunnel comes up, and no contact of an app."
}

// partial says that the books are not of all recordings.
func (l Ledger) partial() string {
	return "Not all of these recordings have books of the " + l.title() + ": nothing is claimed to be complete."
}

// killed says what is unknown after a recorder was killed.
const killed = "the recorder was killed, and what came in its last seconds is not in the books"

// Status says the claim in a few words, for a line on a screen.
func (l Ledger) Status() string {
	switch {
	case l.Partial && l.Balanced():
		return "not counted in all recordings"
	case l.Empty() && l.Balanced():
		return "nothing received yet"
	case l.Complete():
		return "everything recorded"
	case l.Balanced():
		return number(l.DroppedTotal().Units) + " dropped, the rest recorded"
	case l.tallies():
		return "the recorder was killed"
	}
	if n := l.Missing().Units; n > 0 {
		return number(n) + " unaccounted for"
	}
	return "the counters disagree"
}

// gap says what keeps the books from balancing.
func (l Ledger) gap() string {
	var parts []string
	if l.Cut {
		parts = append(parts, killed)
	}
	if !l.tallies() {
		parts = append(parts, l.difference())
	}
	return strings.Join(parts, "; ")
}

// difference says where what was counted does not add up.
func (l Ledger) difference() string {
	var without, beyond []string
	var units int64 // in without
	for _, c := range Classes {
		a, ok := l.Unrecorded()[c]
		switch {
		case !ok:
		case a.Units < 0 || a.Bytes < 0:
			beyond = append(beyond, fmt.Sprintf("of %s more was recorded than came in (%s received, %s recorded or under way)",
				classNames[c].title, counted(c, l.Received[c]), counted(c, l.Recorded[c].plus(l.UnderWay[c]))))
		case a.Units == 0:
			without = append(without, size(a.Bytes)+" of "+classNames[c].title)
		default:
			without = append(without, counted(c, a)+" of "+number(l.Received[c].Units))
			units += a.Units
		}
	}
	var parts []string
	if len(without) > 0 {
		have := " received have no row"
		if units == 1 && len(without) == 1 {
			have = " received has no row"
		}
		text := joined(without) + have
		missing := l.Missing()
		if dropped := l.DroppedTotal(); dropped != (Amount{}) {
			text += "; " + droppedInWords(l)
			switch {
			case missing.Units > 0:
				text += "; the other " + number(missing.Units) + " are missing"
			case missing.Units < 0 || missing.Bytes < 0:
				text += ", which is more than has no row"
			case missing.Bytes > 0:
				text += "; " + size(missing.Bytes) + " are missing"
			}
		}
		parts = append(parts, text)
	}
	if len(without) == 0 && len(beyond) == 0 { // dropped, though nothing was received for it
		parts = append(parts, droppedInWords(l)+", though everything that came in has a row")
	}
	return strings.Join(append(parts, beyond...), "; ")
}

// droppedInWords says what was dropped and why, the most frequent reason first.
func droppedInWords(l Ledger) string {
	reasons := slices.SortedFunc(maps.Keys(l.Dropped), func(a, b string) int {
		return cmp.Or(cmp.Compare(l.Dropped[b].Units, l.Dropped[a].Units), cmp.Compare(a, b))
	})
	var parts []string
	for _, reason := range reasons {
		if a := l.Dropped[reason]; a != (Amount{}) {
			parts = append(parts, fmt.Sprintf("%s (%s)", reason, number(a.Units)))
		}
	}
	n := l.DroppedTotal()
	were := " were"
	if n.Units == 1 {
		were = " was"
	}
	text := number(n.Units)
	if n.Bytes > 0 {
		text += " (" + size(n.Bytes) + ")"
	}
	return text + were + " dropped and not forwarded: " + joined(parts)
}

// title is what the way in is called within a sentence.
func (l Ledger) title() string {
	if w, ok := Of(l.Mode); ok {
		return w.Title
	}
	return "way in"
}

// classNames are the words for the classes.
var classNames = map[Class]struct{ title, one, many string }{
	TCP:   {"TCP", "connection", "connections"},
	UDP:   {"UDP", "datagram", "datagrams"},
	ICMP:  {"ICMP", "ICMP packet", "ICMP packets"},
	Other: {"other protocols", "packet of another protocol", "packets of other protocols"},
}

// amounts says how much of each class there is.
func amounts(of map[Class]Amount) string {
	var parts []string
	for _, c := range Classes {
		if a := of[c]; a != (Amount{}) {
			parts = append(parts, counted(c, a))
		}
	}
	return joined(parts)
}

// counted writes an amount with its noun: "9,000 datagrams (4.2 MB)".
func counted(c Class, a Amount) string {
	noun := classNames[c].many
	if a.Units == 1 {
		noun = classNames[c].one
	}
	text := number(a.Units) + " " + noun
	if a.Bytes != 0 {
		text += " (" + size(a.Bytes) + ")"
	}
	return text
}

func joined(parts []string) string {
	if n := len(parts); n > 1 {
		return strings.Join(parts[:n-1], ", ") + " and " + parts[n-1]
	}
	return strings.Join(parts, "")
}

// number writes a count with a comma between each three digits.
func number(n int64) string {
	if n < 0 {
		return "-" + number(-n)
	}
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// size writes a number of bytes in the unit that a person would choose.
func size(n int64) string {
	if n < 0 {
		return "-" + size(-n)
	}
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " B"
	}
	value, unit := float64(n)/1000, 0
	for value >= 999.5 && unit < len("kMGTPE")-1 {
		value /= 1000
		unit++
	}
	digits := 0
	if value < 9.95 {
		digits = 1
	}
	return strconv.FormatFloat(value, 'f', digits, 64) + " " + "kMGTPE"[unit:unit+1] + "B"
}
