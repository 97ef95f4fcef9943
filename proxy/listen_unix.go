//go:build unix

package proxy

import "syscall"

// noBroadcast takes from a socket what Go gives to all of UDP: that it may send to
// everybody in a network.
func noBroadcast(fd uintptr) error {
	return syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_BROADCAST, 0)
}
