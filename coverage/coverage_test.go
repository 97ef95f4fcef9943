package coverage

import (
	"reflect"
	"strings"
	"testing"
)

func TestWays(t *testing.T) {
	seen := map[string]bool{}
	for _, w := range Ways {
		if seen[w.Mode] {
			t.Errorf("%s is listed twice", w.Mode)
		}
		seen[w.Mode] = true
		if w.Title == "" || len(w.Sees) == 0 || len(w.Blind) == 0 {
			t.Errorf("%s lacks words: every way in sees something and misses something", w.Mode)
		}
		for _, s := range append(append([]string{}, w.Sees...), w.Blind...) {
			if !strings.HasSuffix(s, ".") || strings.ToUpper(s[:1]) != s[:1] {
				t.Errorf("%s: not a sentence: %q", w.Mode, s)
			}
		}
		if got, ok := Of(w.Mode); !ok || got.Title != w.Title {
			t.Errorf("Of(%q) = %v, %v", w.Mode, got.Title, ok)
		}
		if w.Whole != (w.Mode == "wireguard") {
			t.Errorf("%s: Whole is %v", w.Mode, w.Whole)
		}
	}
	for _, mode := range []string{"http", "socks5", "transparent", "wireguard", "har", "mitmproxy", "pcapdroid", "pcap", "privacy-report", "trackercontrol"} {
		if !seen[mode] {
			t.Errorf("no way in for %s", mode)
		}
	}
	if _, ok := Of(""); ok {
		t.Error("there is a way in without a mode")
	}
}

// full is a ledger whose books balance.
func full() Ledger {
	return Ledger{
		Mode:     "wireguard",
		Received: map[Class]Amount{TCP: {1204, 0}, UDP: {9000, 4_200_000}, ICMP: {1, 56}},
		Recorded: map[Class]Amount{TCP: {1200, 0}, UDP: {9000, 4_200_000}, ICMP: {1, 56}},
		UnderWay: map[Class]Amount{TCP: {4, 0}},
	}
}

