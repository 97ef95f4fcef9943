package proxy

import (
	"net"
	"sync"
	"time"
)

// quicIDLength is the length of the connection IDs that we give out. It is less than the
// least that clients draw, so that theirs are told from ours.
const quicIDLength = 4

// maxQUICQueue is how many datagrams may wait to be read: beyond that they are lost, as
// by any busy host.
const maxQUICQueue = 4 << 10

// quicPeer is the far end of a conversation as the library sees it: the client and where
// it believes to be talking to, since answers have to come from there.
type quicPeer struct {
	v    *conversation
	text string
}

// Network returns "udp".
func (a *quicPeer) Network() string { return "udp" }

// String tells conversations apart: the library compares addresses by it.
func (a *quicPeer) String() string { return a.text }

func newQUICPeer(v *conversation) *quicPeer {
	return &quicPeer{v, v.key.client.String() + " to " + v.key.destination.String() + " " + v.key.asked}
}

// quicWire is the socket of the library: it carries the datagrams of all conversations.
type quicWire struct {
	queue chan quicDatagram
	done  chan struct{}
	once  sync.Once
}

type quicDatagram struct {
	from *quicPeer
	buf  *[]byte
}

var quicBuffers = sync.Pool{New: func() any { b := make([]byte, 0, packetSize); return &b }}

func newQUICWire() *quicWire {
	return &quicWire{queue: make(chan quicDatagram, maxQUICQueue), done: make(chan struct{})}
}

// deliver hands the library a datagram of a client.
func (w *quicWire) deliver(v *conversation, payload []byte) {
	buf := quicBuffers.Get().(*[]byte)
	*buf = append((*buf)[:0], payload...)
	select {
	case w.queue <- quicDatagram{v.quicPeer(), buf}:
	default:
		quicBuffers.Put(buf)
	}
}

// quicPeer returns the name of a conversation for the library.
func (v *conversation) quicPeer() *quicPeer {
	v.quic.mu.Lock()
	defer v.quic.mu.Unlock()
	if v.quic.peer == nil {
		v.quic.peer = newQUICPeer(v)
	}
	return v.quic.peer
}

// ReadFrom returns the next datagram of any client.
func (w *quicWire) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case d := <-w.queue:
		n := copy(b, *d.buf)
		quicBuffers.Put(d.buf)
		return n, d.from, nil
	case <-w.done:
		return 0, nil, net.ErrClosed
	}
}

// WriteTo answers a client.
func (w *quicWire) WriteTo(b []byte, to net.Addr) (int, error) {
	if peer, ok := to.(*quicPeer); ok {
		peer.v.answer(b)
	}
	return len(b), nil
}

// Close ends ReadFrom.
func (w *quicWire) Close() error {
	w.once.Do(func() { close(w.done) })
	return nil
}

// LocalAddr is of no use: each client has its own idea of it.
func (w *quicWire) LocalAddr() net.Addr { return &net.UDPAddr{} }

// SetReadDeadline ends ReadFrom where the deadline has passed: by that the library stops
// reading. It sets no others.
func (w *quicWire) SetReadDeadline(t time.Time) error {
	if !t.IsZero() && !t.After(time.Now()) {
		return w.Close()
	}
	return nil
}

// SetWriteDeadline does nothing: writing does not wait.
func (w *quicWire) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline does what SetReadDeadline does.
func (w *quicWire) SetDeadline(t time.Time) error { return w.SetReadDeadline(t) }

// SetReadBuffer spares the library's complaint that there is no such buffer.
func (w *quicWire) SetReadBuffer(int) error { return nil }

// SetWriteBuffer does the same.
func (w *quicWire) SetWriteBuffer(int) error { return nil }
