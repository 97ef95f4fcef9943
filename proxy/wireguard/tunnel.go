// Package wireguard is one end of a WireGuard tunnel in user space: it needs no root,
// no network device and nothing from the kernel but a UDP port. A device that uses the
// tunnel sends everything it sends through it, and this end answers for every address
// of IPv4 and IPv6.
//
// A [Book] keeps the keys in a folder and writes the configurations of the devices. A
// [Tunnel] decrypts (wireguard-go), takes each packet apart (packet.go, reassembly.go)
// and hands it on: TCP to a stack that accepts connections for any address (gVisor;
// tcp.go, link.go), UDP datagrams straight to the proxy (udp.go), echo requests to
// itself (icmp.go). It knows the device by its tunnel address, which WireGuard proves:
// whoever has a peer's key is that peer, and can only send from its two addresses.
//
// The package promises that
//
//   - each packet is counted before anything else looks at it, and is then either
//     handed to the [Proxy] or dropped for a reason that is counted too
//     ([Tunnel.Ledger]): connections once, whatever is retransmitted; fragments as the
//     datagram that they make;
//   - no packet makes it panic, wait, or keep memory without bound: there are limits on
//     connections being opened, on fragments, on the buffers of connections and on what
//     waits to be decrypted;
//   - a connection is not answered before the proxy says so.
//
// It does not look into connections or datagrams, dial anything, resolve names or
// decide what is allowed. It forwards nothing but TCP and UDP. Packets that the kernel
// lost before it received them (a full socket buffer) are lost as on the way; TCP
// sends them again. So are messages that cannot be decrypted ([Outside]), and packets
// that say they are longer than they are: wireguard-go drops them without a word. Data for connections that it does not know (a device that kept
// them while telltale was restarted) is answered with a reset and not counted.
//
// To debug it, give Options.Log a handler at level debug: wireguard-go then tells of
// every handshake. `wg show` on a Linux device tells whether it has one at all; a
// device without a handshake does not reach the UDP port or has old keys. [Tunnel.Peers]
// tells what came when and from where, [Tunnel.Ledger] what was dropped.
package wireguard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.zx2c4.com/wireguard/device"

	"telltale/coverage"
	"telltale/proxy"
)

// Mode is the tunnel's in flow.Flow.Mode and proxy.Way.Mode.
const Mode = "wireguard"

// A Proxy is what the tunnel hands packets to. *[proxy.Proxy] is one.
type Proxy interface {
	// Arrive is called in a goroutine of its own and may take its time. A connection
	// that it has not answered when it returns is refused.
	Arrive(proxy.Arrival)
	// Receive and Stray are called for one packet of a device after the other. While
	// they wait, so does the device.
	Receive(proxy.Datagram)
	Stray(proxy.Stray)
	// Recorded and Dropped are what became of it, for the ledger.
	Recorded(mode string) (recorded, underWay map[coverage.Class]coverage.Amount)
	Dropped(mode string) map[string]coverage.Amount
}

// Options are what a tunnel needs.
type Options struct {
	Book *Book
	// Addr is the UDP address to listen at, as IP:port; without IP it is every
	// address of this machine, with port 0 a free port. "" is :51820.
	Addr  string
	Proxy Proxy
	Log   *slog.Logger // nil discards
	// Note takes a sentence on the tunnel's own health that belongs into the record of
	// an audit. The same one comes at most once a minute. Nil discards.
	Note func(string)
	// NamedOnly shuts out the devices whose keys the set-up page made ([Peer].Visitor).
	NamedOnly bool
}

// sweepEvery is how often what waits is looked at, and the book.
const sweepEvery = time.Second

// A Tunnel is open from [Listen] to [Tunnel.Close]. It is safe for use by several
// goroutines.
type Tunnel struct {
	book  *Book
	proxy Proxy
	log   *slog.Logger
	notes *notes
	way   proxy.Way
	addr  netip.AddrPort

	unlock func() // lets another tunnel use the keys

	namedOnly bool

	socket *socket
	device *device.Device
	link   *link
	tcp    *tcpEnd
	counts *counts

	taking   sync.RWMutex // held for reading while packets are taken
	changing sync.Mutex   // of peers, in the device and here
	peers    atomic.Pointer[map[netip.Addr]*peer]

	places places

	// Of the goroutine that sweeps, and of Close after it.
	syncError  string                    // that was logged last
	endpoints  map[string]netip.AddrPort // that were kept last
	remembered time.Time

	stop    context.CancelFunc
	stopped chan struct{}
	closing sync.Once
}

// peer is a device that may use the tunnel.
type peer struct {
	Peer
	fragments reassembler
	opening   int // connections; guarded by tcpEnd.mu
}

// A ListenError is that the tunnel's UDP port could not be had.
type ListenError struct {
	Addr string
	Err  error
}