func TestLedger(t *testing.T) {
	const everything = "Everything that devices sent through the WireGuard tunnel is in this audit: "
	for _, test := range []struct {
		name               string
		of                 func(l *Ledger)
		balanced, complete bool
		missing            Amount
		claim, status      string
	}{
		{"empty", func(l *Ledger) { *l = Ledger{Mode: "wireguard"} }, true, true, Amount{},
			"Nothing came through the WireGuard tunnel: no claim can be made.", "nothing received yet"},
		{"all of it", func(*Ledger) {}, true, true, Amount{},
			everything + "1,204 connections, 9,000 datagrams (4.2 MB) and 1 ICMP packet (56 B).", "everything recorded"},
		{"dropped for a reason", func(l *Ledger) {
			l.Recorded[UDP] = Amount{8960, 4_190_000}
			l.Dropped = map[string]Amount{"too many conversations": {10, 3000}, "malformed packets": {30, 7000}, "nothing": {}}
		}, true, false, Amount{},
			"Everything that devices sent through the WireGuard tunnel is accounted for: 1,204 connections, 9,000 datagrams (4.2 MB) and 1 ICMP packet (56 B). " +
				"Not all of it has a row: 40 (10 kB) were dropped and not forwarded: malformed packets (30) and too many conversations (10).",
			"40 dropped, the rest recorded"},
		{"a lost connection", func(l *Ledger) { l.Recorded[TCP] = Amount{1199, 0} }, false, false, Amount{1, 0},
			"Not everything that devices sent through the WireGuard tunnel is in this audit: 1 connection of 1,204 received has no row.", "1 unaccounted for"},
		{"lost of several kinds, some of it dropped", func(l *Ledger) {
			l.Recorded[TCP], l.Recorded[UDP] = Amount{1199, 0}, Amount{8960, 4_190_000}
			l.Dropped = map[string]Amount{"malformed packets": {38, 9000}}
		}, false, false, Amount{3, 1000},
			"Not everything that devices sent through the WireGuard tunnel is in this audit: 1 connection of 1,204 and 40 datagrams (10 kB) of 9,000 received have no row; " +
				"38 (9.0 kB) were dropped and not forwarded: malformed packets (38); the other 3 are missing.", "3 unaccounted for"},
		{"lost bytes", func(l *Ledger) { l.Recorded[UDP] = Amount{9000, 4_199_000} }, false, false, Amount{0, 1000},
			"Not everything that devices sent through the WireGuard tunnel is in this audit: 1.0 kB of UDP received have no row.", "the counters disagree"},
		{"more recorded than received", func(l *Ledger) { l.Recorded[ICMP] = Amount{3, 168} }, false, false, Amount{-2, -112},
			"Not everything that devices sent through the WireGuard tunnel is in this audit: of ICMP more was recorded than came in (1 ICMP packet (56 B) received, 3 ICMP packets (168 B) recorded or under way).",
			"the counters disagree"},
		// A surplus of one class must not hide what is missing of another.
		{"one too many, one too few", func(l *Ledger) {
			l.Recorded[ICMP], l.Recorded[UDP] = Amount{2, 112}, Amount{8999, 4_199_944}
		}, false, false, Amount{},
			"Not everything that devices sent through the WireGuard tunnel is in this audit: 1 datagram (56 B) of 9,000 received has no row; " +
				"of ICMP more was recorded than came in (1 ICMP packet (56 B) received, 2 ICMP packets (112 B) recorded or under way).",
			"the counters disagree"},
		{"dropped what never came", func(l *Ledger) { l.Dropped = map[string]Amount{"malformed packets": {1, 20}} }, false, false, Amount{-1, -20},
			"Not everything that devices sent through the WireGuard tunnel is in this audit: 1 (20 B) was dropped and not forwarded: malformed packets (1), though everything that came in has a row.",
			"the counters disagree"},
		{"dropped more than is unrecorded", func(l *Ledger) {
			l.Recorded[UDP] = Amount{8999, 4_200_000}
			l.Dropped = map[string]Amount{"malformed packets": {2, 0}}
		}, false, false, Amount{-1, 0},
			"Not everything that devices sent through the WireGuard tunnel is in this audit: 1 datagram of 9,000 received has no row; " +
				"2 were dropped and not forwarded: malformed packets (2), which is more than has no row.", "the counters disagree"},
		{"the recorder was killed", func(l *Ledger) { l.Cut = true }, false, false, Amount{},
			"It is not known whether everything that devices sent through the WireGuard tunnel is in this audit: the recorder was killed, and what came in its last seconds is not in the books.",
			"the recorder was killed"},
		{"killed before anything came", func(l *Ledger) { *l = Ledger{Mode: "wireguard", Cut: true} }, false, false, Amount{},
			"It is not known whether everything that devices sent through the WireGuard tunnel is in this audit: the recorder was killed, and what came in its last seconds is not in the books.",
			"the recorder was killed"},
		{"killed with connections under way", func(l *Ledger) {
			l.Cut = true
			*l = l.Closed()
		}, false, false, Amount{4, 0},
			"Not everything that devices sent through the WireGuard tunnel is in this audit: the recorder was killed, and what came in its last seconds is not in the books; 4 connections of 1,204 received have no row.",
			"4 unaccounted for"},
		{"ended with connections under way", func(l *Ledger) { *l = l.Closed() }, false, false, Amount{4, 0},
			"Not everything that devices sent through the WireGuard tunnel is in this audit: 4 connections of 1,204 received have no row.",
			"4 unaccounted for"},
		{"not of all recordings", func(l *Ledger) { l.Partial = true }, true, false, Amount{},
			"Not all of these recordings have books of the WireGuard tunnel: nothing is claimed to be complete.", "not counted in all recordings"},
		{"not of all recordings, and killed", func(l *Ledger) { l.Partial, l.Cut = true, true }, false, false, Amount{},
			"Not all of these recordings have books of the WireGuard tunnel: nothing is claimed to be complete. " +
				"What is known to be missing: the recorder was killed, and what came in its last seconds is not in the books.", "the recorder was killed"},
		{"only hellos of the system were dropped", func(l *Ledger) {
			l.Received[Other] = Amount{5, 0}
			l.Dropped = map[string]Amount{ForeignSource: {5, 0}, "malformed packets": {}}
		}, true, false, Amount{},
			"Everything that devices sent through the WireGuard tunnel is accounted for: 1,204 connections, 9,000 datagrams (4.2 MB), 1 ICMP packet (56 B) and 5 packets of other protocols. " +
				"Not all of it has a row: 5 were dropped and not forwarded: packets from an address that is not the device's (5). " +
				"These are usually what the device's system says to its own link when the tunnel comes up, and no contact of an app.",
			"5 dropped, the rest recorded"},
		{"hellos of the system and others were dropped", func(l *Ledger) {
			l.Received[Other] = Amount{6, 0}
			l.Dropped = map[string]Amount{ForeignSource: {5, 0}, "malformed packets": {1, 0}}
		}, true, false, Amount{},
			"Everything that devices sent through the WireGuard tunnel is accounted for: 1,204 connections, 9,000 datagrams (4.2 MB), 1 ICMP packet (56 B) and 6 packets of other protocols. " +
				"Not all of it has a row: 6 were dropped and not forwarded: packets from an address that is not the device's (5) and malformed packets (1).",
			"6 dropped, the rest recorded"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := full()
			test.of(&l)
			if got := l.Missing(); got != test.missing {
				t.Errorf("missing %v, want %v", got, test.missing)
			}
			if l.Balanced() != test.balanced || l.Complete() != test.complete {
				t.Errorf("balanced %v, complete %v", l.Balanced(), l.Complete())
			}
			if got := l.Claim(); got != test.claim {
				t.Errorf("claim\n got %s\nwant %s", got, test.claim)
			}
			if got := l.Status(); got != test.status {
				t.Errorf("status %q, want %q", got, test.status)
			}
			if warned := l.Warning() != ""; warned == test.balanced {
				t.Errorf("warning %q", l.Warning())
			}
		})
	}
}

