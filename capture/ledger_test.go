package capture_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"telltale/capture"
	"telltale/coverage"
	"telltale/flow/flowtest"
)

// noAmount makes no difference between a side of a ledger that is empty and none.
var noAmount = cmpopts.EquateEmpty()

// books are the books of a way in by which n datagrams came, with n packets under way.
func books(mode string, n int64) coverage.Ledger {
	a := map[coverage.Class]coverage.Amount{coverage.UDP: {Units: n, Bytes: 10 * n}, coverage.TCP: {Units: 1}}
	return coverage.Ledger{
		Mode: mode, Received: a, Recorded: a, UnderWay: map[coverage.Class]coverage.Amount{coverage.ICMP: {Units: n}},
		Dropped: map[string]coverage.Amount{"malformed packets": {Units: n}},
	}
}

// balanced are the books of a way in by which n connections came, all of them recorded.
func balanced(mode string, n int64) coverage.Ledger {
	l := coverage.Ledger{Mode: mode}
	if n > 0 {
		l.Received = map[coverage.Class]coverage.Amount{coverage.TCP: {Units: n}}
		l.Recorded = l.Received
	}
	return l
}

func TestLedgersAreKeptAndSummed(t *testing.T) {
	s, path := create(t, capture.Options{})
	if l := s.Summary().Health.Ledgers; len(l) != 0 {
		t.Errorf("books of nothing: %+v", l)
	}
	first := books("wireguard", 5)
	first.Dropped["stale reason"] = coverage.Amount{Units: 1}
	s.SetLedger(first)
	s.SetLedger(books("socks5", 1))
	s.SetLedger(books("wireguard", 7)) // replaces
	s.SetLedger(books("wireguard", 7))
	if got, want := s.Summary().Health.Ledgers, []coverage.Ledger{books("socks5", 1), books("wireguard", 7)}; !cmp.Equal(got, want, noAmount) {
		t.Errorf("live: %s", cmp.Diff(want, got, noAmount))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := capture.Create(path, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	again.SetLedger(books("wireguard", 1))
	want := []coverage.Ledger{books("socks5", 1).Closed(), books("wireguard", 7).Closed().Add(books("wireguard", 1))}
	if got := again.Summary().Health.Ledgers; !cmp.Equal(got, want, noAmount) {
		t.Errorf("second session: %s", cmp.Diff(want, got, noAmount))
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	want[1] = want[1].Closed()
	read := reopen(t, path, capture.Options{})
	if got := read.Summary().Health.Ledgers; !cmp.Equal(got, want, noAmount) {
		t.Errorf("read back: %s", cmp.Diff(want, got, noAmount))
	}
	read.SetLedger(books("http", 1)) // does nothing
	if got := read.Summary().Health.Ledgers; !cmp.Equal(got, want, noAmount) {
		t.Errorf("a store that reads has taken a ledger: %+v", got)
	}
}

// session records one session with the books of the tunnel, n connections in each; it is
// killed where that is asked for.
func session(t *testing.T, path string, killed bool, ledgers ...coverage.Ledger) {
	t.Helper()
	s, err := capture.Create(path, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range ledgers {
		s.SetLedger(l)
	}
	f := flowtest.Get("https://a.example/", flowtest.Mode("wireguard"))
	f.ID = s.NextID()
	f.Times.Start = time.Now()
	s.Observe(f)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if killed {
		queryRW(t, path, "UPDATE sessions SET ended = NULL WHERE id = (SELECT max(id) FROM sessions) RETURNING id")
	}
}

// After a recorder was killed, nobody knows what came in its last seconds: no session
// makes up for it.
func TestBooksOfAKilledRecorderAreCut(t *testing.T) {
	t.Parallel()
	underWay := balanced("wireguard", 3)
	underWay.Received = map[coverage.Class]coverage.Amount{coverage.TCP: {Units: 5}}
	underWay.UnderWay = map[coverage.Class]coverage.Amount{coverage.TCP: {Units: 2}}
	for _, test := range []struct {
		name         string
		record       func(path string)
		cut, partial bool
		missing      int64
	}{
		{"ended", func(path string) { session(t, path, false, balanced("wireguard", 3)) }, false, false, 0},
		{"ended with two under way", func(path string) { session(t, path, false, underWay) }, false, false, 2},
		{"killed", func(path string) { session(t, path, true, balanced("wireguard", 3)) }, true, false, 0},
		{"killed with two under way", func(path string) { session(t, path, true, underWay) }, true, false, 2},
		{"killed before anything came", func(path string) { session(t, path, true, balanced("wireguard", 0)) }, true, false, 0},
		{"killed once of twice", func(path string) {
			session(t, path, true, balanced("wireguard", 3))
			session(t, path, false, balanced("wireguard", 1))
		}, true, false, 0},
		{"killed before the books were kept", func(path string) {
			session(t, path, false, balanced("wireguard", 3))
			session(t, path, true)
		}, true, false, 0},
		{"a session without books", func(path string) {
			session(t, path, false)
			session(t, path, false, balanced("wireguard", 3))
		}, false, true, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.telltale")
			test.record(path)
			ledgers := reopen(t, path, capture.Options{}).Summary().Health.Ledgers
			if len(ledgers) != 1 {
				t.Fatalf("books %+v", ledgers)
			}
			l := ledgers[0]
			if l.Cut != test.cut || l.Partial != test.partial || l.Missing().Units != test.missing {
				t.Errorf("cut %v, partial %v, %d missing: %s", l.Cut, l.Partial, l.Missing().Units, l.Claim())
			}
			if whole := !test.cut && !test.partial && test.missing == 0; l.Complete() != whole {
				t.Errorf("complete: %v: %s", l.Complete(), l.Claim())
			}
		})
	}
}

// A session of another way in has no books of the tunnel, and needs none.
func TestKilledBesideTheTunnel(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.telltale")
	session(t, path, false, balanced("wireguard", 1))
	s, err := capture.Create(path, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := flowtest.Get("https://a.example/", flowtest.Mode("http"))
	f.ID, f.Times.Start = s.NextID(), time.Now()
	s.Observe(f)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	queryRW(t, path, "UPDATE sessions SET ended = NULL WHERE id = 2 RETURNING id")
	if l := reopen(t, path, capture.Options{}).Summary().Health.Ledgers; len(l) != 1 || !l[0].Complete() {
		t.Errorf("books %+v", l)
	}
}

// While a capture is recorded, what is under way has time to get its row.
func TestBooksOfACaptureThatIsBeingRecorded(t *testing.T) {
	t.Parallel()
	s, path := create(t, capture.Options{})
	l := balanced("wireguard", 3)
	l.Received = map[coverage.Class]coverage.Amount{coverage.TCP: {Units: 5}}
	l.UnderWay = map[coverage.Class]coverage.Amount{coverage.TCP: {Units: 2}}
	s.SetLedger(l)
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	got := reopen(t, path, capture.Options{}).Summary().Health.Ledgers
	if want := []coverage.Ledger{l}; !cmp.Equal(got, want, noAmount) {
		t.Errorf("%s", cmp.Diff(want, got, noAmount))
	}
}
