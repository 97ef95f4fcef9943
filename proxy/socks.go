package proxy

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strconv"
)

// Numbers of SOCKS5 (RFC 1928, 3 to 6; RFC 1929).
const (
	socksVersion  = 5
	socks4Version = 4
	loginVersion  = 1

	methodOpen  = 0x00
	methodLogin = 0x02
	methodNone  = 0xff

	commandConnect   = 1
	commandBind      = 2
	commandAssociate = 3

	addressV4   = 1
	addressName = 3
	addressV6   = 4
)

// socksReply is the code of an answer (RFC 1928, 6).
type socksReply byte

const (
	socksGranted     socksReply = 0
	socksFailed      socksReply = 1
	socksForbidden   socksReply = 2
	socksNoNetwork   socksReply = 3
	socksNoHost      socksReply = 4
	socksRefused     socksReply = 5
	socksNoCommand   socksReply = 7
	socksNoAddresses socksReply = 8
)

// errShort asks for more bytes.
var errShort = errors.New("the message is not whole yet")

// socksError is a message that is not to be served.
type socksError struct {
	reply  socksReply
	reason string
}

func (e *socksError) Error() string { return e.reason }

// endpoint is what a client names: an address, or a name that is ours to resolve.
type endpoint struct {
	to    netip.AddrPort // zero for a name
	asked string         // host:port
}

// socksRequest is what a client wants (RFC 1928, 4).
type socksRequest struct {
	command byte
	endpoint
}

// parseGreeting reads the methods of authentication that a client offers.
func parseGreeting(b []byte) (methods []byte, n int, err error) {
	switch {
	case len(b) == 0:
		return nil, 0, errShort
	case b[0] != socksVersion:
		return nil, 0, &socksError{socksFailed, "a greeting that is not of SOCKS5"}
	case len(b) < 2 || len(b) < 2+int(b[1]):
		return nil, 0, errShort
	}
	n = 2 + int(b[1])
	return b[2:n], n, nil
}

// login is a user with a password, as the client sent them.
type login struct{ user, password string }

// parseLogin reads user and password (RFC 1929, 2).
func parseLogin(b []byte) (l login, n int, err error) {
	if len(b) > 0 && b[0] != loginVersion {
		return l, 0, &socksError{socksFailed, "a login of a version that RFC 1929 does not know"}
	}
	user, n, ok := counted(b, 1)
	if !ok {
		return l, 0, errShort
	}
	password, n, ok := counted(b, n)
	if !ok {
		return l, 0, errShort
	}
	return login{string(user), string(password)}, n, nil
}

// counted returns the bytes that are announced by the one at i, and where they end.
func counted(b []byte, i int) (field []byte, end int, ok bool) {
	if len(b) <= i || len(b) < i+1+int(b[i]) {
		return nil, 0, false
	}
	end = i + 1 + int(b[i])
	return b[i+1 : end], end, true
}

// parseSOCKSRequest reads a request. What can be told of one that is not to be served is
// returned with the error.
func parseSOCKSRequest(b []byte) (r socksRequest, n int, err error) {
	switch {
	case len(b) > 0 && b[0] != socksVersion:
		return r, 0, &socksError{socksFailed, "a request that is not of SOCKS5"}
	case len(b) < 4:
		return r, 0, errShort
	}
	r.command = b[1]
	r.endpoint, n, err = parseEndpoint(b, 3)
	return r, n, err
}

// parseEndpoint reads type, address and port, from i on, and returns where they end.
func parseEndpoint(b []byte, i int) (e endpoint, n int, err error) {
	if len(b) <= i {
		return e, 0, errShort
	}
	var addr netip.Addr
	var name string
	switch kind := b[i]; kind {
	case addressV4, addressV6:
		size := 4
		if kind == addressV6 {
			size = 16
		}
		if n = i + 1 + size; len(b) >= n {
			addr, _ = netip.AddrFromSlice(b[i+1 : n])
		}
	case addressName:
		field, end, ok := counted(b, i+1)
		if !ok {
			return e, 0, errShort
		}
		name, n = string(field), end
	default:
		return e, 0, &socksError{socksNoAddresses, "an address of a type that RFC 1928 does not know"}
	}
	if len(b) < n+2 {
		return e, 0, errShort
	}
	e, err = newEndpoint(addr, name, binary.BigEndian.Uint16(b[n:]))
	return e, n + 2, err
}

// newEndpoint checks a name. One that is an address in letters is that address.
func newEndpoint(addr netip.Addr, name string, port uint16) (endpoint, error) {
	if !addr.IsValid() {
		addr, _ = netip.ParseAddr(name)
		addr = addr.WithZone("") // the device's zones are not ours
	}
	if !addr.IsValid() {
		if checkName(name) != nil {
			return endpoint{}, &socksError{socksFailed, "a request for something that is no host name and no address"}
		}
		return endpoint{asked: net.JoinHostPort(name, strconv.Itoa(int(port)))}, nil
	}
	to := netip.AddrPortFrom(addr.Unmap(), port)
	return endpoint{to, to.String()}, nil
}

// appendEndpoint writes an address, or the name that a client used, with its port.
func appendEndpoint(b []byte, e endpoint) []byte {
	if !e.to.IsValid() {
		host, port, _ := net.SplitHostPort(e.asked)
		n, _ := strconv.ParseUint(port, 10, 16)
		b = append(b, addressName, byte(len(host)))
		b = append(b, host...)
		return binary.BigEndian.AppendUint16(b, uint16(n))
	}
	kind := byte(addressV4)
	if e.to.Addr().Is6() {
		kind = addressV6
	}
	b = append(b, kind)
	b = append(b, e.to.Addr().AsSlice()...)
	return binary.BigEndian.AppendUint16(b, e.to.Port())
}

// socksAnswer is the answer to a request: with at, the address of a relay, or with none.
func socksAnswer(reply socksReply, at netip.AddrPort) []byte {
	if !at.IsValid() {
		at = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	}
	return appendEndpoint([]byte{socksVersion, byte(reply), 0}, endpoint{to: at})
}

// parseSOCKSDatagram reads the header of a datagram to a relay (RFC 1928, 7). dropped
// says why one is not forwarded.
func parseSOCKSDatagram(b []byte) (e endpoint, payload []byte, dropped string) {
	if len(b) < 4 {
		return e, nil, dropUnread
	}
	e, n, err := parseEndpoint(b, 3)
	switch {
	case err != nil || b[0]|b[1] != 0:
		return e, nil, dropUnread
	case b[2] != 0:
		return e, nil, dropFragment
	}
	return e, b[n:], ""
}

// parseSOCKS4 reads whom a request of SOCKS4, or of its extension 4A with names, is for:
// "" where it does not say.
func parseSOCKS4(b []byte) (asked string) {
	if len(b) < 9 {
		return ""
	}
	port := strconv.Itoa(int(binary.BigEndian.Uint16(b[2:])))
	addr := netip.AddrFrom4([4]byte(b[4:8]))
	if !thisNetwork.Contains(addr) {
		return net.JoinHostPort(addr.String(), port)
	}
	_, rest, _ := cutZero(b[8:])
	if name, _, whole := cutZero(rest); whole && checkName(name) == nil {
		return net.JoinHostPort(name, port)
	}
	return ""
}

func cutZero(b []byte) (before string, after []byte, found bool) {
	for i := range b {
		if b[i] == 0 {
			return string(b[:i]), b[i+1:], true
		}
	}
	return "", nil, false
}
