package experiment

// Names of the simulations, as --simulate takes them.
const (
	captivePortal  = "captive-portal"
	offline        = "offline"
	slow           = "slow"
	flaky          = "flaky"
	serverError    = "server-error"
	badCertificate = "bad-certificate"
	clockSkew      = "clock-skew"
	noQUIC         = "no-quic"
	consentRefused = "consent-refused"
)

// A Simulation is a network, or a server, that is not as it should be.
type Simulation struct {
	Name, Help string
	// Variants are the ways in which it can be played, the usual one first. Nil: there
	// is one way alone, or Seeded says which there are.
	Variants []string
	// Seeded is set where the variant is a number from which chance is drawn; 1 is usual.
	Seeded bool
	// Whole is set where it is of the whole link, so that it is not restricted to hosts.
	Whole bool
}

// Simulations is the only list of simulations. Its order is the one in which they are
// shown; the order in which they decide stands at [Set.Decide].
var Simulations = []Simulation{
	{Name: captivePortal, Help: "a network with a sign-in page: HTTP is redirected to it, HTTPS gets a wrong certificate, until the device has signed in"},
	{Name: offline, Help: "no network: names do not resolve, connections are refused"},
	{Name: slow, Help: "a slow link: rate and delay of 3G, EDGE or a satellite", Variants: []string{"3g", "edge", "satellite"}, Whole: true},
	{Name: flaky, Help: "a bad link: some connections are reset, hang or break off, the same ones again for the same seed", Seeded: true},
	{Name: serverError, Help: "servers in trouble: every request is answered with an error", Variants: []string{"503", "500", "502", "504"}},
	{Name: badCertificate, Help: "servers whose certificate nobody should trust", Variants: []string{"unknown-authority", "wrong-name", "self-signed"}},
	{Name: clockSkew, Help: "a device whose clock is wrong: certificates have expired, or are not valid yet", Variants: []string{"expired", "not-yet-valid"}},
	{Name: noQUIC, Help: "a network without QUIC: it is refused, and servers do not offer it"},
	{Name: consentRefused, Help: "hosts of the policy's section consent answer nothing, as if nobody had agreed to them"},
}

// FindSimulation returns the simulation of a name.
func FindSimulation(name string) (Simulation, bool) {
	for _, s := range Simulations {
		if s.Name == name {
			return s, true
		}
	}
	return Simulation{}, false
}

// A Form is how a contact that is refused looks to the app.
type Form string

// The forms.
const (
	FormRefused   Form = "refused" // the connection is refused, at the earliest moment
	FormDNS       Form = "dns"     // the name does not exist
	FormForbidden Form = "403"     // requests are answered 403, as by a server
	FormNoContent Form = "204"     // requests are answered 204, as by a probe's server that is content
	FormHang      Form = "hang"    // nothing is ever answered
	FormReset     Form = "reset"   // the connection is reset at its first bytes
)

// Forms lists the forms, the usual one first.
var Forms = []string{string(FormRefused), string(FormDNS), string(FormForbidden), string(FormNoContent), string(FormHang), string(FormReset)}