func TestUnknownWay(t *testing.T) {
	l := full()
	l.Mode = "of tomorrow"
	if got := l.Claim(); !strings.HasPrefix(got, "Everything that devices sent through the way in is in this audit") {
		t.Error(got)
	}
}

func TestAdd(t *testing.T) {
	a, b := full(), full()
	b.Dropped = map[string]Amount{"malformed packets": {2, 80}}
	b.Received[Other] = Amount{2, 80}
	sum := a.Add(b)
	want := Ledger{
		Mode:     "wireguard",
		Received: map[Class]Amount{TCP: {2408, 0}, UDP: {18000, 8_400_000}, ICMP: {2, 112}, Other: {2, 80}},
		Recorded: map[Class]Amount{TCP: {2400, 0}, UDP: {18000, 8_400_000}, ICMP: {2, 112}},
		UnderWay: map[Class]Amount{TCP: {8, 0}},
		Dropped:  map[string]Amount{"malformed packets": {2, 80}},
	}
	if !reflect.DeepEqual(sum, want) {
		t.Errorf("got %v\nwant %v", sum, want)
	}
	if !sum.Balanced() || sum.Complete() {
		t.Error("two sums that balance do not balance together")
	}
	if !reflect.DeepEqual(a, full()) {
		t.Error("Add changed what it added to")
	}
	if got := (Ledger{}).Add(a); got.Mode != "wireguard" || got.Missing() != (Amount{}) {
		t.Errorf("a sum that starts empty: %v", got)
	}
}

// What one session lacks, the whole lacks, whichever is added to which.
func TestAddKeepsWhatForbidsTheClaim(t *testing.T) {
	killed := full()
	killed.Cut, killed.Partial = true, true
	for _, sum := range []Ledger{killed.Add(full()), full().Add(killed), killed.Closed()} {
		if !sum.Cut || !sum.Partial || sum.Balanced() || sum.Complete() || sum.Warning() == "" {
			t.Errorf("%+v: balanced %v, warning %q", sum, sum.Balanced(), sum.Warning())
		}
	}
	if l := full(); l.Closed().UnderWay != nil || l.UnderWay == nil {
		t.Error("Closed keeps what was under way, or changes what it closes")
	}
}
