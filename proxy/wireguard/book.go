package wireguard

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// DefaultPort is the UDP port that WireGuard uses where nobody says otherwise.
const DefaultPort = 51820

// FirstPeer is the name of the peer that a new folder has.
const FirstPeer = "phone"

const (
	maxPeers = 250
	maxName  = 40 // characters, each one column wide
)

// Errors of peers' names.
var (
	ErrExists = errors.New("there is a device of that name already")
	ErrNoPeer = errors.New("there is no device of that name")
	ErrFull   = fmt.Errorf("the tunnel has %d devices, and takes no more", maxPeers)
)

// A Peer is one device that may use the tunnel. Its private key is kept beside its
// public one, so that its configuration can be shown again.
type Peer struct {
	Name      string
	PublicKey Key
	IPv4      netip.Addr // in the tunnel
	IPv6      netip.Addr
	Created   time.Time
	// Visitor is the address from which it asked the set-up page for its keys; zero for a
	// device that a person named.
	Visitor netip.Addr

	private Key
}

// String returns the name, and so keeps the keys out of logs.
func (p Peer) String() string { return p.Name }

// GoString does the same for %#v.
func (p Peer) GoString() string { return p.Name }

// A Book keeps the keys, the subnets and the peers of a tunnel in a folder. It is safe
// for use by several goroutines, and by several processes on one folder.
type Book struct {
	folder string

	mu     sync.Mutex
	state  state
	public Key
	stamp  stamp // of the file that state was read from
}

