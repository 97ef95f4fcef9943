package proxy

import (
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// A prefix that is routed to this machine itself is on no interface, and refused like
// the addresses that are, wherever the kernel would take the source from.
func TestRoutesToThisMachineAreSeen(t *testing.T) {
	if os.Getenv("TELLTALE_IN_NETNS") == "" {
		inNetworkOfItsOwn(t)
		return
	}
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"addr", "add", "2001:db8:5::1/64", "dev", "lo", "nodad"},
		{"-6", "route", "add", "local", "2001:db8:77::/96", "dev", "lo"},
		{"-6", "route", "add", "local", "fd00:77::/96", "dev", "lo"},
		{"route", "add", "local", "192.0.2.0/24", "dev", "lo"},
		{"-6", "route", "add", "unreachable", "2001:db8:99::/64"},
	} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v: %s", args, err, out)
		}
	}
	d := newDialer(&Config{}, newNetwork())
	for addr, here := range map[string]bool{
		"2001:db8:77::5": true, "fd00:77::5": true, "192.0.2.7": true, "2001:db8:5::1": true,
		"2001:db8:99::1": false, "2001:db8:5::2": false,
	} {
		var denied *deniedError
		err := d.guard(netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr(addr))
		if errors.As(err, &denied) != here || here && denied.what != ownAddress {
			t.Errorf("%s: %v, want it refused: %v", addr, err, here)
		}
	}
}

// inNetworkOfItsOwn runs the test again in a network namespace, where it may add
// routes.
func inNetworkOfItsOwn(t *testing.T) {
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("no ip(8) on this machine to add routes with")
	}
	c := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	c.Env = append(os.Environ(), "TELLTALE_IN_NETNS=1")
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		t.Errorf("%v:\n%s", err, out)
	case err != nil:
		t.Skipf("this machine lets the test have no network of its own: %v", err)
	}
}
