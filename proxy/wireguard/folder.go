package wireguard

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// Everything is in one file, since no file system replaces two at once.
const (
	bookFile    = "wireguard.json"
	lockName    = "wireguard.lock"
	useName     = "tunnel.lock"   // while a tunnel is open
	configs     = "devices"       // a folder with one for each device
	configFile  = "telltale.conf" // the apps of WireGuard call the tunnel by it
	tempPattern = ".wireguard-*.tmp"
	version     = 1
	maxFile     = 1 << 20
)

// state is what the file holds.
type state struct {
	Version    int          `json:"version"`
	PrivateKey Key          `json:"private_key"`
	Port       uint16       `json:"port"`
	IPv4       netip.Prefix `json:"ipv4"`
	IPv6       netip.Prefix `json:"ipv6"`
	Peers      []peerState  `json:"peers"`
	// LastHost is the host part of the addresses that were handed out last: those of a
	// device that was removed are not another's, whose rows would count as its, until
	// all were used. 0 in files of before it was kept.
	LastHost byte `json:"last_host,omitempty"`
}

type peerState struct {
	Name       string     `json:"name"`
	PrivateKey Key        `json:"private_key"`
	IPv4       netip.Addr `json:"ipv4"`
	IPv6       netip.Addr `json:"ipv6"`
	Created    time.Time  `json:"created"`
	Visitor    netip.Addr `json:"visitor,omitzero"` // as in [Peer]
	Used       time.Time  `json:"used,omitzero"`    // last handshake of a visitor that is known

	public Key
}

func (p *peerState) peer() Peer {
	return Peer{Name: p.Name, PublicKey: p.public, IPv4: p.IPv4, IPv6: p.IPv6, Created: p.Created, Visitor: p.Visitor, private: p.PrivateKey}
}

// stamp tells one version of the file from the next.
type stamp struct {
	modified time.Time
	size     int64
	inode    os.FileInfo
}

func (s stamp) same(info os.FileInfo) bool {
	return s.inode != nil && s.modified.Equal(info.ModTime()) && s.size == info.Size() && os.SameFile(s.inode, info)
}

// A FolderError is trouble with the folder of a tunnel's keys.
type FolderError struct {
	File    string
	Problem string // what is wrong with it: "cannot be read"
	Err     error  // why; may be nil
	Advice  string // what to do; may be empty
}

func (e *FolderError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("keys of the tunnel: %s %s", e.File, e.Problem)
	}
	return fmt.Sprintf("keys of the tunnel: %s %s: %v", e.File, e.Problem, e.Err)
}

// Unwrap returns the reason.
func (e *FolderError) Unwrap() error { return e.Err }

// Hint says what to do about it.
func (e *FolderError) Hint() string { return e.Advice }

func (b *Book) path() string { return filepath.Join(b.folder, bookFile) }

// Reload reads the file again where another process has changed it since, and reports
// whether one did.
func (b *Book) Reload() (changed bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reload()
}

func (b *Book) reload() (changed bool, err error) {
	info, err := os.Stat(b.path())
	if err == nil && b.stamp.same(info) {
		return false, nil
	}
	content, info, err := readPrivate(b.path())
	if err != nil {
		return false, err
	}
	s, err := parseState(content)
	if err != nil {
		return false, &FolderError{File: b.path(), Problem: "is damaged", Err: err,
			Advice: "restore it from a backup, or move it away: telltale then makes new keys, and each device needs its new configuration"}
	}
	b.take(s, info)
	return true, nil
}

// take makes s the state of the book.
func (b *Book) take(s *state, info os.FileInfo) {
	b.state = *s
	b.public, _ = s.PrivateKey.public() // checked when it was read
	b.stamp = stamp{info.ModTime(), info.Size(), info}
}

// change does something to the state, with the folder locked against other processes,
// and writes it. A folder without a book gets a new one.
func (b *Book) change(do func(*state) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	unlock, err := lockFolder(b.folder)
	if err != nil {
		return err
	}
	defer unlock()
	sweep(b.folder)
	_, err = b.reload()
	s := b.state.clone()
	if errors.Is(err, fs.ErrNotExist) {
		s, err = newState()
		if err != nil {
			err = &FolderError{File: b.folder, Problem: "gets no keys", Err: err}
		}
	}
	if err != nil {
		return err
	}
	if err := do(s); err != nil {
		return err
	}
	content, err := json.MarshalIndent(s, "", "  ") //nolint:gosec // G117: that keys are in it is what the file is for
	if err != nil {
		return err
	}
	if err := writePrivate(b.path(), append(content, '\n')); err != nil {
		return err
	}
	info, err := os.Stat(b.path())
	if err != nil {
		return unreadable(b.path(), err)
	}
	b.take(s, info)
	return nil
}

