package har

import (
	"net"
	"strconv"
	"strings"

	"telltale/flow"
)

// target is where an entry's URL leads.
type target struct {
	url    string // absolute
	scheme string // in lower case
	host   string // as written, without brackets; "" when the URL names none
	port   string // the scheme's where the URL has none; "" when that is not known
	local  string // scheme of a URL that names no server; "" for the others
}

func (t target) secure() bool { return t.scheme == "https" || t.scheme == "wss" }

// hostPort is the host alone where no port is known: that of a foreign protocol.
func (t target) hostPort() string {
	if t.port == "" {
		return strings.TrimSuffix(net.JoinHostPort(t.host, ""), ":")
	}
	return net.JoinHostPort(t.host, t.port)
}

func (t target) portNumber() uint16 {
	n, _ := strconv.ParseUint(t.port, 10, 16) // a bad port is none
	return uint16(n)
}

// target finds out where the entry's request went. A relative URL is resolved
// against :authority or Host, as AdGuard for Android needs it. A scheme that
// nobody here knows is taken for a protocol, if a host follows it: a contact too
// many is seen and excused, one too few is not.
func (d *reader) target() target {
	url := strings.TrimSpace(d.draft.url)
	scheme := schemeOf(url)
	if isLocal(scheme) {
		return target{local: scheme}
	}
	if scheme == "" {
		url = d.absolute(url)
		scheme = schemeOf(url)
	}
	t := target{url: url, scheme: scheme}
	authority := flow.Authority(url)
	if namesHostAtOnce(scheme) && authority == "" {
		authority = beforePath(url[len(scheme)+1:])
	}
	t.host, t.port = flow.SplitHostPort(authority)
	if t.port == "" {
		t.port = ports[scheme]
		if d.draft.port > 0 && d.draft.port < 1<<16 && t.port == "" {
			t.port = strconv.FormatInt(d.draft.port, 10)
		}
	}
	if flow.CanonicalHost(t.host) == "" {
		t.host = ""
		if scheme != "" && !demandsHost(scheme) {
			return target{local: scheme}
		}
	}
	return t
}

// schemeOf returns the scheme of a URL in lower case (RFC 3986, 3.1), "" for a
// relative one and for "host:port".
func schemeOf(url string) string {
	scheme, rest, found := strings.Cut(url, ":")
	if !found || scheme == "" {
		return ""
	}
	for i := 0; i < len(scheme); i++ {
		c := scheme[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '+' && c != '-' && c != '.') {
			return ""
		}
	}
	if port := beforePath(rest); port != "" && strings.Trim(port, "0123456789") == "" {
		return ""
	}
	return strings.ToLower(scheme)
}

// beforePath returns what stands before a path, query or fragment.
func beforePath(s string) string {
	if i := strings.IndexAny(s, "/?#"); i >= 0 {
		return s[:i]
	}
	return s
}

// absolute completes a URL that lacks its scheme, or its host too. It returns ""
// when nothing in the entry names the host.
func (d *reader) absolute(url string) string {
	m := &d.draft.request
	authority := m.authority
	if authority == "" {
		authority = flow.Get(m.header, "Host")
	}
	switch {
	case strings.HasPrefix(url, "//"):
		return d.scheme() + ":" + url
	case authority != "" && (url == "" || strings.ContainsAny(url[:1], "/?*")):
		if url == "" || url[0] != '/' {
			url = "/" + strings.TrimPrefix(url, "*")
		}
		return d.scheme() + "://" + authority + url
	case url != "" && strings.IndexByte("/?#*", url[0]) < 0:
		// "host/path" and "host:port/path", which proxies write.
		host, _, _ := strings.Cut(url, "/")
		if i := strings.IndexByte(host, ':'); i > 0 { // with a port, a query may follow at once
			host = host[:i] + beforePath(host[i:])
		}
		if strings.ContainsAny(host, ".:") && !strings.ContainsAny(host, " ?#") {
			return d.scheme() + "://" + url
		}
		if authority != "" {
			return d.scheme() + "://" + authority + "/" + url
		}
	}
	return ""
}

// scheme finds out whether a request whose URL does not say so was encrypted.
func (d *reader) scheme() string {
	e, m := &d.draft, &d.draft.request
	switch {
	case strings.EqualFold(m.scheme, "http"), strings.EqualFold(m.scheme, "https"):
		return strings.ToLower(m.scheme)
	case e.port == 443, e.tls.protocol != "", e.timings.ssl > 0:
		return "https"
	case e.port == 80:
		return "http"
	}
	switch foldProto(m.version) { // browsers speak these over TLS alone
	case "HTTP/2", "HTTP/3":
		return "https"
	}
	d.note(noteNoScheme)
	return "https"
}

// connectRow makes a flow of a CONNECT request, whose URL is "host:port" or an
// URL of the host.
func (d *reader) connectRow() (*flow.Flow, string) {
	e := &d.draft
	t := target{scheme: "https"}
	authority := flow.Authority(e.url)
	if authority == "" {
		authority = strings.TrimSuffix(strings.TrimSpace(e.url), "/")
	}
	if authority == "" {
		authority = flow.Get(e.request.header, "Host")
	}
	if t.host, t.port = flow.SplitHostPort(authority); t.port == "" {
		t.port = "443"
	}
	if flow.CanonicalHost(t.host) == "" {
		return nil, unusable(e.url)
	}
	f := &flow.Flow{Kind: flow.Tunnel, Mode: "har", Times: d.times(), Server: d.server(t)}
	// Without a URL: the tunnel's own is made of what was asked for.
	f.Request = &flow.Request{Method: "CONNECT", Proto: foldProto(e.request.version), Header: e.request.header}
	d.answer(f)
	status := f.Status()
	opened := status >= 200 && status < 300
	if opened {
		f.Response = nil // that is no answer of the server
	}
	switch {
	case f.Outcome != flow.Completed:
	case opened:
		f.Outcome = flow.Tunnelled
	default:
		f.Outcome, f.Error = flow.UpstreamFailed, "the proxy did not open the tunnel: status "+strconv.Itoa(status)
	}
	e.connect = true
	if f.Outcome == flow.Tunnelled && strings.EqualFold(e.charles, "FAILED") {
		// The tunnel was opened, and broke: mostly a client that refuses Charles'
		// certificate. No request came through this one, whatever was read in others.
		f.Error, e.connect = "Charles says that this connection failed", false
	}
	return f, ""
}

// releaseTunnels delivers the CONNECT rows through which nothing is seen to have
// gone.
func (d *reader) releaseTunnels() error {
	rest, explained := d.tunnels.Rest()
	d.notes[noteTunnels] += explained
	for _, f := range rest {
		if err := d.deliver(f); err != nil {
			return err
		}
	}
	return nil
}
