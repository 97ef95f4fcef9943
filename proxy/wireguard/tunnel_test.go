package wireguard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.zx2c4.com/wireguard/conn"

	"telltale/coverage"
	"telltale/guard/raced"
	"telltale/proxy"
)

func TestConnectionsToAnyAddress(t *testing.T) {
	for _, listen := range []string{":0", "127.0.0.1:0", "[::1]:0"} {
		t.Run(listen, func(t *testing.T) {
			r := open(t, listen)
			r.onArrive(echo)
			p := r.first(t)
			phone := r.phone(t, p)
			for _, to := range []string{"203.0.113.7:443", "8.8.8.8:5223", "10.0.0.1:1", "[2001:db8::99]:65535", "[2606:4700::1111]:80"} {
				c, err := phone.DialTCPAddrPort(addr(to))
				if err != nil {
					t.Fatalf("%s: %v", to, err)
				}
				roundTrip(t, c, "hello "+to)
				local := c.LocalAddr().(*net.TCPAddr)
				c.Close()
				arrived := r.arrived()
				a := arrived[len(arrived)-1]
				want := netip.AddrPortFrom(p.IPv4, uint16(local.Port))
				if a.Destination != addr(to) || a.Client != want || a.Device != FirstPeer || a.Way != r.Way() || a.Asked != "" || a.Conn != nil {
					t.Errorf("arrival %+v", a)
				}
			}
			l := r.balanced(t)
			if got := l.Recorded[coverage.TCP].Units; got != 5 || !l.Complete() {
				t.Errorf("%d connections recorded, ledger %+v", got, l)
			}
		})
	}
}

func TestConnectionWaitsForTheServer(t *testing.T) {
	r := open(t, "127.0.0.1:0")
	arrived, answer := make(chan struct{}), make(chan struct{})
	r.onArrive(func(a proxy.Arrival) {
		close(arrived)
		<-answer
		echo(a)
	})
	phone := r.phone(t, r.first(t))
	dialled := make(chan error, 1)
	go func() {
		c, err := phone.DialTCPAddrPort(addr("203.0.113.7:443"))
		if err == nil {
			c.Close()
		}
		dialled <- err
	}()
	<-arrived
	until(t, "the connection is under way", func() bool { return r.Ledger().UnderWay[coverage.TCP].Units == 1 })
	select {
	case err := <-dialled:
		t.Fatalf("answered before the server was reached: %v", err)
	default:
	}
	close(answer)
	if err := <-dialled; err != nil {
		t.Fatal(err)
	}
	r.balanced(t)
}

func TestConnectionRefused(t *testing.T) {
	r := open(t, "127.0.0.1:0")
	var second error
	r.onArrive(func(a proxy.Arrival) {
		if a.Destination.Port() == 81 {
			return // without a word
		}
		a.Refuse(errors.New("nobody is there"))
		a.Refuse(nil) // does no harm
		_, second = a.Accept()
	})
	phone := r.phone(t, r.first(t))
	for _, to := range []string{"203.0.113.7:80", "[2001:db8::1]:80", "203.0.113.7:81"} {
		if _, err := phone.DialTCPAddrPort(addr(to)); !isRefused(err) {
			t.Errorf("%s: %v, want a refusal", to, err)
		}
	}
	r.balanced(t)
	if !errors.Is(second, errAnswered) {
		t.Errorf("accepted after a refusal: %v", second)
	}
}

func TestClientGivesUp(t *testing.T) {
	r := open(t, "127.0.0.1:0")
	gone, result := make(chan struct{}), make(chan error, 1)
	r.onArrive(func(a proxy.Arrival) {
		<-gone
		_, err := a.Accept()
		result <- err
	})
	phone := r.phone(t, r.first(t))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		phone.DialContextTCPAddrPort(ctx, addr("203.0.113.7:80"))
	}()
	until(t, "it arrives", func() bool { return len(r.arrived()) == 1 })
	cancel()
	<-done
	close(gone)
	if err := <-result; err == nil {
		t.Error("a connection without a client was accepted")
	}
	r.balanced(t)
}