func (s *state) clone() *state {
	c := *s
	c.Peers = append([]peerState(nil), s.Peers...)
	return &c
}

// newState makes what a new folder holds.
func newState() (*state, error) {
	taken, err := networksOfThisMachine()
	if err != nil {
		return nil, err
	}
	s := &state{Version: version, Port: DefaultPort}
	if s.IPv4, err = freeSubnet(taken); err != nil {
		return nil, err
	}
	if s.IPv6, err = newUniqueLocal(); err != nil {
		return nil, err
	}
	if s.PrivateKey, err = newPrivateKey(); err != nil {
		return nil, err
	}
	return s, s.add(FirstPeer, time.Now())
}

// setPort keeps the port of the tunnel.
func (b *Book) setPort(port uint16) error {
	if b.Port() == port {
		return nil
	}
	return b.change(func(s *state) error { s.Port = port; return nil })
}

// WriteConfig writes the configuration of a device ([Book.Config]) into the folder and
// returns the path of the file, which only its owner can read.
func (b *Book) WriteConfig(p Peer, endpoint string) (path string, err error) {
	unlock, err := lockFolder(b.folder)
	if err != nil {
		return "", err
	}
	defer unlock()
	path = b.configPath(p.Name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", &FolderError{File: path, Problem: "cannot be written", Err: cause(err), Advice: "make its folder writable for yourself"}
	}
	return path, writePrivate(path, b.Config(p, endpoint))
}

func (b *Book) configPath(name string) string {
	return filepath.Join(b.folder, configs, name, configFile)
}

func (b *Book) removeConfig(name string) error {
	path := b.configPath(name)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &FolderError{File: path, Problem: "cannot be removed", Err: cause(err)}
	}
	os.Remove(filepath.Dir(path))
	return nil
}

