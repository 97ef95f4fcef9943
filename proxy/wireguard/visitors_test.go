package wireguard

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func visit(t testing.TB, b *Book, name, from string, used map[Key]time.Time) Peer {
	t.Helper()
	p, err := b.AddVisitor(name, netip.MustParseAddr(from), used)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func visitors(b *Book) map[string]bool {
	names := map[string]bool{}
	for _, p := range b.Peers() {
		if p.Visitor.IsValid() {
			names[p.Name] = true
		}
	}
	return names
}

// The book tells the keys that the page made from those that a person asked for, also when
// it is read again.
func TestVisitorsAreFlagged(t *testing.T) {
	b := sample(t)
	named := len(b.Peers())
	first := visit(t, b, "Pixel 192.168.1.20", "192.168.1.20", nil)
	second := visit(t, b, "Pixel 192.168.1.20", "::ffff:192.168.1.20", nil)
	if first.Name != "Pixel 192.168.1.20" || second.Name != "Pixel 192.168.1.20 2" || first.PublicKey == second.PublicKey || second.Visitor != first.Visitor {
		t.Errorf("%s and %s", first.Name, second.Name)
	}
	again, err := Open(b.Folder())
	if err != nil {
		t.Fatal(err)
	}
	if peers := again.Peers(); len(peers) != named+2 || peers[0].Visitor.IsValid() || peers[named] != first || peers[named+1] != second {
		t.Errorf("read again: %v", peers)
	}
	content, err := os.ReadFile(filepath.Join(b.Folder(), bookFile))
	if err != nil || strings.Count(string(content), `"visitor": "192.168.1.20"`) != 2 || strings.Contains(string(content), `"used"`) {
		t.Errorf("%v: %s", err, content)
	}
	if _, err := b.AddVisitor("../x", first.Visitor, nil); err == nil {
		t.Error("a name that no file may have")
	}
	long := strings.Repeat("x", maxName)
	visit(t, b, long, "192.168.1.21", nil)
	if p := visit(t, b, long, "192.168.1.21", nil); p.Name != long[:maxName-2]+" 2" {
		t.Errorf("a long name: %q", p.Name)
	}
}

// Who has used the tunnel longest ago makes room: never a device that a person named, and
// none with a session as long as others have none.
func TestVisitorsMakeRoom(t *testing.T) {
	b := sample(t)
	named := len(b.Peers())
	used := map[Key]time.Time{}
	for i := range MaxVisitors {
		p := visit(t, b, fmt.Sprint("old-", i), fmt.Sprintf("10.0.0.%d", i+1), nil)
		used[p.PublicKey] = time.Now().Add(time.Hour + time.Duration(i)*time.Minute)
		if i == 7 {
			used[p.PublicKey] = time.Now().Add(time.Minute)
			if _, err := b.WriteConfig(p, "192.0.2.1:51820"); err != nil {
				t.Fatal(err)
			}
		}
	}
	first := visit(t, b, "new-1", "10.0.1.1", used)
	if left := visitors(b); len(left) != MaxVisitors || left["old-7"] || !left["old-0"] || !left[first.Name] {
		t.Errorf("visitors %v", left)
	}
	if _, err := os.Stat(b.configPath("old-7")); !os.IsNotExist(err) {
		t.Errorf("its configuration is still there: %v", err)
	}
	if visit(t, b, "new-2", "10.0.1.2", used); visitors(b)["new-1"] || !visitors(b)["old-0"] {
		t.Errorf("one that was never used stays, and one in use goes: %v", visitors(b))
	}
	again, err := Open(b.Folder()) // by another process, which saw no handshake
	if err != nil {
		t.Fatal(err)
	}
	if visit(t, again, "new-3", "10.0.1.3", nil); visitors(again)["new-2"] || !visitors(again)["old-0"] {
		t.Errorf("what was used is forgotten: %v", visitors(again))
	}
	if got := len(again.Peers()); got != named+MaxVisitors {
		t.Errorf("%d peers", got)
	}
}

// A device has more addresses of IPv6 than there are places.
func TestNeighboursTakeTheirOwnPlaces(t *testing.T) {
	b := sample(t)
	visit(t, b, "other", "2001:db8:0:1::1", nil)
	visit(t, b, "fourth", "192.168.1.20", nil)
	for i := range 2 * MaxVisitors {
		visit(t, b, fmt.Sprint("many-", i), fmt.Sprintf("2001:db8::%x", i+1), nil)
	}
	left := visitors(b)
	if len(left) != 2+maxNeighbours || !left["other"] || !left["fourth"] || !left[fmt.Sprint("many-", 2*MaxVisitors-1)] {
		t.Errorf("visitors %v", left)
	}
}

// A tunnel for named devices alone has no key of another.
func TestNamedOnly(t *testing.T) {
	r := open(t, "127.0.0.1:0")
	stranger, err := r.AddVisitor("stranger", netip.MustParseAddr("192.168.1.20"))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := r.device.IpcGet(); err != nil || !strings.Contains(text, stranger.PublicKey.hex()) {
		t.Errorf("%v: it is not let in at once", err)
	}
	r.Close()
	strict, err := Listen(Options{Book: r.Book(), Addr: r.Addr().String(), Proxy: r.recorder, NamedOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer strict.Close()
	tablet, err := strict.Add("tablet")
	if err != nil {
		t.Fatal(err)
	}
	if err := strict.Sync(); err != nil {
		t.Fatal(err)
	}
	text, err := strict.device.IpcGet()
	if err != nil || strings.Contains(text, stranger.PublicKey.hex()) || !strings.Contains(text, tablet.PublicKey.hex()) || !strings.Contains(text, r.first(t).PublicKey.hex()) {
		t.Errorf("%v: %s", err, text)
	}
	if (*strict.peers.Load())[stranger.IPv4] != nil || strict.stale() {
		t.Error("the stranger has an address, or the tunnel looks changed for ever")
	}
	if s, err := strict.Peers(); err != nil || len(s) != 2 {
		t.Errorf("%v, %v", s, err)
	}
}

// When visitors were there is kept for the next audit.
func TestUseIsKept(t *testing.T) {
	r := open(t, "127.0.0.1:0")
	p, err := r.AddVisitor("stranger", netip.MustParseAddr("192.168.1.20"))
	if err != nil {
		t.Fatal(err)
	}
	r.onArrive(echo)
	c, err := r.phone(t, p).DialTCPAddrPort(addr("203.0.113.1:443"))
	if err != nil {
		t.Fatal(err)
	}
	roundTrip(t, c, "here")
	c.Close()
	r.Close()
	b, err := Open(r.Book().Folder())
	if err != nil {
		t.Fatal(err)
	}
	if s := b.state.Peers; len(s) != 2 || s[1].Used.IsZero() || time.Since(s[1].Used) > time.Minute || !s[0].Used.IsZero() {
		t.Errorf("used %v, %v", s[0].Used, s[1].Used)
	}
}
