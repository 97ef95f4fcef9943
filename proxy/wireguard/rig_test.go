package wireguard

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/tun"
	"golang.zx2c4.com/wireguard/tun/netstack"

	"telltale/coverage"
	"telltale/proxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what has to come.
const patience = 20 * time.Second

// recorder plays the proxy behind the tunnel: it counts all, and does with each what
// the test says.
type recorder struct {
	mu       sync.Mutex
	arrive   func(proxy.Arrival)
	receive  func(proxy.Datagram)
	recorded map[coverage.Class]coverage.Amount
	underWay map[coverage.Class]coverage.Amount
	arrivals []proxy.Arrival
	packets  []proxy.Stray
}

// onArrive says what is done with connections.
func (r *recorder) onArrive(do func(proxy.Arrival)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.arrive = do
}

// onReceive says what is done with datagrams.
func (r *recorder) onReceive(do func(proxy.Datagram)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.receive = do
}

func (r *recorder) count(in map[coverage.Class]coverage.Amount, class coverage.Class, units, bytes int) {
	a := in[class]
	in[class] = coverage.Amount{Units: a.Units + int64(units), Bytes: a.Bytes + int64(bytes)}
}

func (r *recorder) Arrive(a proxy.Arrival) {
	r.mu.Lock()
	r.arrivals = append(r.arrivals, a)
	r.count(r.underWay, coverage.TCP, 1, 0)
	do := r.arrive
	r.mu.Unlock()
	if do != nil {
		do(a)
	}
	r.mu.Lock()
	r.count(r.underWay, coverage.TCP, -1, 0)
	r.count(r.recorded, coverage.TCP, 1, 0)
	r.mu.Unlock()
}

func (r *recorder) Receive(d proxy.Datagram) {
	r.mu.Lock()
	r.count(r.recorded, coverage.UDP, 1, len(d.Payload))
	do := r.receive
	r.mu.Unlock()
	if do != nil {
		do(d)
	}
}

func (r *recorder) Stray(s proxy.Stray) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count(r.recorded, classOf(s.Protocol), 1, s.Bytes)
	r.packets = append(r.packets, s)
}

func (r *recorder) Recorded(string) (recorded, underWay map[coverage.Class]coverage.Amount) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.recorded), maps.Clone(r.underWay)
}

func (r *recorder) Dropped(string) map[string]coverage.Amount { return nil }

func (r *recorder) strays() []proxy.Stray {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]proxy.Stray(nil), r.packets...)
}

func (r *recorder) arrived() []proxy.Arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]proxy.Arrival(nil), r.arrivals...)
}

// echo accepts a connection and sends back what comes.
func echo(a proxy.Arrival) {
	c, err := a.Accept()
	if err != nil {
		return
	}
	defer c.Close()
	io.Copy(c, c)
}

// rig is a tunnel with the recorder behind it.
type rig struct {
	*Tunnel
	*recorder
	notes chan string
}

func open(t testing.TB, addr string) *rig {
	t.Helper()
	book, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{recorder: &recorder{recorded: map[coverage.Class]coverage.Amount{}, underWay: map[coverage.Class]coverage.Amount{}},
		notes: make(chan string, 100)}
	r.Tunnel, err = Listen(Options{Book: book, Addr: addr, Proxy: r.recorder, Note: func(s string) { r.notes <- s }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// first returns the peer that every book has.
func (r *rig) first(t testing.TB) Peer {
	t.Helper()
	p, err := r.Book().Peer(FirstPeer)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// clientSettings is the configuration of a peer for WireGuard's cross-platform interface.
func (r *rig) clientSettings(p Peer) string {
	at := r.Addr()
	if at.Addr().IsUnspecified() {
		at = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), at.Port())
	}
	return fmt.Sprintf("private_key=%s\npublic_key=%s\nendpoint=%s\nallowed_ip=0.0.0.0/0\nallowed_ip=::/0\n",
		p.private.hex(), r.Book().PublicKey().hex(), at)
}

// phone is an independent client: wireguard-go with a network stack of its own.
func (r *rig) phone(t testing.TB, p Peer) *netstack.Net {
	t.Helper()
	link, stack, err := netstack.CreateNetTUN([]netip.Addr{p.IPv4, p.IPv6}, nil, MTU)
	if err != nil {
		t.Fatal(err)
	}
	r.connect(t, &patient{Device: link}, conn.NewStdNetBind(), r.clientSettings(p))
	return stack
}

// patient lets the stack of a phone finish what it is doing before it is closed, which
// else panics.
type patient struct {
	tun.Device
	mu     sync.Mutex
	closed bool
}

func (p *patient) Write(bufs [][]byte, offset int) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0, os.ErrClosed
	}
	return p.Device.Write(bufs, offset)
}

