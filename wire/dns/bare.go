package dns

import (
	"slices"
	"strings"

	mdns "github.com/miekg/dns"
)

// Bare returns a response without what would take the client out of sight: the keys of
// Encrypted Client Hello, which would hide the server's name, and the offer of HTTP/3,
// which would make the client leave TCP (RFC 9460, 7 and RFC 9848). altered says, in
// words, what went; where that is nothing, out is b itself.
//
// A record whose every protocol would have to go is left out as a whole. The bit that
// says the answer was validated (AD) is cleared with any change; signatures stay as they
// are, and no longer fit.
func Bare(b []byte) (out []byte, altered []string) {
	if !mayHaveService(b) {
		return b, nil
	}
	var msg mdns.Msg
	if unpack(&msg, b) != nil || !msg.Response {
		return b, nil
	}
	for _, section := range []*[]mdns.RR{&msg.Answer, &msg.Ns, &msg.Extra} {
		*section = slices.DeleteFunc(*section, func(rr mdns.RR) bool {
			service := serviceOf(rr)
			if service == nil {
				return false
			}
			what, gone := bare(service)
			for _, w := range what {
				if !slices.Contains(altered, w) {
					altered = append(altered, w)
				}
			}
			return gone
		})
	}
	if len(altered) == 0 {
		return b, nil
	}
	msg.AuthenticatedData = false
	msg.Compress = true
	out, err := msg.Pack()
	if err != nil || len(out) > MaxSize {
		return b, nil
	}
	return out, altered
}

// mayHaveService reports whether the type of a record that Bare alters may be in a
// message. Most have none, and need not be read.
func mayHaveService(b []byte) bool {
	for i := HeaderSize; i+1 < len(b); i++ {
		if b[i] == 0 && (b[i+1] == byte(mdns.TypeHTTPS) || b[i+1] == byte(mdns.TypeSVCB)) {
			return true
		}
	}
	return false
}

// bare alters one record. gone says that nothing usable is left of it.
func bare(rr *mdns.SVCB) (what []string, gone bool) {
	var removed []mdns.SVCBKey
	hasDefault := true
	record := typeName(rr.Hdr.Rrtype) + " record of " + plainName(rr.Hdr.Name)
	rr.Value = slices.DeleteFunc(rr.Value, func(param mdns.SVCBKeyValue) bool {
		switch param := param.(type) {
		case *mdns.SVCBNoDefaultAlpn:
			hasDefault = false
		case *mdns.SVCBECHConfig:
			what = append(what, "ech removed from the "+record)
			removed = append(removed, mdns.SVCB_ECHCONFIG)
			return true
		case *mdns.SVCBAlpn:
			before := len(param.Alpn)
			param.Alpn = slices.DeleteFunc(param.Alpn, isHTTP3)
			if len(param.Alpn) == before {
				return false
			}
			what = append(what, "h3 removed from the "+record)
			if len(param.Alpn) == 0 {
				removed = append(removed, mdns.SVCB_ALPN)
				return true
			}
		}
		return false
	})
	if slices.Contains(removed, mdns.SVCB_ALPN) && !hasDefault {
		return []string{record + " removed, which offers h3 alone"}, true
	}
	rr.Value = withoutMandatory(rr.Value, removed)
	return what, false
}

// withoutMandatory takes keys out of the list of those that a client must understand: a
// record that lists a key which it does not have is malformed (RFC 9460, 8).
func withoutMandatory(params []mdns.SVCBKeyValue, removed []mdns.SVCBKey) []mdns.SVCBKeyValue {
	if len(removed) == 0 {
		return params
	}
	return slices.DeleteFunc(params, func(param mdns.SVCBKeyValue) bool {
		m, ok := param.(*mdns.SVCBMandatory)
		if !ok {
			return false
		}
		m.Code = slices.DeleteFunc(m.Code, func(k mdns.SVCBKey) bool { return slices.Contains(removed, k) })
		return len(m.Code) == 0
	})
}

// isHTTP3 knows HTTP/3 and its drafts ("h3-29") by their names (RFC 9114, 3.1).
func isHTTP3(id string) bool { return id == "h3" || strings.HasPrefix(id, "h3-") }
