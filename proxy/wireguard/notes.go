package wireguard

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.zx2c4.com/wireguard/device"
)

// What the tunnel notes on its own health.
const (
	noteForeign  = "Datagrams that are no WireGuard came to the tunnel's port."
	noteStranger = "Somebody tried to open the tunnel with keys that it does not know, or with a message that had been used before: a device with an old configuration needs its new one."
	noteSource   = "Packets in the tunnel came from addresses that are not the device's own there and were dropped; devices send a few such when the tunnel is switched on."
	noteFlood    = "A device in the tunnel opened more connections at once than telltale keeps; those beyond were dropped."
)

// noteEvery is how often the same note may come.
const noteEvery = time.Minute

// notes hands sentences on, each at most once in a while.
type notes struct {
	note func(string)

	mu   sync.Mutex
	last map[string]time.Time
}

func newNotes(note func(string)) *notes {
	if note == nil {
		note = func(string) {}
	}
	return &notes{note: note, last: map[string]time.Time{}}
}

func (n *notes) say(sentence string) {
	now := time.Now()
	n.mu.Lock()
	last, said := n.last[sentence]
	due := !said || now.Sub(last) >= noteEvery
	if due {
		n.last[sentence] = now
	}
	n.mu.Unlock()
	if due {
		n.note(sentence)
	}
}

// outside counts what came from those who are no peers, or are not who they say.
type outside struct {
	strangers atomic.Int64 // handshakes with unknown keys, or repeated
}

// logger hands what wireguard-go says to ours. Of some things it drops this is the only
// trace, so they are counted here by the format of the sentence; a test fails when a
// new version changes one.
func (t *Tunnel) logger() *device.Logger {
	to := func(level slog.Level) func(string, ...any) {
		return func(format string, args ...any) {
			t.overheard(format)
			if t.log.Enabled(context.Background(), level) {
				t.log.Log(context.Background(), level, fmt.Sprintf(format, args...))
			}
		}
	}
	return &device.Logger{Verbosef: to(slog.LevelDebug), Errorf: to(slog.LevelWarn)}
}

func (t *Tunnel) overheard(format string) {
	switch format {
	case "IPv4 packet with disallowed source address from %v", "IPv6 packet with disallowed source address from %v":
		t.socket.backlog.take(1)
		t.counts.drop(foreignSource, 0)
		t.notes.say(noteSource)
	case "Packet with invalid IP version from %v":
		t.socket.backlog.take(1)
		t.counts.drop(malformed, 0)
	case "Received packet with invalid mac1", "Received invalid initiation message from %s", "Received invalid response message from %s":
		t.counts.strangers.Add(1)
		t.notes.say(noteStranger)
	}
}