// parseState reads the file and checks all that is in it.
func parseState(content []byte) (*state, error) {
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	s := new(state)
	if err := d.Decode(s); err != nil {
		return nil, fmt.Errorf("expected the JSON that telltale wrote: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("expected nothing after the JSON")
	}
	switch {
	case s.Version != version:
		return nil, fmt.Errorf("expected version %d, found %d", version, s.Version)
	case s.PrivateKey.isZero():
		return nil, errors.New("expected the tunnel's private_key")
	case !s.IPv4.IsValid() || !s.IPv4.Addr().Is4() || s.IPv4.Bits() != 24 || s.IPv4 != s.IPv4.Masked():
		return nil, fmt.Errorf("expected ipv4 to be an IPv4 network of /24, found %q", s.IPv4)
	case !s.IPv6.IsValid() || !s.IPv6.Addr().Is6() || s.IPv6.Addr().Is4In6() || s.IPv6.Bits() != 64 || s.IPv6 != s.IPv6.Masked():
		return nil, fmt.Errorf("expected ipv6 to be an IPv6 network of /64, found %q", s.IPv6)
	case s.LastHost > lastHost:
		return nil, fmt.Errorf("expected last_host to be at most %d, found %d", lastHost, s.LastHost)
	case len(s.Peers) > maxPeers:
		return nil, fmt.Errorf("expected at most %d peers, found %d", maxPeers, len(s.Peers))
	}
	seen := &state{IPv4: s.IPv4, IPv6: s.IPv6}
	for i := range s.Peers {
		if err := seen.admit(&s.Peers[i]); err != nil {
			return nil, fmt.Errorf("peer %d: %w", i+1, err)
		}
	}
	return s, nil
}

// admit checks a peer against those that came before it, and joins it to them.
func (s *state) admit(p *peerState) (err error) {
	if err := checkName(p.Name); err != nil {
		return err
	}
	if p.PrivateKey.isZero() {
		return errors.New("expected its private_key")
	}
	if p.public, err = p.PrivateKey.public(); err != nil {
		return err
	}
	own4, own6 := host(s.IPv4, ownHost), host(s.IPv6, ownHost)
	if !s.IPv4.Contains(p.IPv4) || !s.IPv6.Contains(p.IPv6) || p.IPv4 == own4 || p.IPv6 == own6 {
		return fmt.Errorf("expected addresses in %s and %s other than the tunnel's own", s.IPv4, s.IPv6)
	}
	if s.index(p.Name) >= 0 {
		return fmt.Errorf("a second %q", p.Name)
	}
	for _, other := range s.Peers {
		if other.IPv4 == p.IPv4 || other.IPv6 == p.IPv6 || other.public == p.public {
			return fmt.Errorf("it shares an address or a key with %q", other.Name)
		}
	}
	s.Peers = append(s.Peers, *p)
	return nil
}

// readPrivate returns the content of a file that only its owner may read. One that
// others may read is made private.
func readPrivate(path string) ([]byte, os.FileInfo, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() { // opening a pipe would wait for ever
		return nil, nil, &FolderError{File: path, Problem: "is not a regular file", Advice: "move it away: telltale then makes new keys"}
	}
	if err != nil {
		return nil, nil, unreadable(path, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, unreadable(path, err)
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, nil, unreadable(path, err)
	}
	if tooOpen(info.Mode()) {
		if err := f.Chmod(0o600); err != nil {
			return nil, nil, &FolderError{File: path, Problem: "can be read by other users, and that could not be changed", Err: cause(err),
				Advice: "as its owner type `chmod 600 " + path + "`"}
		}
	}
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, nil, unreadable(path, err)
	}
	if len(content) > maxFile {
		return nil, nil, &FolderError{File: path, Problem: "is too long to be what its name says", Advice: "move it away: telltale then makes new keys"}
	}
	return content, info, nil
}

func unreadable(path string, err error) error {
	return &FolderError{File: path, Problem: "cannot be read", Err: cause(err), Advice: "make it readable for yourself"}
}

// cause drops the path from an error of package os, since [FolderError] names it.
func cause(err error) error {
	var pathErr *fs.PathError
	var linkErr *os.LinkError
	switch {
	case errors.As(err, &pathErr):
		return pathErr.Err
	case errors.As(err, &linkErr):
		return linkErr.Err
	}
	return err
}

// writePrivate gives path the content in one step: a reader sees the old file or the
// new one.
func writePrivate(path string, content []byte) (err error) {
	defer func() {
		if err != nil {
			err = &FolderError{File: path, Problem: "cannot be written", Err: cause(err), Advice: "make its folder writable for yourself"}
		}
	}()
	temp, err := os.CreateTemp(filepath.Dir(path), tempPattern) // mode 0600
	if err != nil {
		return err
	}
	_, err = temp.Write(content)
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		os.Remove(temp.Name())
	}
	return err
}

// lockFolder makes the folder where it is missing, and waits until no other process
// is changing it.
func lockFolder(folder string) (unlock func(), err error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, &FolderError{File: folder, Problem: "cannot be made", Err: cause(err), Advice: "make a folder there that you may write to"}
	}
	path := filepath.Join(folder, lockName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, &FolderError{File: path, Problem: "cannot be opened", Err: cause(err), Advice: "make its folder writable for yourself"}
	}
	if err := lockFile(f); err != nil {
		f.Close()
		return nil, &FolderError{File: path, Problem: "cannot be locked", Err: err}
	}
	return func() { f.Close() }, nil
}

// claim keeps the keys for one open tunnel: a device would be drawn from one to the other,
// and back, and be in the record of neither as a whole.
func (b *Book) claim() (unlock func(), err error) {
	path := filepath.Join(b.folder, useName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, &FolderError{File: path, Problem: "cannot be opened", Err: cause(err), Advice: "make its folder writable for yourself"}
	}
	if err := tryLockFile(f); err != nil {
		f.Close()
		return nil, &FolderError{File: b.folder, Problem: "is in use: another telltale has its tunnel open", Err: err,
			Advice: "end it, or leave --wireguard out of this one"}
	}
	return func() { f.Close() }, nil
}

// sweep deletes files that a crash kept from getting their name: they hold keys. The
// folder is locked, so that nobody is writing them.
func sweep(folder string) {
	entries, _ := os.ReadDir(folder)
	for _, entry := range entries {
		if left, _ := filepath.Match(tempPattern, entry.Name()); left {
			os.Remove(filepath.Join(folder, entry.Name()))
		}
	}
}
