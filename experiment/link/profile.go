package link

import "time"

// Profile is a link of another kind. Rates are those of content above TCP; 0 does not
// limit.
type Profile struct {
	Name, Help string
	Down, Up   int64         // bytes per second, to the client and from it
	Latency    time.Duration // one way
	// Loss is the chance that a burst, or what a round trip has room for in a long
	// transfer, loses a packet that TCP recovers by its timeout alone. Other losses are
	// recovered while the link is in use, and do not show.
	Loss float64
}

// Profiles are the links that there are.
//
// The figures of mobile networks are those of WebPageTest (connectivity.ini: Mobile 3G, 1.6
// Mbps/768 Kbps 300ms RTT; Mobile EDGE, 240 Kbps/200 Kbps 840ms RTT). The delay of the
// satellite is that of one in geostationary orbit (RFC 2488, 2: 279 ms there, and 558 ms
// there and back); its rates, of a household, and its loss are our choice.
var Profiles = []Profile{
	{Name: "3g", Help: "a mobile network of the third generation: 1.6 Mbit/s down, 768 kbit/s up, 300 ms", Down: 200_000, Up: 96_000, Latency: 150 * time.Millisecond},
	{Name: "edge", Help: "a mobile network of the second generation: 240 kbit/s down, 200 kbit/s up, 840 ms", Down: 30_000, Up: 25_000, Latency: 420 * time.Millisecond},
	{Name: "satellite", Help: "a geostationary satellite: 10 Mbit/s down, 2 Mbit/s up, 558 ms, packets are lost", Down: 1_250_000, Up: 250_000, Latency: 279 * time.Millisecond, Loss: 0.01},
}

// Find returns the profile of a name, nil where there is none.
func Find(name string) *Profile {
	for i := range Profiles {
		if Profiles[i].Name == name {
			return &Profiles[i]
		}
	}
	return nil
}

// minTimeout is the least timeout of retransmission (RFC 6298, 2.4).
const minTimeout = time.Second

// timeout is how long a lost packet holds a connection up that nothing follows.
func (p *Profile) timeout() time.Duration { return max(minTimeout, 4*p.Latency) }
