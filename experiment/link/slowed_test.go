package link

import (
	"net"
	"testing"

	"go.uber.org/goleak"

	"telltale/experiment"
)

// Sockets name a profile as what is switched on is called.
func TestWordsAreThoseOfTheExperiment(t *testing.T) {
	for i := range Profiles {
		p := &Profiles[i]
		by, what := words(p)
		if want := (experiment.Spec{Name: "slow", Variant: p.Name}).String(); by != want {
			t.Errorf("%q, want %q", by, want)
		}
		if want := "slowed to " + p.Help + ": " + by; what != want {
			t.Errorf("%q, want %q", what, want)
		}
	}
}

// A socket tells what slowed each direction since a moment, and a link that is as it is
// leaves nothing running.
func TestSlowedSince(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	l := New(1)
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	c := l.Wrap(ours).(*conn)
	since := func(read, wrote int64) (told string) {
		c.SlowedSince(read, wrote, func(by, _ string) { told += by + ";" })
		return told
	}
	move := func() {
		t.Helper()
		go theirs.Write([]byte("up"))
		if _, err := c.Read(make([]byte, 2)); err != nil {
			t.Fatal(err)
		}
	}
	move()
	if got := since(0, 0); got != "" {
		t.Errorf("slowed by %s, and nothing was slow", got)
	}
	l.Use(&Profile{Name: "a", Up: 1 << 30, Down: 1 << 30})
	if got := since(0, 0); got != "" {
		t.Errorf("slowed by %s, and nothing passed", got)
	}
	move()
	read, wrote := c.Slowed()
	l.Use(&Profile{Name: "b", Up: 1 << 30, Down: 1 << 30})
	move()
	l.Use(nil)
	move()
	for _, tt := range []struct {
		read, wrote int64
		want        string
	}{{0, 0, "slow a;slow b;"}, {read, wrote, "slow b;"}, {-1, 0, ""}, {0, -1, "slow a;slow b;"}} {
		if got := since(tt.read, tt.wrote); got != tt.want {
			t.Errorf("since %d, %d: %q, want %q", tt.read, tt.wrote, got, tt.want)
		}
	}
}
