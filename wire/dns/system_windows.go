package dns

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"unsafe"

	"golang.org/x/sys/windows"
)

// systemState is empty: Windows is asked again each time.
type systemState struct{}

// siteLocal holds the resolvers that Windows writes down where nobody named one. They
// answer nowhere (RFC 3879).
var siteLocal = netip.MustParsePrefix("fec0::/10")

// refresh asks for the resolvers of the adapters that are up, the preferred adapter
// first.
func (s *System) refresh() {
	adapters, err := adapters()
	if err != nil {
		s.keep(nil, fmt.Errorf("read the resolvers of this machine: %w", err))
		return
	}
	type resolver struct {
		metric uint32
		addr   netip.Addr
	}
	var found []resolver
	for a := adapters; a != nil; a = a.Next {
		if a.OperStatus != windows.IfOperStatusUp || a.IfType == windows.IF_TYPE_SOFTWARE_LOOPBACK {
			continue
		}
		for d := a.FirstDnsServerAddress; d != nil; d = d.Next {
			if addr := addrOfSocket(&d.Address); addr.IsValid() && !addr.IsUnspecified() && !siteLocal.Contains(addr.WithZone("")) {
				found = append(found, resolver{a.Ipv4Metric, addr})
			}
		}
	}
	slices.SortStableFunc(found, func(a, b resolver) int { return cmp.Compare(a.metric, b.metric) })
	var list []netip.Addr
	for _, r := range found {
		list = append(list, r.addr)
	}
	s.keep(list, nil)
}

// adapters asks for the list, which may grow while it is asked for.
func adapters() (*windows.IpAdapterAddresses, error) {
	const flags = windows.GAA_FLAG_SKIP_UNICAST | windows.GAA_FLAG_SKIP_ANYCAST | windows.GAA_FLAG_SKIP_MULTICAST | windows.GAA_FLAG_SKIP_FRIENDLY_NAME
	size := uint32(16 << 10)
	for range 4 {
		buffer := make([]uint64, (size+7)/8) // aligned for the pointers in it
		first := (*windows.IpAdapterAddresses)(unsafe.Pointer(&buffer[0]))
		err := windows.GetAdaptersAddresses(windows.AF_UNSPEC, flags, 0, first, &size)
		switch {
		case err == nil && size == 0, errors.Is(err, windows.ERROR_NO_DATA):
			return nil, nil
		case err == nil:
			return first, nil
		case !errors.Is(err, windows.ERROR_BUFFER_OVERFLOW):
			return nil, err
		}
	}
	return nil, windows.ERROR_BUFFER_OVERFLOW
}

func addrOfSocket(s *windows.SocketAddress) netip.Addr {
	if s.Sockaddr == nil {
		return netip.Addr{}
	}
	switch s.Sockaddr.Addr.Family {
	case windows.AF_INET:
		return netip.AddrFrom4((*windows.RawSockaddrInet4)(unsafe.Pointer(s.Sockaddr)).Addr)
	case windows.AF_INET6:
		raw := (*windows.RawSockaddrInet6)(unsafe.Pointer(s.Sockaddr))
		addr := netip.AddrFrom16(raw.Addr)
		if raw.Scope_id != 0 && addr.IsLinkLocalUnicast() {
			addr = addr.WithZone(strconv.FormatUint(uint64(raw.Scope_id), 10))
		}
		return addr
	}
	return netip.Addr{}
}
