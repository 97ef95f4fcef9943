package outbox

import (
	"bytes"
	"os"
)

// ballastSize is enough for the pages of a few transactions.
const ballastSize = 256 << 10

// The ballast is a file beside the outbox that only takes room: on a full disk it makes way
// for what must be written, that messages which were delivered from memory are not to be
// made again.
func (o *Outbox) ballast() string { return o.path + ".ballast" }

// layBallast lays it where it is missing. A disk that is full already has no room for it.
func (o *Outbox) layBallast() {
	f, err := os.OpenFile(o.ballast(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	// Not holes: what was never written takes no room.
	_, err = f.Write(bytes.Repeat([]byte("ballast\n"), ballastSize/8))
	if closed := f.Close(); err != nil || closed != nil {
		os.Remove(o.ballast())
	}
}

// DropBallast makes room on a full disk, once, and reports whether there was any to make.
// The next that opens the outbox sees to new ballast.
func (o *Outbox) DropBallast() bool { return o.path != "" && os.Remove(o.ballast()) == nil }
