package wireguard

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// MaxVisitors is how many devices have keys that the set-up page made.
const MaxVisitors = 32

// maxNeighbours is how many of them asked from one /64 of IPv6. A device in such a subnet
// has as many addresses as it likes, and is not to take the place of everybody else's.
const maxNeighbours = MaxVisitors / 4

// sessionLife is how long a session lasts that is not renewed (whitepaper, section 6.1,
// Reject-After-Time).
const sessionLife = 180 * time.Second

// AddVisitor makes keys for a device that asked for them at the set-up page, from an
// address. It is called name, with a number behind it where there is such a device
// already. Of more than [MaxVisitors] the one that was used longest ago is forgotten; used
// has the last handshakes that the caller knows of and may be nil. Nobody whom a person
// named is forgotten.
func (b *Book) AddVisitor(name string, from netip.Addr, used map[Key]time.Time) (Peer, error) {
	if err := checkName(name); err != nil {
		return Peer{}, err
	}
	from = from.Unmap().WithZone("")
	var added Peer
	err := b.change(func(s *state) error {
		s.noteUse(used)
		gone := s.makeRoom(from)
		if err := s.add(s.unlike(name), time.Now()); err != nil {
			return b.refusal(err)
		}
		p := &s.Peers[len(s.Peers)-1]
		p.Visitor = from
		added = p.peer()
		for _, name := range gone {
			if err := b.removeConfig(name); err != nil {
				return err
			}
		}
		return nil
	})
	return added, err
}

// unlike returns name, or the first with a number behind it that nobody has.
func (s *state) unlike(name string) string {
	free := name
	for n := 2; s.index(free) >= 0; n++ {
		suffix := fmt.Sprint(" ", n)
		free = name[:min(len(name), maxName-len(suffix))] + suffix
	}
	return free
}

// makeRoom forgets the visitors in whose places one more will be, and returns their names.
func (s *state) makeRoom(from netip.Addr) (gone []string) {
	gone = s.forget(maxNeighbours, func(p peerState) bool { return neighbours(p.Visitor, from) })
	return append(gone, s.forget(MaxVisitors, func(p peerState) bool { return p.Visitor.IsValid() })...)
}

// forget removes those of some peers that were used longest ago, until there are less than
// limit.
func (s *state) forget(limit int, of func(peerState) bool) (gone []string) {
	var some []peerState
	for _, p := range s.Peers {
		if of(p) {
			some = append(some, p)
		}
	}
	slices.SortStableFunc(some, func(a, b peerState) int { return a.lastUse().Compare(b.lastUse()) })
	for _, p := range some[:max(0, len(some)-limit+1)] {
		gone = append(gone, p.Name)
	}
	s.LastHost = s.lastUsed()
	s.Peers = slices.DeleteFunc(s.Peers, func(p peerState) bool { return slices.Contains(gone, p.Name) })
	return gone
}

// lastUse is until when a peer was used. One with a session is used more than one that was
// made this moment: else a crowd of new ones could drive it out.
func (p *peerState) lastUse() time.Time {
	if used := p.Used.Add(sessionLife); !p.Used.IsZero() && used.After(p.Created) {
		return used
	}
	return p.Created
}

// neighbours reports whether two addresses are in one /64 of IPv6.
func neighbours(a, b netip.Addr) bool {
	if !a.Is6() || !b.Is6() {
		return false
	}
	subnet, _ := a.Prefix(64)
	return subnet.Contains(b)
}

// noteUse keeps the last handshakes of visitors, and reports whether it was news.
func (s *state) noteUse(used map[Key]time.Time) (news bool) {
	for i := range s.Peers {
		p := &s.Peers[i]
		if at := used[p.public].UTC().Truncate(time.Second); p.Visitor.IsValid() && at.After(p.Used) {
			p.Used, news = at, true
		}
	}
	return news
}

// setUsed keeps the last handshakes of visitors for later audits.
func (b *Book) setUsed(used map[Key]time.Time) error {
	b.mu.Lock()
	news := b.state.clone().noteUse(used)
	b.mu.Unlock()
	if !news {
		return nil
	}
	return b.change(func(s *state) error { s.noteUse(used); return nil })
}

// AddVisitor is [Book.AddVisitor] with the handshakes of this tunnel, and lets the device
// in at once.
func (t *Tunnel) AddVisitor(name string, from netip.Addr) (Peer, error) {
	status, err := t.Peers()
	if err != nil {
		return Peer{}, err
	}
	p, err := t.book.AddVisitor(name, from, handshakes(status))
	if err != nil {
		return Peer{}, err
	}
	return p, t.Sync()
}

// handshakes returns when each peer had its last one.
func handshakes(status []PeerStatus) map[Key]time.Time {
	used := map[Key]time.Time{}
	for _, s := range status {
		if !s.LastHandshake.IsZero() {
			used[s.PublicKey] = s.LastHandshake
		}
	}
	return used
}

// admitted lists the peers that the tunnel lets in, the oldest first.
func (t *Tunnel) admitted() []Peer {
	peers := t.book.Peers()
	if t.namedOnly {
		peers = slices.DeleteFunc(peers, func(p Peer) bool { return p.Visitor.IsValid() })
	}
	return peers
}
