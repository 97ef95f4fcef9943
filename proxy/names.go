package proxy

import (
	"net/netip"
	"sync"

	"telltale/flow"
)

// The bounds of what is remembered of names. An app keeps an address for much longer
// than its TTL, so that only newer ones push it out.
const (
	maxNamesOf   = 8        // of one address
	maxAddresses = 32 << 10 // of one device and generation; there are two
	maxDevices   = 64
)

// names remembers for which names each device was given which addresses, so that a
// connection to an address can be told by its name; and the stand-ins, addresses that we
// gave for names which DNS is never asked for.
type names struct {
	mu       sync.Mutex
	devices  map[netip.Addr]*told
	now      uint64 // counts uses, for the order of devices
	byName   map[string]netip.Addr
	standIns []string // by their number; "" for none
	next     int      // number of the stand-in that is given next
}

// told is what one device was answered. What is asked for or learned moves to the fresh
// generation; when that is full, it becomes the stale one, and what was stale goes.
type told struct {
	fresh, stale map[netip.Addr][]string
	used         uint64
}

// standInBlock is where stand-ins are from: the block for tests of network devices, which
// nobody routes (RFC 2544, appendix C.2.2).
var standInBlock = netip.MustParsePrefix("198.18.0.0/15")

// maxStandIns is how many names have one at a time. The block has room for them beside
// its first and last address.
const maxStandIns = 1<<16 - 2

func newNames() *names {
	return &names{devices: map[netip.Addr]*told{}, byName: map[string]netip.Addr{}}
}

// learn notes that a device was given addresses for a name.
func (n *names) learn(client netip.Addr, name string, addrs []netip.Addr) {
	if name = flow.CanonicalHost(name); name == "" || len(addrs) == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	t := n.device(client)
	for _, a := range addrs {
		a = scoped(a)
		t.put(a, newest(name, t.find(a)))
	}
}

// newest puts a name in front of others. The list that it gets is left as it is: it may
// be in others' hands.
func newest(name string, others []string) []string {
	if len(others) > 0 && others[0] == name {
		return others
	}
	list := append(make([]string, 0, min(len(others)+1, maxNamesOf)), name)
	for _, o := range others {
		if o != name && len(list) < maxNamesOf {
			list = append(list, o)
		}
	}
	return list
}

// of returns the names for which a device was given an address, the newest first, and of
// a stand-in the name that it stands for. The caller must not change the list.
func (n *names) of(client, addr netip.Addr) []string {
	if name, ok := n.standIn(addr); ok {
		return []string{name}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	t := n.devices[scoped(client)]
	if t == nil {
		return nil
	}
	n.now++
	t.used = n.now
	return t.find(scoped(addr))
}

// device returns the memory of a device, in the place of the one that was used longest
// ago where there are too many.
func (n *names) device(client netip.Addr) *told {
	client = scoped(client)
	n.now++
	t := n.devices[client]
	if t == nil {
		if len(n.devices) >= maxDevices {
			n.forgetOldest()
		}
		t = &told{fresh: map[netip.Addr][]string{}}
		n.devices[client] = t
	}
	t.used = n.now
	return t
}

func (n *names) forgetOldest() {
	var oldest netip.Addr
	for client, t := range n.devices {
		if !oldest.IsValid() || t.used < n.devices[oldest].used {
			oldest = client
		}
	}
	delete(n.devices, oldest)
}

func (t *told) put(a netip.Addr, list []string) {
	if _, known := t.fresh[a]; !known && len(t.fresh) >= maxAddresses {
		t.stale, t.fresh = t.fresh, map[netip.Addr][]string{}
	}
	t.fresh[a] = list
}

func (t *told) find(a netip.Addr) []string {
	if list, ok := t.fresh[a]; ok {
		return list
	}
	list, ok := t.stale[a]
	if ok {
		t.put(a, list)
	}
	return list
}

// standInFor returns the address that stands for a name, the same one as long as fewer
// than maxStandIns others were asked for since.
func (n *names) standInFor(name string) netip.Addr {
	name = flow.CanonicalHost(name)
	n.mu.Lock()
	defer n.mu.Unlock()
	if a, ok := n.byName[name]; ok {
		return a
	}
	if n.next == len(n.standIns) {
		n.standIns = append(n.standIns, name)
	} else {
		delete(n.byName, n.standIns[n.next])
		n.standIns[n.next] = name
	}
	a := standInAt(n.next)
	n.byName[name] = a
	n.next = (n.next + 1) % maxStandIns
	return a
}

// standInAt returns the stand-in of a number.
func standInAt(number int) netip.Addr {
	b := standInBlock.Addr().As4()
	number++ // the first address of a block is the network's own
	b[2], b[3] = byte(number>>8), byte(number)
	return netip.AddrFrom4(b)
}

// standIn returns the name that an address stands for.
func (n *names) standIn(addr netip.Addr) (name string, ok bool) {
	if addr = addr.Unmap(); !addr.Is4() || !standInBlock.Contains(addr) {
		return "", false
	}
	b := addr.As4()
	number := int(b[1]&1)<<16 + int(b[2])<<8 + int(b[3]) - 1
	n.mu.Lock()
	defer n.mu.Unlock()
	if number < 0 || number >= len(n.standIns) {
		return "", false
	}
	return n.standIns[number], true
}
