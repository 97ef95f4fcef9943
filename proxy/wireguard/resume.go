package wireguard

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"time"

	"golang.zx2c4.com/wireguard/device"
)

// A device that has a session with a telltale which ended goes on sending into it for
// 15 s (whitepaper, section 6.5) before it makes a new one, and all of that is lost. So
// the tunnel remembers where its devices were and begins sessions with them itself.
const (
	endpointsFile = "endpoints.json"
	saveEvery     = time.Minute // a crash loses no more
)

// endpoints reads where the devices were, by name. What cannot be read is not known.
func (b *Book) endpoints() map[string]netip.AddrPort {
	known := map[string]netip.AddrPort{}
	content, _, err := readPrivate(filepath.Join(b.folder, endpointsFile))
	if err != nil || json.Unmarshal(content, &known) != nil {
		return nil
	}
	return known
}

func (b *Book) setEndpoints(known map[string]netip.AddrPort) error {
	content, err := json.Marshal(known)
	if err != nil {
		return err
	}
	unlock, err := lockFolder(b.folder)
	if err != nil {
		return err
	}
	defer unlock()
	return writePrivate(filepath.Join(b.folder, endpointsFile), content)
}

// resume begins sessions with the devices whose place is known.
func (t *Tunnel) resume() {
	t.endpoints = t.book.endpoints()
	for _, p := range t.admitted() {
		at := t.endpoints[p.Name]
		if at.Port() == 0 {
			continue
		}
		err := t.device.IpcSet(fmt.Sprintf("public_key=%s\nupdate_only=true\nendpoint=%s\n", p.PublicKey.hex(), at))
		if known := t.device.LookupPeer(device.NoisePublicKey(p.PublicKey)); err == nil && known != nil {
			err = known.SendHandshakeInitiation(false)
		}
		if err != nil {
			t.log.Debug("the session of a device is not resumed", "device", p.Name, "err", err)
		}
	}
}

// remember keeps where the devices are now, and when visitors were there.
func (t *Tunnel) remember() {
	status, err := t.Peers()
	known := map[string]netip.AddrPort{}
	for _, s := range status {
		if s.Endpoint.IsValid() {
			known[s.Name] = s.Endpoint
		}
	}
	if err == nil {
		err = t.book.setUsed(handshakes(status))
	}
	if err == nil && !maps.Equal(known, t.endpoints) {
		t.endpoints = known
		err = t.book.setEndpoints(known)
	}
	if err != nil {
		t.log.Debug("where the devices of the tunnel are, and since when, is not kept", "err", err)
	}
}
