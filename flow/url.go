package flow

import (
	"net"
	"strings"
)

// URL returns the absolute URL of the request. What has none is written as one:
//
//   - a tunnel and an imported contact as https://host for TLS on port 443 and
//     tcp://host:port for the rest (udp://host:port where a contact's Speech is one of
//     datagrams), a contact of which no port is known as contact:host;
//   - datagrams as udp://host:port, pings as icmp://host, packets of other protocols as
//     ip://host;
//   - a DNS question as dns:name (RFC 4501).
//
// The host is that of [Flow.Host] where clients ask for addresses.
func (f *Flow) URL() string {
	if f.Request != nil && f.Request.URL != "" {
		return f.Request.URL
	}
	asked := f.Server.Asked
	if asked == "" || f.asksByAddress() {
		asked = f.authority()
	}
	if asked == "" {
		return ""
	}
	switch f.Kind {
	case DNS:
		return "dns:" + CanonicalHost(asked)
	case UDP:
		return "udp://" + asked
	case ICMP:
		return "icmp://" + bracketed(f.Host())
	case IP:
		return "ip://" + bracketed(f.Host())
	case Contact:
		return f.contactURL()
	}
	if f.Client.Hello != nil || f.Outcome == ClientRefused || f.Outcome == ClientSilent || f.Outcome == HandshakeFailed {
		return "https://" + trimPort(asked, ":443")
	}
	return "tcp://" + asked
}

func (f *Flow) contactURL() string {
	switch host, port := f.Host(), f.Port(); port {
	case "":
		return "contact:" + host
	case "443":
		return "https://" + bracketed(host)
	default:
		scheme := "tcp"
		if speaksDatagrams(f.Speech) {
			scheme = "udp"
		}
		return scheme + "://" + net.JoinHostPort(host, port)
	}
}

// speaksDatagrams reports whether a Speech is of a protocol over UDP.
func speaksDatagrams(speech string) bool {
	switch speech {
	case "UDP", "NTP", "STUN", "DNS over QUIC", SpeechDNS:
		return true
	}
	return strings.HasPrefix(speech, "QUIC")
}

// authority returns the host, with its port where one is known.
func (f *Flow) authority() string {
	host, port := f.Host(), f.Port()
	if host == "" || port == "" {
		return host
	}
	return net.JoinHostPort(host, port)
}

// bracketed returns a host as URLs have it (RFC 3986, 3.2.2).
func bracketed(host string) string {
	if strings.IndexByte(host, ':') >= 0 && isAddress(host) {
		return "[" + host + "]"
	}
	return host
}

// WithoutFragment returns the flow without the fragment of its URL, which is no part of what a client
// sends (RFC 9110, 7.1), though a browser's HAR has it. It is the flow itself where there is
// none, and shares everything else with it otherwise.
func (f *Flow) WithoutFragment() *Flow {
	if f.Request == nil {
		return f
	}
	target, _, has := strings.Cut(f.Request.URL, "#")
	if !has {
		return f
	}
	sent, request := *f, *f.Request
	request.URL = target
	sent.Request = &request
	return &sent
}