func (p *patient) Close() error {
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		buf, sizes := [][]byte{make([]byte, 1<<16)}, make([]int, 1)
		for {
			if _, err := p.Device.Read(buf, sizes, 0); err != nil {
				return
			}
		}
	}()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	err := p.Device.Close()
	<-drained
	return err
}

func (r *rig) connect(t testing.TB, link tun.Device, wire conn.Bind, settings string) *device.Device {
	t.Helper()
	d := device.NewDevice(link, wire, device.NewLogger(device.LogLevelSilent, ""))
	t.Cleanup(d.Close)
	if err := d.IpcSet(settings); err != nil {
		t.Fatal(err)
	}
	if err := d.Up(); err != nil {
		t.Fatal(err)
	}
	return d
}

// bare is a client without a network stack: the test makes its packets.
type bare struct {
	out    chan []byte // what it sends
	in     chan []byte // what comes to it; what nobody takes is lost
	closed chan struct{}
	once   sync.Once
	events chan tun.Event
	device *device.Device
}

func (r *rig) bare(t testing.TB, settings string) *bare {
	return r.bareOver(t, conn.NewStdNetBind(), settings)
}

func (r *rig) bareOver(t testing.TB, wire conn.Bind, settings string) *bare {
	b := &bare{out: make(chan []byte, 256), in: make(chan []byte, 4096), closed: make(chan struct{}), events: make(chan tun.Event)}
	b.device = r.connect(t, b, wire, settings)
	return b
}

func (b *bare) File() *os.File           { return nil }
func (b *bare) Name() (string, error)    { return "bare", nil }
func (b *bare) MTU() (int, error)        { return MTU, nil }
func (b *bare) Events() <-chan tun.Event { return b.events }
func (b *bare) BatchSize() int           { return 128 }
func (b *bare) Close() error {
	b.once.Do(func() { close(b.closed); close(b.events) })
	return nil
}

func (b *bare) Read(bufs [][]byte, sizes []int, offset int) (n int, err error) {
	select {
	case p := <-b.out:
		sizes[0] = copy(bufs[0][offset:], p)
	case <-b.closed:
		return 0, os.ErrClosed
	}
	for n = 1; n < len(bufs); n++ {
		select {
		case p := <-b.out:
			sizes[n] = copy(bufs[n][offset:], p)
		default:
			return n, nil
		}
	}
	return n, nil
}

func (b *bare) Write(bufs [][]byte, offset int) (int, error) {
	for _, p := range bufs {
		select {
		case b.in <- append([]byte(nil), p[offset:]...):
		default:
		}
	}
	return len(bufs), nil
}

// next returns the next packet that came to the client.
func (b *bare) next(t testing.TB) []byte {
	t.Helper()
	select {
	case p := <-b.in:
		return p
	case <-time.After(patience):
		t.Fatal("nothing came to the device")
		return nil
	}
}

// until waits for a condition.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// balanced waits until the books of the tunnel balance.
func (r *rig) balanced(t testing.TB) coverage.Ledger {
	t.Helper()
	var l coverage.Ledger
	until(t, "the books balance", func() bool { l = r.Ledger(); return l.Balanced() && len(nonZero(l.UnderWay)) == 0 })
	return l
}

func nonZero(m map[coverage.Class]coverage.Amount) map[coverage.Class]coverage.Amount {
	maps.DeleteFunc(m, func(_ coverage.Class, a coverage.Amount) bool { return a == coverage.Amount{} })
	return m
}

// noted waits for a note.
func (r *rig) noted(t testing.TB, want string) {
	t.Helper()
	select {
	case got := <-r.notes:
		if got != want {
			t.Errorf("noted %q, want %q", got, want)
		}
	case <-time.After(patience):
		t.Errorf("nothing was noted, want %q", want)
	}
}

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// roundTrip sends a text over a connection that echoes it.
func roundTrip(t testing.TB, c net.Conn, text string) {
	t.Helper()
	c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
		t.Fatalf("got %.40q, %v", got, err)
	}
}

// datagramFrom is a packet with a datagram.
func datagramFrom(from netip.Addr, to, payload string) []byte {
	dst := addr(to)
	return buildPackets(from, dst.Addr(), protoUDP, buildUDP(netip.AddrPortFrom(from, 4000), dst, []byte(payload)))[0]
}

func isRefused(err error) bool { return err != nil && strings.Contains(err.Error(), "refused") }