func TestHalfClose(t *testing.T) {
	r := open(t, "127.0.0.1:0")
	r.onArrive(func(a proxy.Arrival) {
		c, _ := a.Accept()
		defer c.Close()
		all, _ := io.ReadAll(c)
		c.Write(bytes.ToUpper(all))
	})
	c, err := r.phone(t, r.first(t)).DialTCPAddrPort(addr("203.0.113.7:80"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	io.WriteString(c, "last words")
	c.CloseWrite()
	if got, err := io.ReadAll(c); string(got) != "LAST WORDS" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// What is larger than any queue or buffer arrives whole, both ways at once.
func TestMuchData(t *testing.T) {
	r := open(t, ":0")
	r.onArrive(echo)
	for _, to := range []string{"203.0.113.7:80", "[2001:db8::1]:80"} {
		c, err := r.phone(t, r.first(t)).DialTCPAddrPort(addr(to))
		if err != nil {
			t.Fatal(err)
		}
		sent := make([]byte, raced.Size(8<<20, 1<<20)+333)
		for i := range sent {
			sent[i] = byte(i * i >> 7)
		}
		go func() { c.Write(sent); c.CloseWrite() }()
		if got, err := io.ReadAll(c); !bytes.Equal(got, sent) || err != nil {
			t.Errorf("%s: %d bytes came back of %d, the same: %v, %v", to, len(got), len(sent), bytes.Equal(got, sent), err)
		}
		c.Close()
	}
	r.balanced(t)
}

func TestDatagrams(t *testing.T) {
	r := open(t, "127.0.0.1:0")
	p := r.first(t)
	got := make(chan proxy.Datagram, 10)
	r.onReceive(func(d proxy.Datagram) {
		d.Payload = bytes.Clone(d.Payload)
		d.Answer(append([]byte("re: "), d.Payload...))
		got <- d
	})
	phone := r.phone(t, p)
	for _, to := range []string{"203.0.113.7:123", "[2001:db8::7]:123", "[2001:db8::7]:53"} {
		for _, size := range []int{0, 1, 48, 1392, 1393, 8000} {
			c, err := phone.DialUDPAddrPort(netip.AddrPort{}, addr(to))
			if err != nil {
				t.Fatal(err)
			}
			c.SetDeadline(time.Now().Add(patience))
			payload := bytes.Repeat([]byte("x"), size)
			if _, err := c.Write(payload); err != nil {
				t.Fatal(err)
			}
			answer := make([]byte, 10_000)
			n, err := c.Read(answer)
			if err != nil || string(answer[:n]) != "re: "+string(payload) {
				t.Fatalf("%s, %d bytes: %d came back, %v", to, size, n, err)
			}
			d := <-got
			if d.Destination != addr(to) || d.Client.Addr() != p.IPv4 || d.Device != FirstPeer || d.Way != r.Way() || len(d.Payload) != size {
				t.Errorf("datagram %+v", d)
			}
			c.Close()
		}
	}
	l := r.balanced(t)
	if want := (coverage.Amount{Units: 18, Bytes: 3 * (1 + 48 + 1392 + 1393 + 8000)}); l.Received[coverage.UDP] != want || !l.Complete() {
		t.Errorf("received %+v, want %+v", l.Received[coverage.UDP], want)
	}
}

func TestTwoDevices(t *testing.T) {
	r := open(t, "127.0.0.1:0")
	r.onArrive(echo)
	second, err := r.Add("tablet")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []Peer{r.first(t), second} {
		c, err := r.phone(t, p).DialTCPAddrPort(addr("[2001:db8::1]:443"))
		if err != nil {
			t.Fatal(err)
		}
		roundTrip(t, c, "I am "+p.Name)
		c.Close()
		arrived := r.arrived()
		if a := arrived[len(arrived)-1]; a.Device != p.Name || a.Client.Addr() != p.IPv4 {
			t.Errorf("%s: arrival of %s from %s", p, a.Device, a.Client)
		}
	}
	status, err := r.Peers()
	if err != nil || len(status) != 2 {
		t.Fatal(status, err)
	}
	for _, s := range status {
		if s.LastHandshake.IsZero() || time.Since(s.LastHandshake) > time.Minute || s.Received < 400 || s.Sent < 200 || s.Endpoint.Addr() != netip.MustParseAddr("127.0.0.1") {
			t.Errorf("%s: %+v", s.Name, s)
		}
	}
}

// A device that is removed, here or by another process, is shut out with what it has
// open; the others stay.
func TestRemoveDevice(t *testing.T) {
	r := open(t, "127.0.0.1:0")
	r.onArrive(echo)
	elsewhere, err := Open(r.Book().Folder())
	if err != nil {
		t.Fatal(err)
	}
	added, err := elsewhere.Add("tablet")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Sync(); err != nil {
		t.Fatal(err)
	}
	var conns []net.Conn
	for _, p := range []Peer{r.first(t), added} {
		c, err := r.phone(t, p).DialTCPAddrPort(addr("203.0.113.1:443"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		roundTrip(t, c, "in")
		conns = append(conns, c)
	}
	if err := elsewhere.Remove("tablet"); err != nil {
		t.Fatal(err)
	}
	// Nobody calls Sync: the tunnel looks by itself.
	until(t, "the tunnel forgets the tablet", func() bool { s, _ := r.Peers(); return len(s) == 1 })
	until(t, "its connection ends", func() bool { l := r.Ledger(); return l.UnderWay[coverage.TCP].Units == 1 })
	roundTrip(t, conns[0], "still in")
	// Its key and addresses are of no use any more; the next device gets new ones.
	again, err := r.Add("tablet")
	if err != nil || again.PublicKey == added.PublicKey || again.IPv4 == added.IPv4 {
		t.Errorf("added again: %v, %v", again, err)
	}
	if text, err := r.device.IpcGet(); err != nil || strings.Contains(text, added.PublicKey.hex()) || !strings.Contains(text, again.PublicKey.hex()) {
		t.Errorf("peers: %s, %v", text, err)
	}
}

// A phone that changes its network comes from another address and port.
func TestRoaming(t *testing.T) {
	r := open(t, "127.0.0.1:0")
	r.onReceive(func(d proxy.Datagram) { d.Answer(d.Payload) })
	b := r.bare(t, r.clientSettings(r.first(t)))
	ping := func() netip.AddrPort {
		b.out <- datagramFrom(r.first(t).IPv4, "203.0.113.1:7", "ping")
		b.next(t)
		s, err := r.Peers()
		if err != nil {
			t.Fatal(err)
		}
		return s[0].Endpoint
	}
	before := ping()
	if err := b.device.IpcSet("listen_port=0\n"); err != nil {
		t.Fatal(err)
	}
	if after := ping(); after == before || after.Port() == 0 {
		t.Errorf("endpoint %s after %s", after, before)
	}
}

func TestPortTaken(t *testing.T) {
	r := open(t, ":0")
	book, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, listen := range []string{r.Addr().String(), netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), r.Addr().Port()).String()} {
		_, err = Listen(Options{Book: book, Addr: listen, Proxy: r.recorder})
		var listenError *ListenError
		if !errors.As(err, &listenError) || !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(listenError.Hint(), ":51821") || !strings.Contains(err.Error(), listen) {
			t.Errorf("%s: %v", listen, err)
		}
	}
	for _, listen := range []string{"nonsense", "example.org:51820", ":99999", "192.0.2.1:0"} {
		_, err := Listen(Options{Book: book, Addr: listen, Proxy: r.recorder})
		if listenError := (*ListenError)(nil); !errors.As(err, &listenError) || !strings.Contains(err.Error(), listen) || listenError.Hint() == "" {
			t.Errorf("%s: %v", listen, err)
		}
	}
	if book.Port() != DefaultPort {
		t.Errorf("the book has port %d of a tunnel that was never open", book.Port())
	}
	if r.Book().Port() != DefaultPort {
		t.Errorf("the book keeps port %d, which was free by chance", r.Book().Port())
	}
	at := r.Addr().Port()
	_, err = Listen(Options{Book: r.Book(), Addr: "127.0.0.1:0", Proxy: r.recorder})
	if folderError := (*FolderError)(nil); !errors.As(err, &folderError) || folderError.Hint() == "" || !strings.Contains(err.Error(), "in use") {
		t.Errorf("two tunnels with one book: %v", err)
	}
	r.Close()
	again, err := Listen(Options{Book: r.Book(), Addr: fmt.Sprintf(":%d", at), Proxy: r.recorder})
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	if r.Book().Port() != at {
		t.Errorf("the book has port %d, the tunnel was asked for %d", r.Book().Port(), at)
	}
}

func TestStrangers(t *testing.T) {
	r := open(t, "127.0.0.1:0")
	wrong, err := newPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	p := r.first(t)
	p.private = wrong
	b := r.bare(t, r.clientSettings(p))
	b.out <- datagramFrom(p.IPv4, "203.0.113.1:7", "let me in")
	until(t, "the handshake is refused", func() bool { return r.Outside().Strangers > 0 })
	r.noted(t, noteStranger)
	if l := r.Ledger(); !l.Empty() {
		t.Errorf("received %+v", l)
	}
	if s, err := r.Peers(); err != nil || !s[0].LastHandshake.IsZero() {
		t.Errorf("%+v, %v", s, err)
	}
}

// tap keeps what a client sends on the wire.
type tap struct {
	conn.Bind
	sent chan []byte
}

func (w *tap) Send(bufs [][]byte, to conn.Endpoint) error {
	for _, b := range bufs {
		select {
		case w.sent <- bytes.Clone(b):
		default:
		}
	}
	return w.Bind.Send(bufs, to)
}

// Who saw a device's packets can send them again, and gets nowhere.
func TestReplay(t *testing.T) {
	r := open(t, "127.0.0.1:0")
	r.onReceive(func(d proxy.Datagram) { d.Answer(d.Payload) })
	wire := &tap{conn.NewStdNetBind(), make(chan []byte, 100)}
	b := r.bareOver(t, wire, r.clientSettings(r.first(t)))
	b.out <- datagramFrom(r.first(t).IPv4, "203.0.113.1:7", "once")
	b.next(t)
	before, _ := r.Peers()
	attacker, err := net.Dial("udp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), r.Addr().Port()).String())
	if err != nil {
		t.Fatal(err)
	}
	defer attacker.Close()
	initiation := <-wire.sent
	if initiation[0] != 1 {
		t.Fatalf("the first message is of type %d", initiation[0])
	}
	attacker.Write(initiation)
	for range len(wire.sent) {
		attacker.Write(<-wire.sent)
	}
	until(t, "the replay is noticed", func() bool { return r.Outside().Strangers == 1 })
	r.noted(t, noteStranger)
	for _, garbage := range [][]byte{{}, {1}, []byte("GET / HTTP/1.1\r\n\r\n"), bytes.Repeat([]byte{0xff}, 1500),
		append([]byte{1, 0, 0, 0}, make([]byte, 100)...), append([]byte{4, 0, 0, 0}, make([]byte, 60)...)} {
		attacker.Write(garbage)
	}
	attacker.Write(append([]byte{1, 0, 0, 0}, make([]byte, 144)...)) // a first message for nobody
	attacker.Write(append([]byte{2, 0, 0, 0}, make([]byte, 88)...))  // an answer to nobody
	until(t, "garbage is counted", func() bool { return r.Outside().Foreign == 4 && r.Outside().Strangers == 3 })
	r.noted(t, noteForeign)
	b.out <- datagramFrom(r.first(t).IPv4, "203.0.113.1:7", "twice")
	b.next(t)
	if after, _ := r.Peers(); after[0].Endpoint != before[0].Endpoint {
		t.Errorf("the attacker at %s is taken for the device at %s", after[0].Endpoint, before[0].Endpoint)
	}
	if got := r.Outside().Unread; got < 2 { // the device's datagram and the forged one
		t.Errorf("%d messages could not be read, want at least 2", got)
	}
	if l := r.balanced(t); l.Recorded[coverage.UDP].Units != 2 {
		t.Errorf("recorded %+v, want the two datagrams of the device", l.Recorded)
	}
}
