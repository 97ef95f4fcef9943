package tui

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"telltale/coverage"
	"telltale/flow"
	"telltale/flow/flowtest"
)

// privateKey must never be on the screen as text.
const privateKey = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="

// testTunnel is a tunnel with these devices, which can be added to. Its codes have the
// size of real ones.
func testTunnel(names ...string) *Tunnel {
	code := make([]string, 36)
	for i := range code {
		var b strings.Builder
		for j := range 71 {
			b.WriteRune([]rune(" ▀▄█")[(i*7+j*5+i*j)%4])
		}
		code[i] = b.String()
	}
	return &Tunnel{
		Devices: func(at Place) (devices []TunnelDevice) {
			for i, name := range names {
				endpoint, addr := at.Host+":51820", "10.84.0."+string(rune('2'+i))
				devices = append(devices, TunnelDevice{
					Name: name, Addr: addr, Endpoint: endpoint, File: "wireguard/" + name + ".conf", QR: code, QRInverse: code,
					Config: "[Interface]\nPrivateKey = " + privateKey + "\nAddress = " + addr + "/32, fd00:7e::2/128\nDNS = 10.84.0.1\n\n" +
						"[Peer]\nPublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\nAllowedIPs = 0.0.0.0/0, ::/0\nEndpoint = " + endpoint + "\n",
				})
			}
			if len(devices) > 1 {
				devices[1].Handshake = "12 s ago"
			}
			return devices
		},
		AddDevice: func(name string) error {
			if slices.Contains(names, name) {
				return errors.New("there is a device of that name: " + name)
			}
			names = append(names, name)
			return nil
		},
	}
}

// withTunnel is an audit with a tunnel beside the proxy.
func withTunnel(flows []*flow.Flow, names ...string) func() setting {
	return func() setting {
		return setting{flows: flows, change: func(c *Config) {
			c.Connect.Tunnel = testTunnel(names...)
			c.Modes = func() []string { return []string{"http", "wireguard"} }
		}}
	}
}

// fromTunnel is a device that came through the tunnel.
func fromTunnel(f *flow.Flow) *flow.Flow {
	f.Mode, f.Client.Addr, f.Client.Device = "wireguard", netip.MustParseAddrPort("10.84.0.3:50000"), "tablet"
	return f
}

// books are those of a tunnel, of which so many connections have no row.
func books(missing int64) coverage.Ledger {
	return coverage.Ledger{
		Mode:     "wireguard",
		Received: map[coverage.Class]coverage.Amount{coverage.TCP: {Units: 120}, coverage.UDP: {Units: 2400, Bytes: 310_000}},
		Recorded: map[coverage.Class]coverage.Amount{coverage.TCP: {Units: 118 - missing}, coverage.UDP: {Units: 2400, Bytes: 310_000}},
		UnderWay: map[coverage.Class]coverage.Amount{coverage.TCP: {Units: 2}},
	}
}

// seesBooks lets the model know the books of that moment.
func (r *rig) seesBooks(after time.Duration, l coverage.Ledger) *rig {
	r.t.Helper()
	n := r.m.feed.read().(newsMsg)
	n.at = noon.Add(after)
	n.sum.Health.Ledgers = []coverage.Ledger{l}
	r.send(n)
	return r
}

var tunnelPictures = []picture{
	{"tunnel-no-device", withTunnel(nil), press("c")},
	{"tunnel", withTunnel(nil, "phone of Zoë"), press("c")},
	{"tunnel-second", withTunnel(nil, "phone of Zoë", "tablet"), press("c", "d")},
	{"tunnel-connected", withTunnel([]*flow.Flow{fromTunnel(flowtest.Get("https://www.canada.ca/"))}, "phone of Zoë", "tablet"),
		func(r *rig) { r.press("c", "d").seesBooks(0, books(0)) }},
	{"tunnel-proxy", withTunnel(nil, "phone of Zoë"), press("c", "t")},
	{"tunnel-add", withTunnel(nil, "phone of Zoë"), func(r *rig) { r.press("c", "A").typeText("old tablet") }},
	{"tunnel-hostile", withTunnel(nil, hostile), press("c")},
	{"coverage", withTunnel(nil, "phone of Zoë"), func(r *rig) { r.seesBooks(0, books(0)).press("v") }},
	{"coverage-missing", withTunnel(nil, "phone of Zoë"), func(r *rig) {
		r.press("1").seesBooks(0, books(3)).seesBooks(settling, books(3)).press("v")
	}},
	{"coverage-unknown", withNothing, press("1", "v")},
}

