package hotspot

import (
	"errors"
	"flag"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"telltale/setup/drive"
)

var update = flag.Bool("update", false, "write the goldens anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
	}
}

func rules(t *testing.T) Rules {
	t.Helper()
	r, err := New("wlan0", 8081)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRules(t *testing.T) {
	t.Parallel()
	golden(t, "rules.nft", rules(t).Text())
	golden(t, "owned.nft", rules(t).Owned()+"\n")
	if n := strings.Count(rules(t).Owned(), "\n"); n > 0 {
		t.Errorf("nft -i reads a line at a time, and the rules have %d line ends", n)
	}
}

// nft itself reads the rules, in a network namespace of its own.
func TestNFTTakesTheRules(t *testing.T) {
	t.Parallel()
	nft, err := exec.LookPath("nft")
	if err != nil {
		t.Skip("nft is not installed")
	}
	inside := func(script, input string) ([]byte, error) {
		c := exec.Command("unshare", "--net", "sh", "-c", script, nft)
		c.Stdin = strings.NewReader(input)
		return c.CombinedOutput()
	}
	if out, err := inside("true", ""); err != nil {
		t.Skipf("no network namespace can be made here: %s", out)
	}
	r := rules(t)
	out, err := inside(`"$0" -c -f - && echo fine`, r.Text())
	if err != nil || string(out) != "fine\n" {
		t.Errorf("the file: %v\n%s", err, out)
	}
	// The first list shows the table while its owner runs, the second that it went with it.
	out, err = inside(`"$0" -i && echo gone && "$0" list ruleset`, r.Owned()+"\nlist table "+Table+"\n")
	before, after, _ := strings.Cut(string(out), "gone\n")
	if err != nil || !strings.Contains(before, "flags owner") || !strings.Contains(before, "redirect to :8081") || after != "" {
		t.Errorf("the owned table: %v\n%s", err, out)
	}
}

func TestNewRefusesWhatIsNoInterface(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "lo", ".", "..", "a b", "a/b", `a"b`, "wlan0;flush", "eth0\n", "\x1b[2J", "wlan*", "eth0:1", "sixteen-letters-", "wlän"} {
		if _, err := New(name, 8081); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
	if _, err := New("wlan0", 0); err == nil {
		t.Error("port 0 is taken")
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	addr := func(list ...string) (all []netip.Addr) {
		for _, a := range list {
			all = append(all, netip.MustParseAddr(a))
		}
		return all
	}
	eth := Link{"eth0", addr("192.168.1.2"), true}
	wlan := Link{"wlan0", addr("fe80::1", "10.42.0.1"), false}
	bridge := Link{"br0", addr("172.16.0.1"), false}
	six := Link{"six0", addr("fd00::1"), false}
	for _, test := range []struct {
		links      []Link
		want, says string
		flags      string
	}{
		{[]Link{eth, wlan, six}, "wlan0", "", ""},
		{[]Link{eth, wlan, bridge}, "", "the devices may be behind any of the interfaces wlan0, br0", "--interface wlan0"},
		{[]Link{eth, six}, "", "no interface looks like a hotspot: of eth0, six0, each has no private IPv4 address or leads to the internet", "--interface eth0"},
		{nil, "", "this machine has no network interface that a hotspot could be on", ""},
		{[]Link{{"lo", addr("10.0.0.1"), false}}, "", "this machine has no network interface that a hotspot could be on", ""},
	} {
		got, err := Choose(test.links)
		var choice *drive.ChoiceError
		if errors.As(err, &choice) {
			if choice.Problem != test.says || strings.Join(choice.Flags, " ") != test.flags || choice.Hint() == "" {
				t.Errorf("%v: %q, flags %q, hint %q", test.links, choice.Problem, choice.Flags, choice.Hint())
			}
		} else if err != nil || test.says != "" {
			t.Errorf("%v: %v", test.links, err)
		}
		if got != test.want {
			t.Errorf("%v: %q, want %q", test.links, got, test.want)
		}
	}
}

func TestKnown(t *testing.T) {
	links := []Link{{Name: "eth0"}, {Name: "wlan0"}}
	if err := Known("wlan0", links); err != nil {
		t.Error(err)
	}
	if err := Known("nosuch0", links); err == nil || !strings.Contains(err.Error(), "no interface nosuch0 that is up, but eth0, wlan0") {
		t.Errorf("%v", err)
	}
	if err := Known("nosuch0", nil); err == nil || !strings.Contains(err.Error(), "no interface nosuch0") {
		t.Errorf("%v", err)
	}
}