// Open returns the book in a folder. Where there is none yet it makes the folder, new
// keys, subnets that no interface of this machine is in, and a peer [FirstPeer].
// Errors are *[FolderError].
func Open(folder string) (*Book, error) {
	b := &Book{folder: folder}
	_, err := b.Reload()
	if errors.Is(err, os.ErrNotExist) {
		err = b.change(func(s *state) error { return nil })
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// Folder returns where the book is.
func (b *Book) Folder() string { return b.folder }

// Port returns the UDP port at which the tunnel was last open; [DefaultPort] before.
func (b *Book) Port() uint16 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state.Port
}

// Own returns telltale's addresses in the tunnel: IPv4, then IPv6.
func (b *Book) Own() []netip.Addr {
	b.mu.Lock()
	defer b.mu.Unlock()
	return []netip.Addr{host(b.state.IPv4, ownHost), host(b.state.IPv6, ownHost)}
}

// PublicKey returns the tunnel's.
func (b *Book) PublicKey() Key {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.public
}

func (b *Book) privateKey() Key {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state.PrivateKey
}

// Peers lists the devices, the oldest first.
func (b *Book) Peers() []Peer {
	b.mu.Lock()
	defer b.mu.Unlock()
	peers := make([]Peer, 0, len(b.state.Peers))
	for _, p := range b.state.Peers {
		peers = append(peers, p.peer())
	}
	return peers
}

// Peer returns the device of that name, or [ErrNoPeer].
func (b *Book) Peer(name string) (Peer, error) {
	for _, p := range b.Peers() {
		if p.Name == name {
			return p, nil
		}
	}
	return Peer{}, &FolderError{File: b.folder, Problem: fmt.Sprintf("has no keys for %q", name), Err: ErrNoPeer,
		Advice: "list the devices with `telltale setup wireguard list`"}
}

// Add makes keys and addresses for a new device. The name is 1 to 40 letters, digits,
// spaces and - _ . of ASCII, and is one that a file may have everywhere.
func (b *Book) Add(name string) (Peer, error) {
	if err := checkName(name); err != nil {
		return Peer{}, err
	}
	var added Peer
	err := b.change(func(s *state) error {
		if err := s.add(name, time.Now()); err != nil {
			return b.refusal(err)
		}
		added = s.Peers[len(s.Peers)-1].peer()
		return nil
	})
	return added, err
}

// Remove forgets a device. Its keys cannot be had back. Other processes that have the
// tunnel open shut it out within seconds.
func (b *Book) Remove(name string) error {
	return b.change(func(s *state) error {
		i := s.index(name)
		if i < 0 || s.Peers[i].Name != name {
			return b.refusal(ErrNoPeer)
		}
		s.LastHost = s.lastUsed()
		s.Peers = slices.Delete(s.Peers, i, i+1)
		return b.removeConfig(name)
	})
}

func (b *Book) refusal(err error) error {
	advice := "list the devices with `telltale setup wireguard list`"
	if errors.Is(err, ErrFull) {
		advice = "remove one with `telltale setup wireguard remove NAME`"
	}
	return &FolderError{File: b.folder, Problem: "was not changed", Err: err, Advice: advice}
}

// add appends a peer with the next addresses, of those that are free.
func (s *state) add(name string, now time.Time) error {
	switch {
	case s.index(name) >= 0:
		return ErrExists
	case len(s.Peers) >= maxPeers:
		return ErrFull
	}
	private, err := newPrivateKey()
	if err != nil {
		return err
	}
	s.LastHost = s.nextHost()
	p := peerState{Name: name, PrivateKey: private,
		IPv4: host(s.IPv4, s.LastHost), IPv6: host(s.IPv6, s.LastHost), Created: now.UTC().Truncate(time.Second)}
	if p.public, err = private.public(); err != nil {
		return err
	}
	s.Peers = append(s.Peers, p)
	return nil
}

// lastUsed returns LastHost; for a file that does not know it, the highest in use.
func (s *state) lastUsed() byte {
	if s.LastHost != 0 {
		return s.LastHost
	}
	n := byte(ownHost)
	for _, p := range s.Peers {
		n = max(n, p.IPv4.As4()[3])
	}
	return min(n, lastHost)
}

// nextHost returns the host part of the next addresses: the first after the last ones that
// no device has, in a circle.
func (s *state) nextHost() byte {
	n := s.lastUsed()
	for {
		if n++; n > lastHost || n < firstHost {
			n = firstHost
		}
		taken := func(p peerState) bool { return p.IPv4 == host(s.IPv4, n) }
		if !slices.ContainsFunc(s.Peers, taken) {
			return n
		}
	}
}

// index finds a peer by its name; upper and lower case are one, since their files are
// one on some systems. It returns -1 where there is none.
func (s *state) index(name string) int {
	return slices.IndexFunc(s.Peers, func(p peerState) bool { return strings.EqualFold(p.Name, name) })
}

// reserved are names that Windows gives to devices, whatever follows a dot (Microsoft,
// Naming Files, Paths, and Namespaces).
var reserved = []string{"con", "prn", "aux", "nul",
	"com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9",
	"lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9"}

// checkName says why a device cannot be called name; nil when it can.
func checkName(name string) error {
	const legal = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_. "
	stem, _, _ := strings.Cut(name, ".")
	problem := ""
	switch {
	case name == "":
		problem = "it is empty"
	case utf8.RuneCountInString(name) > maxName:
		problem = fmt.Sprintf("it is longer than %d characters", maxName)
	case strings.Trim(name, legal) != "" || strings.ContainsFunc(name, func(r rune) bool { return !strings.ContainsRune(legal, r) }):
		problem = "it has other characters than a to z, A to Z, 0 to 9, spaces and - _ ."
	case strings.HasPrefix(name, ".") || strings.HasPrefix(name, "-") || strings.HasPrefix(name, " "):
		problem = "it begins with a dot, a hyphen or a space"
	case strings.HasSuffix(name, ".") || strings.HasSuffix(name, " "):
		problem = "it ends with a dot or a space"
	case slices.Contains(reserved, strings.ToLower(strings.TrimSpace(stem))):
		problem = "Windows keeps it for itself"
	default:
		return nil
	}
	return &NameError{Name: name, Problem: problem}
}

// A NameError is a name that a device cannot have.
type NameError struct{ Name, Problem string }

func (e *NameError) Error() string {
	return fmt.Sprintf("a device cannot be called %q: %s", e.Name, e.Problem)
}

// Hint says what to type instead.
func (e *NameError) Hint() string {
	return "choose a name such as phone or tablet-2: `telltale setup wireguard add tablet-2`"
}
