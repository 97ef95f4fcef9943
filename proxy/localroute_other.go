//go:build !linux

package proxy

import "net/netip"

// routedHere is of use on Linux alone: other systems have no routes that make whole
// prefixes their own, and reach each of their addresses from itself.
func routedHere(netip.Addr) bool { return false }
