package proxy

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
)

// The kernel keeps datagrams from going to everybody, whatever the guard let through.
func TestSocketsDoNotBroadcast(t *testing.T) {
	service, err := net.ListenUDP("udp4", nil)
	must(t, err)
	defer service.Close()
	c, err := listenUnicast("udp4")
	must(t, err)
	defer c.Close()
	port := addrPort(service.LocalAddr()).Port()
	if _, err := c.WriteToUDPAddrPort([]byte("x"), netip.AddrPortFrom(netip.MustParseAddr("127.255.255.255"), port)); !errors.Is(err, os.ErrPermission) {
		t.Errorf("to everybody: %v", err)
	}
	if _, err := c.WriteToUDPAddrPort([]byte("x"), netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)); err != nil {
		t.Errorf("to one: %v", err)
	}
}