func (e *ListenError) Error() string {
	return fmt.Sprintf("wireguard: listen on UDP %s: %v", e.Addr, e.Err)
}

// Unwrap returns the reason.
func (e *ListenError) Unwrap() error { return e.Err }

// Hint says how to get a port.
func (e *ListenError) Hint() string {
	if errors.Is(e.Err, syscall.EADDRINUSE) {
		return "another program has this port, maybe another telltale: end it, or choose another one, as in --wireguard=:51821"
	}
	return "name an address of this machine and a port, as in --wireguard=:51820"
}

// Listen opens a tunnel for the peers of the book. Errors are *[ListenError] and those
// of the book, of which one is that another tunnel is open with its keys. The book keeps
// the port for the next time, unless any free one was asked for.
func Listen(o Options) (*Tunnel, error) {
	if o.Addr == "" {
		o.Addr = fmt.Sprintf(":%d", DefaultPort)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	at, err := parseListen(o.Addr)
	if err != nil {
		return nil, &ListenError{o.Addr, err}
	}
	t := &Tunnel{book: o.Book, proxy: o.Proxy, log: o.Log, notes: newNotes(o.Note), counts: newCounts(), namedOnly: o.NamedOnly,
		way: proxy.Way{Mode: Mode, Own: o.Book.Own()}, stopped: make(chan struct{})}
	t.way.Outside = t.outside
	if t.unlock, err = o.Book.claim(); err != nil {
		return nil, err
	}
	t.peers.Store(&map[netip.Addr]*peer{})
	t.link = newLink(t.takeBatch)
	if t.tcp, err = newTCPEnd(t); err != nil {
		t.unlock()
		return nil, err
	}
	t.socket = newSocket(at.Addr(), t.notes)
	t.device = device.NewDevice(t.link, t.socket, t.logger())
	if err := t.start(at.Port()); err != nil {
		t.device.Close()
		t.tcp.close()
		t.unlock()
		return nil, listenError(o.Addr, err)
	}
	t.addr = netip.AddrPortFrom(at.Addr(), t.socket.port())
	t.resume()
	t.remembered = time.Now()
	ctx, stop := context.WithCancel(context.Background())
	t.stop = stop
	go t.sweep(ctx)
	return t, nil
}

// start gives the device its key, port and peers, and opens the port.
func (t *Tunnel) start(port uint16) error {
	private := t.book.privateKey()
	if err := t.device.IpcSet(fmt.Sprintf("private_key=%s\nlisten_port=%d\n", private.hex(), port)); err != nil {
		return fmt.Errorf("wireguard: set the key: %w", err)
	}
	if err := t.applyPeers(); err != nil {
		return err
	}
	if err := t.device.Up(); err != nil {
		return &ListenError{Err: err}
	}
	if port == 0 {
		return nil // a free port is another one the next time
	}
	return t.book.setPort(port)
}

// listenError adds the address that was asked for.
func listenError(addr string, err error) error {
	if l := (*ListenError)(nil); errors.As(err, &l) {
		l.Addr = addr
	}
	return err
}

// Addr returns where the tunnel listens. The address is unspecified where it is every
// one of this machine.
func (t *Tunnel) Addr() netip.AddrPort { return t.addr }

// Way returns the way in that arrivals from the tunnel have.
func (t *Tunnel) Way() *proxy.Way { return &t.way }

// Book returns the tunnel's keys and peers.
func (t *Tunnel) Book() *Book { return t.book }

// Close closes the port and every connection. What the proxy is about to open ends
// with the proxy. A second call does nothing.
func (t *Tunnel) Close() error {
	t.closing.Do(func() {
		t.stop()
		<-t.stopped
		t.remember()
		close(t.socket.backlog.closed)
		t.device.Close() // closes the link
		t.tcp.close()
		t.unlock()
	})
	return nil
}

// sweep looks after what waits for something that may never come.
func (t *Tunnel) sweep(ctx context.Context) {
	defer close(t.stopped)
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			t.sweepAt(now)
		case <-ctx.Done():
			return
		}
	}
}

func (t *Tunnel) sweepAt(now time.Time) {
	for addr, p := range *t.peers.Load() {
		if addr == p.IPv4 {
			p.fragments.expire(now.Add(-fragmentWait))
		}
	}
	t.tcp.sweep(now)
	if now.Sub(t.remembered) >= saveEvery {
		t.remembered = now
		t.remember()
	}
	err := t.Sync()
	if said := fmt.Sprint(err); err != nil && said != t.syncError { // not every second
		t.syncError = said
		t.log.Warn("the devices of the tunnel stay as they are: its keys cannot be read again", "err", err)
	}
	if err == nil {
		t.syncError = ""
	}
}
