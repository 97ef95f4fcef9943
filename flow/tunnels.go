package flow

import "net/http"

// Tunnels sees to it that a contact through a CONNECT tunnel counts once. A recorder
// that looks into tunnels writes down the CONNECT and the requests that came through
// it, in any order, and nothing in a file connects the two: what they have in common
// is the place that they lead to. So a CONNECT waits for the end of the file, and is a
// contact of its own only if no request was read inside. The zero value is ready.
//
// Only a CONNECT that a request can have come through waits. One that failed or was
// refused is an attempt of its own, whatever was read of others to the same host: a
// failed contact is a contact. There is one exception: an answer of 407 asks the
// client to say who it is and to come again (RFC 9110, 15.5.8), which is the same
// attempt when it does.
type Tunnels struct {
	inner map[string]bool // places to which a request was read inside of a tunnel
	came  map[string]bool // places to which a CONNECT had another answer than 407
	held  []heldTunnel
	bytes int // memory that the held ones take
}

// heldTunnel is a CONNECT that waits, and the place that it leads to.
type heldTunnel struct {
	flow       *Flow
	place      string
	challenged bool // the answer was 407
}

// The bounds of what Tunnels remembers. What does not fit is a contact too many and
// never one too few.
const (
	maxHeldTunnels  = 64 << 20 // bytes of memory
	maxTunnelPlaces = 100_000
	maxTunnelPlace  = 300 // bytes of host:port; a DNS name has at most 253
)

// Saw remembers a request that was read inside of a TLS connection to host:port.
func (t *Tunnels) Saw(hostPort string) {
	if t.inner[hostPort] {
		return // as most were, which spares the mapping
	}
	remember(&t.inner, CanonicalHostPort(hostPort))
	remember(&t.inner, hostPort)
}

func remember(places *map[string]bool, place string) {
	if *places == nil {
		*places = map[string]bool{}
	}
	if len(*places) < maxTunnelPlaces && len(place) <= maxTunnelPlace {
		(*places)[place] = true
	}
}

// Hold keeps a CONNECT back until [Tunnels.Rest]. It reports false for one that is a
// contact whatever else is in the file, which the caller delivers: one whose tunnel
// was not opened, and one that names two hosts, which is a finding of its own.
func (t *Tunnels) Hold(connect *Flow) bool {
	place := CanonicalHostPort(connect.Server.Asked)
	challenged := connect.Status() == http.StatusProxyAuthRequired
	if !challenged {
		remember(&t.came, place)
		if connect.Outcome != Tunnelled {
			return false
		}
	}
	if names := connect.Names(); names.Host != "" && names.Host != names.Asked {
		return false
	}
	cost := memory(connect)
	if t.bytes+cost > maxHeldTunnels {
		return false
	}
	t.bytes += cost
	t.held = append(t.held, heldTunnel{connect, place, challenged})
	return true
}

// memory is about how much a CONNECT takes, in bytes.
func memory(f *Flow) int {
	n := 1<<10 + len(f.Server.Asked) + len(f.Error)
	fields := func(fields []Field) {
		for _, field := range fields {
			n += 64 + len(field.Name) + len(field.value)
		}
	}
	if f.Request != nil {
		fields(f.Request.Header)
	}
	if f.Response != nil {
		fields(f.Response.Header)
		n += len(f.Response.Body.Content)
	}
	return n
}

// Rest returns the CONNECTs that nothing explains, in the order in which they were
// held, and how many others were: they count no more.
func (t *Tunnels) Rest() (rest []*Flow, explained int) {
	for _, h := range t.held {
		if t.inner[h.place] || h.challenged && t.came[h.place] {
			explained++
			continue
		}
		rest = append(rest, h.flow)
	}
	t.held, t.bytes = nil, 0
	return rest, explained
}