func TestTunnelPictures(t *testing.T) {
	t.Parallel()
	for _, p := range tunnelPictures {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			s := p.start()
			s.file = "telltale.yaml"
			r := newRig(t, s)
			p.to(r)
			var b strings.Builder
			for _, size := range []struct{ w, h int }{{80, 24}, {120, 40}, {130, 44}, {60, 20}, {40, 10}} {
				r.resize(size.w, size.h)
				writeScreen(&b, size.w, size.h, r)
			}
			if strings.Contains(b.String(), privateKey[:20]) {
				t.Error("the private key stands on the screen")
			}
			compare(t, p.name, b.String())
		})
	}
}

func TestTunnelIsCopied(t *testing.T) {
	t.Parallel()
	r := newRig(t, withTunnel(nil, "phone", "tablet")())
	r.press("c", "d", "y")
	if len(r.copied) != 1 || !strings.Contains(r.copied[0], privateKey) || !strings.Contains(r.copied[0], "10.84.0.3/32") {
		t.Fatalf("copied %q", r.copied)
	}
	r.sees("copied: the configuration of tablet")
	r.seesNot(privateKey)
	r.press("t", "y")
	if len(r.copied) != 1 {
		t.Errorf("the proxy's view copied %q", r.copied[1:])
	}
}

func TestDeviceIsAddedToTheTunnel(t *testing.T) {
	t.Parallel()
	r := newRig(t, withTunnel(nil, "phone")())
	r.press("c", "A", "enter")
	r.sees("write a name")
	r.typeText("tablet").press("enter")
	r.sees("Device  tablet  10.84.0.3", "2 of 2")
	r.press("A").typeText("phone").press("enter")
	r.sees("! there is a device of that name: phone", "name  phone", "Device  tablet")
	r.typeText(" of Zoe").press("esc") // the form is open, with what was typed
	r.seesNot("there is a device of that name")
	r.press("A").typeText("phone").press("enter").typeText("-2").press("enter")
	r.sees("Device  phone-2")
	r.press("d", "d") // back to the second
	r.press("n")      // another address of this machine, the same device
	r.sees("10.0.0.7:51820", "Device  tablet")
}

func TestWithoutTunnel(t *testing.T) {
	t.Parallel()
	r := newRig(t, withNothing())
	for _, key := range []string{"t", "A"} {
		r.press("c", key)
		r.sees("--wireguard opens one")
	}
	r.press("d")
	r.sees("no other device")
	r = newRig(t, setting{change: func(c *Config) { c.Connect.Tunnel = testTunnel("phone"); c.Connect.Tunnel.AddDevice = nil }})
	r.press("c", "A")
	r.sees("telltale setup wireguard add")
}

// Flows are seen before the books have them: that is not nothing.
func TestBooksThatComeLater(t *testing.T) {
	t.Parallel()
	r := newRig(t, withTunnel([]*flow.Flow{fromTunnel(flowtest.Get("https://www.canada.ca/"))}, "phone", "tablet")())
	r.press("c").seesBooks(0, coverage.Ledger{Mode: "wireguard"})
	r.press("v").sees("Counting: what came in")
	r.seesNot("Nothing came")
	r = newRig(t, withTunnel(nil, "phone", "tablet")())
	r.press("c").seesBooks(0, coverage.Ledger{Mode: "wireguard"})
	r.press("v").sees("Nothing came through the WireGuard tunnel")
}

// Packets on their way to a row are no gap; what stays away is.
func TestBooksThatDoNotBalance(t *testing.T) {
	t.Parallel()
	r := newRig(t, withTunnel(story(), "phone")())
	r.press("1")
	r.seesBooks(0, books(3)).seesNot("unaccounted")
	r.press("v").sees("Counting")
	r.press("x").seesBooks(settling-1, books(2)).seesNot("unaccounted")
	r.seesBooks(settling, books(0)).seesNot("unaccounted")
	r.seesBooks(settling+1, books(1)).seesNot("unaccounted")
	r.seesBooks(2*settling+1, books(1)).sees("! 1 unaccounted for (v)")
	r.press("v").sees("Not everything that devices sent through the WireGuard tunnel")

	s := recorded(story())
	r = newRig(t, s)
	r.seesBooks(0, books(1)).sees("! 1 unaccounted for (v)")
}

func TestQuestionsAreHidden(t *testing.T) {
	t.Parallel()
	question := flowtest.Get("https://questions.example/")
	question.Kind, question.Request, question.Response = flow.DNS, nil, nil
	question.Server.Asked = "questions.example:53"
	r := newRig(t, setting{flows: flowtest.Number(flowtest.Get("https://answers.example/"), question)})
	r.press("3").sees("questions.example", "answers.example")
	r.press("h").seesNot("questions.example")
	r.sees("answers.example", "no DNS")
	r.press("2").seesNot("questions.example")
	r.press("/").typeText("example").press("enter", "3").seesNot("questions.example")
	r.sees("no DNS", "/example")
	r.press("esc").seesNot("/example")
	r.press("esc").sees("questions.example")

	r = newRig(t, setting{flows: flowtest.Number(question)})
	r.press("3", "h").sees("Nothing but questions of DNS")
}
