package wireguard

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestNewBook(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "deep", "wireguard")
	b, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	peers := b.Peers()
	if len(peers) != 1 || peers[0].Name != FirstPeer || time.Since(peers[0].Created) > time.Minute {
		t.Fatalf("peers %#v", peers)
	}
	own := b.Own()
	if len(own) != 2 || !own[0].Is4() || own[0].As4()[3] != 1 || !own[1].Is6() || !strings.HasSuffix(own[1].String(), "::1") || own[1].As16()[0] != 0xfd {
		t.Errorf("own addresses %s", own)
	}
	if p := peers[0]; p.IPv4 != own[0].Next() || p.IPv6 != own[1].Next() {
		t.Errorf("the phone has %s and %s", p.IPv4, p.IPv6)
	}
	again, err := Open(folder)
	if err != nil || again.PublicKey() != b.PublicKey() || again.Peers()[0] != peers[0] || again.Port() != DefaultPort {
		t.Errorf("opened again: %v, %v", again, err)
	}
	if s := fmt.Sprintf("%v %+v %#v %s", peers[0], peers[0], peers[0], peers); strings.Contains(s, "{") {
		t.Errorf("a peer is printed with what is in it: %s", s)
	}
	if runtime.GOOS == "windows" {
		return // no modes
	}
	for path, want := range map[string]os.FileMode{"": 0o700, bookFile: 0o600, lockName: 0o600} {
		info, err := os.Stat(filepath.Join(folder, path))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%q: %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
	if err := os.Chmod(filepath.Join(folder, bookFile), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(folder); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(folder, bookFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("what others could read stays so: %v, %v", info.Mode(), err)
	}
}

// The book in testdata has fixed keys, so that the configuration is known.
func TestConfig(t *testing.T) {
	b := sample(t)
	for _, p := range b.Peers() {
		endpoint := "192.0.2.7:51820"
		if p.Name != FirstPeer {
			endpoint = "[2001:db8::7]:51821"
		}
		got := b.Config(p, endpoint)
		golden := filepath.Join("testdata", p.Name+".conf")
		if *update {
			if err := os.WriteFile(golden, got, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v\n%s", golden, err, got)
		}
		path, err := b.WriteConfig(p, endpoint)
		if err != nil {
			t.Fatal(err)
		}
		written, err := os.ReadFile(path)
		if info, _ := os.Stat(path); err != nil || !bytes.Equal(written, want) || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %s", path, err, written)
		}
	}
	// The file goes with the device.
	if err := b.Remove("tablet 2"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(b.Folder(), configs, "tablet 2")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the configuration of a device that was removed: %v", err)
	}
}

// sample returns a copy of the book in testdata.
func sample(t testing.TB) *Book {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", bookFile))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, bookFile), content, 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The pair of keys is the first of RFC 7748, section 6.1.
func TestPublicKey(t *testing.T) {
	var private, public Key
	if err := private.UnmarshalText([]byte("dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=")); err != nil {
		t.Fatal(err)
	}
	if err := public.UnmarshalText([]byte("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=")); err != nil {
		t.Fatal(err)
	}
	if got, err := private.public(); got != public || err != nil {
		t.Errorf("public key %s, %v", got, err)
	}
	for _, bad := range []string{"", "dwdtCnMY", "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LC!=", "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=\n\n=", strings.Repeat("A", 44)} {
		if err := new(Key).UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is taken for a key", bad)
		}
	}
	made, err := newPrivateKey()
	if err != nil || made[0]&7 != 0 || made[31]&0xc0 != 0x40 {
		t.Errorf("%s is not clamped, %v", made, err)
	}
}

func TestNames(t *testing.T) {
	b := sample(t)
	for _, good := range []string{"a", "Tablet-2", "my phone", "pixel_8.a", strings.Repeat("x", maxName), "console"} {
		if _, err := b.Add(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", " ", ".", "..", "../x", "a/b", `a\b`, "a\x00b", "a\nb", "a\x1b[31m", "über", "\u202ephone", "-rf", ".conf", " a", "a ", "a.",
		"a:b", "con", "NUL", "com1.x", "Aux", "a*", strings.Repeat("x", maxName+1)} {
		_, err := b.Add(bad)
		if nameError := (*NameError)(nil); !errors.As(err, &nameError) || nameError.Hint() == "" || strings.ContainsAny(err.Error(), "\x1b\n\x00\u202e") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, taken := range []string{FirstPeer, "PHONE", "tablet-2"} {
		_, err := b.Add(taken)
		if folderError := (*FolderError)(nil); !errors.Is(err, ErrExists) || !errors.As(err, &folderError) || folderError.Hint() == "" {
			t.Errorf("%q: %v", taken, err)
		}
	}
	for _, unknown := range []string{"nobody", "", "Phone"} {
		if err := b.Remove(unknown); !errors.Is(err, ErrNoPeer) {
			t.Errorf("%q: %v", unknown, err)
		}
		if _, err := b.Peer(unknown); !errors.Is(err, ErrNoPeer) {
			t.Errorf("%q: %v", unknown, err)
		}
	}
}

func TestFullBook(t *testing.T) {
	b := sample(t)
	if err := b.change(func(s *state) error {
		for i := len(s.Peers); i < maxPeers; i++ {
			if err := s.add(fmt.Sprint("device-", i), time.Now()); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	seen := map[netip.Addr]bool{}
	for _, p := range b.Peers() {
		if last := p.IPv4.As4()[3]; seen[p.IPv4] || last < firstHost || last > lastHost {
			t.Errorf("%s has %s", p.Name, p.IPv4)
		}
		seen[p.IPv4] = true
	}
	if _, err := b.Add("one-more"); !errors.Is(err, ErrFull) {
		t.Errorf("one more than there may be: %v", err)
	}
	if err := b.Remove("device-100"); err != nil {
		t.Fatal(err)
	}
	if p, err := b.Add("one-more"); err != nil || seen[p.IPv4] {
		t.Errorf("after one went: %v, %v", p.IPv4, err)
	}
	if _, err := Open(b.Folder()); err != nil {
		t.Error("a full book cannot be opened:", err)
	}
}

// The addresses of a device that was removed are not those of the next one: what is
// recorded of it would count as the other's.
func TestAddressesAreNotUsedAgain(t *testing.T) {
	b := sample(t)
	removed, err := b.Peer("tablet 2") // of the file that does not say what was used
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Remove("tablet 2"); err != nil {
		t.Fatal(err)
	}
	if b, err = Open(b.Folder()); err != nil { // another process
		t.Fatal(err)
	}
	seen := map[netip.Addr]bool{removed.IPv4: true, removed.IPv6: true}
	for _, p := range b.Peers() {
		seen[p.IPv4], seen[p.IPv6] = true, true
	}
	free := lastHost - firstHost + 1 - len(seen)/2
	for i := range free + 1 {
		p, err := b.Add("x")
		if err != nil {
			t.Fatal(err)
		}
		again := i == free // when all were used
		if seen[p.IPv4] != again || seen[p.IPv6] != again || again && p.IPv4 != removed.IPv4 {
			t.Fatalf("%d: %s, %s", i, p.IPv4, p.IPv6)
		}
		seen[p.IPv4], seen[p.IPv6] = true, true
		if err := b.Remove("x"); err != nil {
			t.Fatal(err)
		}
	}
}

// Several processes change one folder: none loses what another wrote.
func TestManyWriters(t *testing.T) {
	folder := t.TempDir()
	const writers, each = 8, 5
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			b, err := Open(folder) // the first makes it
			if err != nil {
				t.Error(err)
				return
			}
			for i := range each {
				if _, err := b.Add(fmt.Sprintf("device-%d-%d", w, i)); err != nil {
					t.Error(err)
				}
			}
			if err := b.Remove(fmt.Sprintf("device-%d-0", w)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	b, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(b.Peers()); got != 1+writers*(each-1) {
		t.Errorf("%d peers", got)
	}
	if left, _ := filepath.Glob(filepath.Join(folder, tempPattern)); len(left) != 0 {
		t.Errorf("left over: %s", left)
	}
}

// Each kind of damage is told with the file and what was expected.
func TestDamagedBook(t *testing.T) {
	good, err := os.ReadFile(filepath.Join("testdata", bookFile))
	if err != nil {
		t.Fatal(err)
	}
	replaced := func(old, with string) string {
		if !bytes.Contains(good, []byte(old)) {
			t.Fatalf("no %q in the sample", old)
		}
		return strings.Replace(string(good), old, with, 1)
	}
	tests := map[string]struct{ content, says string }{
		"empty":             {"", "expected the JSON that telltale wrote"},
		"cut off":           {string(good[:len(good)/2]), "expected the JSON"},
		"something else":    {"[Interface]\nPrivateKey = x\n", "expected the JSON"},
		"more":              {string(good) + "{}", "nothing after the JSON"},
		"unknown field":     {replaced(`"port"`, `"gate"`), "unknown field"},
		"version":           {replaced(`"version": 1`, `"version": 2`), "expected version 1, found 2"},
		"no key":            {replaced(`"private_key": "dw`, `"secret_key": "dw`), "expected"},
		"key of wrong size": {replaced(`"dwdtCnMYpX08`, `"`), "a key has"},
		"key not base64":    {replaced(`"dwdtCnMYpX08`, `"!!!!`), "base64"},
		"subnet":            {replaced(`"10.86.0.0/24"`, `"10.86.0.0/16"`), "expected ipv4 to be"},
		"subnet with host":  {replaced(`"10.86.0.0/24"`, `"10.86.0.5/24"`), "expected ipv4 to be"},
		"subnet, IPv6":      {replaced(`"fd11:2233:4455::/64"`, `"10.0.0.0/24"`), "expected ipv6 to be"},
		"no subnet":         {replaced(`"10.86.0.0/24"`, `""`), "expected ipv4"},
		"peer's address":    {replaced(`"10.86.0.2"`, `"10.87.0.2"`), "peer 1: expected addresses in 10.86.0.0/24"},
		"tunnel's address":  {replaced(`"10.86.0.2"`, `"10.86.0.1"`), "peer 1: expected addresses"},
		"last address":      {replaced(`"port"`, `"last_host": 255, "port"`), "expected last_host to be at most 254, found 255"},
		"shared address":    {replaced(`"10.86.0.3"`, `"10.86.0.2"`), `peer 2: it shares an address or a key with "phone"`},
		"shared name":       {replaced(`"tablet 2"`, `"Phone"`), "peer 2: a second"},
		"name for a file":   {replaced(`"tablet 2"`, `"../../x"`), "peer 2: a device cannot be called"},
		"name of controls":  {replaced(`"tablet 2"`, `"\u001b[2J"`), "peer 2: a device cannot be called"},
		"too long":          {string(good) + strings.Repeat(" ", maxFile), "is too long"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			path := filepath.Join(folder, bookFile)
			if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Open(folder)
			folderError := (*FolderError)(nil)
			if !errors.As(err, &folderError) || folderError.File != path || folderError.Hint() == "" || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "\x1b") {
				t.Fatalf("%v", err)
			}
			if kept, err := os.ReadFile(path); err != nil || string(kept) != test.content {
				t.Errorf("the file was changed: %v", err)
			}
		})
	}
}

func TestFolderThatCannotBeUsed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, bookFile), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(file, "below"), folder} {
		_, err := Open(path)
		if folderError := (*FolderError)(nil); !errors.As(err, &folderError) || folderError.Hint() == "" || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestFreeSubnet(t *testing.T) {
	prefixes := func(list ...string) (out []netip.Prefix) {
		for _, s := range list {
			out = append(out, netip.MustParsePrefix(s))
		}
		return out
	}
	for _, test := range []struct {
		taken []netip.Prefix
		want  string
	}{
		{nil, "10.86.0.0/24"},
		{prefixes("192.168.1.0/24", "10.0.0.0/16", "fd00::/8"), "10.86.0.0/24"},
		{prefixes("10.86.0.128/25"), "10.86.1.0/24"},
		{prefixes("10.86.0.0/23", "10.86.2.7/32"), "10.86.3.0/24"},
		{prefixes("10.0.0.0/8"), "172.29.0.0/24"},
		{prefixes("10.0.0.0/8", "172.16.0.0/12"), "192.168.0.0/24"},
	} {
		if got, err := freeSubnet(test.taken); err != nil || got.String() != test.want {
			t.Errorf("beside %s: %s, %v, want %s", test.taken, got, err, test.want)
		}
	}
	if got, err := freeSubnet(prefixes("0.0.0.0/0")); err == nil {
		t.Errorf("beside everything: %s", got)
	}
	a, err := newUniqueLocal()
	b, _ := newUniqueLocal()
	if err != nil || a == b || a.Bits() != 64 || a != a.Masked() || !a.Addr().IsPrivate() {
		t.Errorf("%s and %s, %v", a, b, err)
	}
	networks, err := networksOfThisMachine()
	if err != nil || !overlapsAny(netip.MustParsePrefix("127.0.0.1/32"), networks) {
		t.Errorf("networks of this machine: %s, %v", networks, err)
	}
}
