// Package phone is a device at the other end of the tunnel, for tests and measurements:
// wireguard-go with the network stack that comes with it, set up by the configuration
// that telltale hands out.
//
// It knows wg-quick's format as far as that configuration goes and shares no code with
// the end that it talks to, so that it cannot make the same mistake. It needs no root
// and no device of the kernel.
package phone

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"

	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/tun/netstack"
)

// mtu is that of the WireGuard apps where the configuration names none.
const mtu = 1420

// A Phone is a device in the tunnel.
type Phone struct {
	Net       *netstack.Net // its programs open connections here
	Addresses []netip.Addr  // of the configuration, as are
	Resolvers []netip.Addr
	device    *device.Device
}

// Open connects a phone with a configuration in wg-quick's format.
func Open(config string) (*Phone, error) {
	c, err := parse(config)
	if err != nil {
		return nil, err
	}
	link, stack, err := netstack.CreateNetTUN(c.addresses, c.resolvers, mtu)
	if err != nil {
		return nil, fmt.Errorf("phone: making its network: %w", err)
	}
	d := device.NewDevice(link, conn.NewDefaultBind(), device.NewLogger(device.LogLevelSilent, ""))
	if err := d.IpcSet(c.uapi.String()); err != nil {
		d.Close()
		return nil, fmt.Errorf("phone: taking its configuration: %w", err)
	}
	if err := d.Up(); err != nil {
		d.Close()
		return nil, fmt.Errorf("phone: switching the tunnel on: %w", err)
	}
	return &Phone{Net: stack, Addresses: c.addresses, Resolvers: c.resolvers, device: d}, nil
}

// Close switches the tunnel off.
func (p *Phone) Close() { p.device.Close() }

// configuration is what a file says, the rest as wireguard-go takes it
// (https://www.wireguard.com/xplatform/).
type configuration struct {
	addresses, resolvers []netip.Addr
	uapi                 strings.Builder
}

// parse reads the keys of wg-quick(8) and wg(8) that a client's configuration has.
func parse(text string) (*configuration, error) {
	c := &configuration{}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		key, value, ok := strings.Cut(lines.Text(), "=")
		if !ok {
			continue // a heading, or empty
		}
		if err := c.set(strings.TrimSpace(key), strings.TrimSpace(value)); err != nil {
			return nil, fmt.Errorf("phone: %s: %w", strings.TrimSpace(key), err)
		}
	}
	if len(c.addresses) == 0 {
		return nil, fmt.Errorf("phone: the configuration has no Address")
	}
	return c, nil
}

func (c *configuration) set(key, value string) error {
	switch key {
	case "Address":
		return each(value, func(s string) error {
			p, err := netip.ParsePrefix(s)
			c.addresses = append(c.addresses, p.Addr())
			return err
		})
	case "DNS":
		return each(value, func(s string) error {
			a, err := netip.ParseAddr(s)
			c.resolvers = append(c.resolvers, a)
			return err
		})
	case "AllowedIPs":
		return each(value, func(s string) error {
			fmt.Fprintf(&c.uapi, "allowed_ip=%s\n", s)
			return nil
		})
	case "ListenPort":
		fmt.Fprintf(&c.uapi, "listen_port=%s\n", value)
	case "Endpoint":
		fmt.Fprintf(&c.uapi, "endpoint=%s\n", value)
	case "PrivateKey", "PublicKey", "PresharedKey":
		raw, err := base64.StdEncoding.DecodeString(value)
		name := map[string]string{"PrivateKey": "private_key", "PublicKey": "public_key", "PresharedKey": "preshared_key"}[key]
		fmt.Fprintf(&c.uapi, "%s=%s\n", name, hex.EncodeToString(raw))
		return err
	}
	return nil
}

// each calls f for the parts of a list.
func each(list string, f func(string) error) error {
	for s := range strings.SplitSeq(list, ",") {
		if err := f(strings.TrimSpace(s)); err != nil {
			return err
		}
	}
	return nil
}
