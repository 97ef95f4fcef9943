// Package coverage says what an audit can have seen: of each way in what it sees and
// what passes it by ([Ways]), and of a way in that is given every packet of a device
// whether all of it was recorded ([Ledger]).
//
// It promises that "everything" is claimed only of a way in that is given everything,
// and only while its books balance. It counts nothing itself: package proxy/wireguard
// counts what comes out of the tunnel, package proxy what became of it. It does not
// know who reads its sentences either: they hold no text from the wire but the names
// of reasons, which are ours.
//
// When a claim looks wrong, compare the numbers of the ledger: Received is counted
// before anything looked at a packet, so that what is missing was lost behind it.
package coverage

// A Way is one way for flows to reach an audit.
type Way struct {
	Mode  string   // as in flow.Flow.Mode
	Title string   // what it is, in a few words
	Sees  []string // what it sees, a sentence each
	Blind []string // what it cannot see, a sentence each
	// Whole is set where a device that uses the way in can send nothing beside it, but
	// for what Blind names.
	Whole bool
}

// Class is a kind of traffic that is counted by itself.
type Class string

// The classes.
const (
	TCP   Class = "tcp"   // counted in connections
	UDP   Class = "udp"   // counted in datagrams
	ICMP  Class = "icmp"  // counted in packets
	Other Class = "other" // other protocols over IP, counted in packets
)

// Classes is the list of them, in the order in which they are told.
var Classes = []Class{TCP, UDP, ICMP, Other}

// Amount is how much traffic there was.
type Amount struct {
	Units int64 `json:"units"` // connections, datagrams or packets, by the class
	Bytes int64 `json:"bytes"` // of payload; of TCP none are counted
}

// ForeignSource is the reason for which packets of a device are dropped that do not come
// from its address in the tunnel. A system sends some as soon as the tunnel is up, from
// the address that it has on every link (RFC 4862, section 5.3): it solicits routers (RFC
// 4861) and reports the groups that it listens to (RFC 3810). WireGuard's cryptokey
// routing refuses them.
const ForeignSource = "packets from an address that is not the device's"

// A Ledger sets what a way in was given beside what became of it. What was received
// was recorded, is under way, was dropped for a reason, or is missing.
type Ledger struct {
	Mode     string           `json:"mode"`
	Received map[Class]Amount `json:"received"`  // from devices, counted before anything looked at it
	Recorded map[Class]Amount `json:"recorded"`  // that is in a flow
	UnderWay map[Class]Amount `json:"under_way"` // that will be
	// Dropped is what was received and not forwarded and has no flow of its own, by the
	// reason ("malformed packets").
	Dropped map[string]Amount `json:"dropped"`
	// Cut is set where a recorder was killed: what came after the books were written for
	// the last time is not in them.
	Cut bool `json:"cut"`
	// Partial is set where no books were kept of some recordings: the others' say nothing
	// of these.
	Partial bool `json:"partial"`
}
