package proxy

import (
	"bytes"
	"compress/flate"
	"io"
	"net/http"
	"strings"
)

const (
	// deflateWindow is how far back deflate refers, in bytes (RFC 1951, 2).
	deflateWindow = 32 << 10
	// maxDeflated bounds the compressed message that is held until it ends, in bytes. The
	// limit for bodies may be smaller: what is cut could not be undone, nor could the
	// messages behind it.
	maxDeflated = 4 << 20
	// maxInflated bounds what one message may become, in bytes.
	maxInflated = 64 << 20
)

// inflater undoes permessage-deflate (RFC 7692) in the recorded messages of one
// direction. What is forwarded stays compressed.
type inflater struct {
	// takeover says that a message refers to those before it (RFC 7692, 7.1.1).
	takeover bool
	most     int64 // bytes that a message may become

	z      io.ReadCloser
	window []byte // the end of the messages so far
	buf    []byte
	lost   bool // the window is not that of the sender any more
}

// negotiated returns what undoes the compression of each direction, nil where the
// server's answer says that there is none.
func negotiated(h http.Header) (client, server *inflater) {
	for _, line := range h["Sec-Websocket-Extensions"] {
		for extension := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(extension, ";")
			if !strings.EqualFold(strings.TrimSpace(name), "permessage-deflate") {
				continue
			}
			client, server = &inflater{takeover: true, most: maxInflated}, &inflater{takeover: true, most: maxInflated}
			for param := range strings.SplitSeq(params, ";") {
				switch strings.ToLower(strings.TrimSpace(param)) {
				case "client_no_context_takeover":
					client.takeover = false
				case "server_no_context_takeover":
					server.takeover = false
				}
			}
			return client, server
		}
	}
	return nil, nil
}

// message returns a compressed message as it was meant: its first bytes up to limit, and
// its size. It fails for one that is damaged, too large, or behind such a one.
func (d *inflater) message(compressed []byte, limit int64) (data []byte, size int64, ok bool) {
	if d.lost {
		return nil, 0, false
	}
	d.reset(compressed)
	for {
		n, err := d.z.Read(d.buf)
		if size += int64(n); size > d.most {
			err = io.ErrShortBuffer
		}
		chunk := d.buf[:n]
		data = append(data, chunk[:max(min(int64(n), limit-int64(len(data))), 0)]...)
		d.remember(chunk)
		if err == io.EOF {
			return data, size, true
		}
		if err != nil {
			d.lost = d.takeover
			return nil, 0, false
		}
	}
}

// reset makes the decoder ready for a message. The sender took the last four bytes off
// (RFC 7692, 7.2.1); an empty last block behind them ends the stream.
func (d *inflater) reset(compressed []byte) {
	src := io.MultiReader(bytes.NewReader(compressed), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))
	if d.z == nil {
		d.z, d.buf = flate.NewReader(src), make([]byte, deflateWindow)
		return
	}
	if !d.takeover {
		d.window = d.window[:0]
	}
	_ = d.z.(flate.Resetter).Reset(src, d.window) // it fails never
}

// remember keeps what later messages may refer to.
func (d *inflater) remember(chunk []byte) {
	if !d.takeover {
		return
	}
	if excess := len(d.window) + len(chunk) - deflateWindow; excess > 0 {
		d.window = d.window[:copy(d.window, d.window[min(excess, len(d.window)):])]
	}
	d.window = append(d.window, chunk...)
}
