package wireguard

import (
	"os"
	"sync"

	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/tun"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

const (
	// outQueue is how many packets wait to be encrypted before those who send are
	// made to wait; each may be one that is cut into many (see superSize).
	outQueue = 128
	// superSize bounds the packets of TCP that the stack makes at once and the link
	// cuts to the size of the tunnel, in bytes. IP's bound is 64 KiB.
	superSize = 1 << 15
)

// link joins the device, to which it is a network interface, and the stack, to which it
// is one as well. What the device decrypted goes to take, in batches; what the stack
// and the rest of the package send is queued until the device asks for it.
type link struct {
	take func(packets [][]byte, offset int)

	out    chan outgoing
	closed chan struct{}
	once   sync.Once
	events chan tun.Event
	cut    segments // that did not fit into the last batch; of Read alone

	mu         sync.RWMutex
	dispatcher stack.NetworkDispatcher
}

// outgoing is a packet of the stack, or one that is ready.
type outgoing struct {
	pkt *stack.PacketBuffer
	raw []byte
}

func newLink(take func([][]byte, int)) *link {
	return &link{take: take, out: make(chan outgoing, outQueue), closed: make(chan struct{}), events: make(chan tun.Event)}
}

// send queues IP packets. It waits while the queue is full.
func (l *link) send(packets ...[]byte) {
	for _, b := range packets {
		select {
		case l.out <- outgoing{raw: b}:
		case <-l.closed:
			return
		}
	}
}

// File implements [tun.Device].
func (l *link) File() *os.File { return nil }

// Name implements [tun.Device].
func (l *link) Name() (string, error) { return "telltale", nil }

// MTU implements [tun.Device].
func (l *link) MTU() (int, error) { return MTU, nil }

// Events implements [tun.Device].
func (l *link) Events() <-chan tun.Event { return l.events }

// BatchSize implements [tun.Device].
func (l *link) BatchSize() int { return conn.IdealBatchSize }

// Write implements [tun.Device]: it takes what came out of the tunnel.
func (l *link) Write(packets [][]byte, offset int) (int, error) {
	l.take(packets, offset)
	return len(packets), nil
}

// Read implements [tun.Device]: it hands out what goes into the tunnel.
func (l *link) Read(bufs [][]byte, sizes []int, offset int) (n int, err error) {
	for n < len(bufs) {
		if l.cut.left() {
			sizes[n] = l.cut.next(bufs[n][offset:])
			n++
			continue
		}
		o, ok := l.nextOut(n > 0)
		switch {
		case !ok && n > 0:
			return n, nil
		case !ok:
			return 0, os.ErrClosed
		case o.pkt != nil:
			l.cut.begin(o.pkt)
		default:
			sizes[n] = copy(bufs[n][offset:], o.raw)
			n++
		}
	}
	return n, nil
}

// nextOut returns the next packet of the queue, and waits for one unless there are
// others to go already.
func (l *link) nextOut(others bool) (outgoing, bool) {
	if others {
		select {
		case o := <-l.out:
			return o, true
		default:
			return outgoing{}, false
		}
	}
	select {
	case o := <-l.out:
		return o, true
	case <-l.closed:
		return outgoing{}, false
	}
}

// Close implements [tun.Device].
func (l *link) Close() error {
	l.once.Do(func() {
		close(l.closed)
		close(l.events)
	})
	return nil
}
