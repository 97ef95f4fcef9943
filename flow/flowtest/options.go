package flowtest

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"telltale/flow"
)

// ID sets the flow's ID.
func ID(id flow.ID) Option { return func(f *flow.Flow) { f.ID = id } }

// At moves the flow so that it starts at [Epoch] plus after.
func At(after time.Duration) Option {
	return func(f *flow.Flow) {
		start := Epoch.Add(after)
		if !f.Times.End.IsZero() {
			f.Times.End = start.Add(f.Times.End.Sub(f.Times.Start))
		}
		f.Times.Start = start
	}
}

// Mode sets the way in.
func Mode(mode string) Option { return func(f *flow.Flow) { f.Mode = mode } }

// From sets the client's address.
func From(addr string) Option {
	return func(f *flow.Flow) { f.Client.Addr = netip.MustParseAddrPort(addr) }
}

// Device names the client's device.
func Device(name string) Option { return func(f *flow.Flow) { f.Client.Device = name } }

// UserAgentOf replaces the User-Agent; "" removes it.
func UserAgentOf(ua string) Option {
	return func(f *flow.Flow) {
		f.Request.Header = without(f.Request.Header, "User-Agent")
		if ua != "" {
			f.Request.Header = append(f.Request.Header, flow.NewField("User-Agent", ua))
		}
	}
}

// Header adds a header field to the request.
func Header(name, value string) Option {
	return func(f *flow.Flow) { f.Request.Header = append(f.Request.Header, flow.NewField(name, value)) }
}

// ResponseHeader adds a header field to the response.
func ResponseHeader(name, value string) Option {
	return func(f *flow.Flow) { f.Response.Header = append(f.Response.Header, flow.NewField(name, value)) }
}

// RequestBody sets the content of the request.
func RequestBody(s string) Option {
	return func(f *flow.Flow) { f.Request.Body = flow.Body{Size: int64(len(s)), Content: []byte(s)} }
}

// ResponseBody sets the content of the response and its Content-Type.
func ResponseBody(contentType, s string) Option {
	return func(f *flow.Flow) {
		f.Response.Header = append(f.Response.Header, flow.NewField("Content-Type", contentType))
		f.Response.Body = flow.Body{Size: int64(len(s)), Content: []byte(s)}
	}
}

// Status sets the response's status and reason.
func Status(code int) Option {
	return func(f *flow.Flow) { f.Response.Status, f.Response.Reason = code, reasons[code] }
}

// Proto sets the protocol of both messages, "HTTP/2" for instance.
func Proto(proto string) Option {
	return func(f *flow.Flow) {
		f.Request.Proto = proto
		if f.Response != nil {
			f.Response.Proto = proto
			if proto != "HTTP/1.1" {
				f.Response.Reason = "" // HTTP/2 has none: RFC 9113, 8.3.2
			}
		}
	}
}

// Asked sets what the client asked for, "host:port".
func Asked(target string) Option { return func(f *flow.Flow) { f.Server.Asked = target } }

// SNI sets the server name of the client's hello.
func SNI(name string) Option {
	return func(f *flow.Flow) {
		f.Server.SNI = name
		if f.Client.Hello != nil {
			hello := *f.Client.Hello
			hello.ServerName = name
			f.Client.Hello = &hello
		}
	}
}

// Host sets the Host header, in the header list too.
func Host(name string) Option {
	return func(f *flow.Flow) {
		f.Server.Host = name
		rest := without(f.Request.Header, "Host")
		f.Request.Header = append([]flow.Field{flow.NewField("Host", name)}, rest...)
	}
}

// Dialed sets the address that was connected to, "192.0.2.1:443".
func Dialed(addr string) Option {
	return func(f *flow.Flow) { f.Server.Dialed = netip.MustParseAddrPort(addr) }
}

// TLS sets the version towards the server, as in crypto/tls.
func TLS(version uint16) Option {
	return func(f *flow.Flow) { f.Server.TLS.Version = version }
}

// InvalidCertificate says why the server's certificate was not accepted.
func InvalidCertificate(why string) Option {
	return func(f *flow.Flow) {
		if f.Server.TLS == nil {
			f.Server.TLS = &flow.ServerTLS{}
		}
		f.Server.TLS.Invalid = why
	}
}

// Outcome sets how the flow ended. Open takes its end away.
func Outcome(o flow.Outcome) Option {
	return func(f *flow.Flow) {
		f.Outcome = o
		if o == flow.Open {
			f.Times.End = time.Time{}
		}
	}
}

// Failure sets the class and the sentence of an upstream failure.
func Failure(class, message string) Option {
	return func(f *flow.Flow) { f.Outcome, f.Failure, f.Error = flow.UpstreamFailed, class, message }
}

// Experiments sets the experiments that altered the flow.
func Experiments(names ...string) Option {
	return func(f *flow.Flow) { f.Experiments = names }
}

// Altered adds what telltale changed on the wire.
func Altered(what ...string) Option {
	return func(f *flow.Flow) { f.Altered = append(f.Altered, what...) }
}

// Phase sets the operator's mark.
func Phase(name string) Option { return func(f *flow.Flow) { f.Phase = name } }

// Origin says where the flow stands in a file.
func Origin(capture string, entry, line int) Option {
	return func(f *flow.Flow) { f.Origin = flow.Origin{Capture: capture, Entry: entry, Line: line} }
}

var reasons = map[int]string{
	101: "Switching Protocols", 200: "OK", 204: "No Content", 301: "Moved Permanently", 302: "Found",
	304: "Not Modified", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
	500: "Internal Server Error", 502: "Bad Gateway", 504: "Gateway Timeout",
}

func without(fields []flow.Field, name string) []flow.Field {
	var kept []flow.Field
	for _, f := range fields {
		if !strings.EqualFold(f.Name, name) {
			kept = append(kept, f)
		}
	}
	return kept
}

// hostPort returns host:port of an absolute URL, with its scheme's port.
func hostPort(url string) string {
	scheme, rest, _ := strings.Cut(url, "://")
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	if scheme == "http" || scheme == "ws" {
		return withPort(rest, "80")
	}
	return withPort(rest, "443")
}

func withPort(target, port string) string {
	host, p := flow.SplitHostPort(target)
	if p != "" {
		return target
	}
	return net.JoinHostPort(host, port)
}

func portNumber(s string) uint16 {
	n, _ := strconv.ParseUint(s, 10, 16)
	return uint16(n)
}
