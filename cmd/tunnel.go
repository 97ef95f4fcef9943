package cmd

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"telltale/capture"
	"telltale/proxy/wireguard"
	"telltale/setup"
	"telltale/tui"
)

// tunnelWay is the WireGuard way in of an audit.
type tunnelWay struct {
	book     *wireguard.Book
	tunnel   *wireguard.Tunnel
	opened   chan struct{} // closed when tunnel is set: the page may be asked through it before
	only     string        // the one address of this machine at which it is reached; "": all
	config   string        // path of the first device's configuration
	endpoint string        // HOST:PORT in it

	making sync.Mutex             // of keys by the page
	made   map[wireguard.Key]bool // by the page in this audit; guarded by making

	mu    sync.Mutex                  // of what follows
	shown map[string]tui.TunnelDevice // devices with their codes, by the text of their configuration
	files map[string]string           // configurations that were written, by the device
}

// openKeys reads the tunnel's keys, or makes them, and tries its port.
func (w *wayFlags) openKeys() (*tunnelWay, error) {
	tried, err := net.ListenPacket("udp", w.wireguard.at)
	if err != nil {
		return nil, w.wireguard.trouble(err)
	}
	at := tried.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
	tried.Close()
	book, err := wireguard.Open(tunnelFolder(w.keys))
	if err != nil {
		return nil, err
	}
	t := &tunnelWay{book: book, opened: make(chan struct{}), shown: map[string]tui.TunnelDevice{}, files: map[string]string{}}
	if !at.IsUnspecified() {
		t.only = at.WithZone("").String()
	}
	return t, nil
}

// openTunnel opens the tunnel and writes the configuration of the first device.
func (a *audit) openTunnel(s *streams) (err error) {
	t := a.ways.tunnel
	if t == nil {
		return nil
	}
	t.tunnel, err = wireguard.Listen(wireguard.Options{
		Book: t.book, Addr: a.flags.ways.wireguard.at, Proxy: a.proxy, Log: toolLog(s), Note: a.store.Note,
		NamedOnly: a.flags.namedOnly(),
	})
	if err != nil {
		return err
	}
	close(t.opened)
	first, err := peerNamed(t.book, "")
	if err == nil {
		t.endpoint = t.reachedAt(likeliestHost())
		t.config, err = t.write(first)
	}
	if err != nil {
		t.tunnel.Close()
		return err
	}
	a.closeWays = t.keepLedger(a.store)
	return nil
}

// write writes the configuration of a device into a file.
func (t *tunnelWay) write(peer wireguard.Peer) (path string, err error) {
	if path, err = t.book.WriteConfig(peer, t.endpoint); err == nil {
		t.mu.Lock()
		t.files[peer.Name] = path
		t.mu.Unlock()
	}
	return path, err
}

// likeliestHost is the address of this machine that a device in its network reaches,
// and programs on it too; loopback where there is no network.
func likeliestHost() string {
	if hosts, err := setup.Addresses(); err == nil && len(hosts) > 0 {
		return hosts[0]
	}
	return "127.0.0.1"
}

// reachedAt returns HOST:PORT of the tunnel for a device that reaches this machine at
// host. A tunnel at one address is reached there alone, and none from inside of it.
func (t *tunnelWay) reachedAt(host string) string {
	if at, err := netip.ParseAddr(host); err == nil && slices.Contains(t.book.Own(), at) {
		host = likeliestHost()
	}
	port := t.book.Port()
	select {
	case <-t.opened:
		port = t.tunnel.Addr().Port() // another audit may have had the keys since
	default:
	}
	return hostPort(cmp.Or(t.only, host), port)
}

// ledgerEvery is how often the books of the tunnel go into the capture, so that they
// are there when telltale crashes.
const ledgerEvery = time.Second

// keepLedger writes the books of the tunnel into the capture until it is stopped, the
// first time at once, so that a capture tells that it has them; what stops it closes the
// tunnel and writes them a last time.
func (t *tunnelWay) keepLedger(store *capture.Store) (stop func()) {
	store.SetLedger(t.tunnel.Ledger())
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(ledgerEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				store.SetLedger(t.tunnel.Ledger())
			case <-done:
				return
			}
		}
	}()
	return func() {
		close(done)
		<-ended
		t.tunnel.Close()
		store.SetLedger(t.tunnel.Ledger().Closed())
	}
}

// has reports whether an address is that of a device in the tunnel.
func (t *tunnelWay) has(addr string) bool {
	at, err := netip.ParseAddr(addr)
	return t != nil && err == nil && slices.ContainsFunc(t.book.Peers(), sends(at))
}

// sends returns what reports whether an address in the tunnel is that of a peer.
func sends(from netip.Addr) func(wireguard.Peer) bool {
	return func(p wireguard.Peer) bool { return from == p.IPv4 || from == p.IPv6 }
}

// forScreen is the tunnel as the screen shows it; nil where it is off.
func (t *tunnelWay) forScreen() *tui.Tunnel {
	if t == nil {
		return nil
	}
	return &tui.Tunnel{
		Devices: func(at tui.Place) []tui.TunnelDevice {
			peers, err := t.tunnel.Peers()
			if err != nil {
				return nil // the tunnel has ended
			}
			var devices []tui.TunnelDevice
			for _, peer := range peers {
				devices = append(devices, t.device(peer, t.reachedAt(at.Host), time.Now()))
			}
			return devices
		},
		AddDevice: func(name string) error {
			peer, err := t.tunnel.Add(name)
			if err == nil {
				_, err = t.write(peer)
			}
			return err
		},
	}
}

// device returns a peer for the screen, with the code of its configuration.
func (t *tunnelWay) device(peer wireguard.PeerStatus, endpoint string, now time.Time) tui.TunnelDevice {
	config := string(t.book.Config(peer.Peer, endpoint))
	t.mu.Lock()
	defer t.mu.Unlock()
	d, drawn := t.shown[config]
	if !drawn {
		d = tui.TunnelDevice{Name: peer.Name, Addr: peer.IPv4.String(), Endpoint: endpoint, Config: config}
		if code, err := setup.QR(config); err == nil {
			d.QR, d.QRInverse = code.Blocks(2, false), code.Blocks(2, true)
		}
		t.shown[config] = d
	}
	if endpoint == t.endpoint {
		d.File = t.files[peer.Name]
	}
	d.Handshake = ago(peer.LastHandshake, now)
	return d
}

// ago says how long ago a moment was; "" for one that never was.
func ago(moment, now time.Time) string {
	switch since := now.Sub(moment).Round(time.Second); {
	case moment.IsZero():
		return ""
	case since < 2*time.Minute:
		return fmt.Sprintf("%d s ago", max(0, int(since.Seconds())))
	case since < 2*time.Hour:
		return fmt.Sprintf("%d min ago", int(since.Minutes()))
	default:
		return fmt.Sprintf("%d h ago", int(since.Hours()))
	}
}
