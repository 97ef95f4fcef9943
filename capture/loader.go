package capture

import (
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"telltale/flow"
	"telltale/policy"
)

var errRow = errors.New("a row cannot be understood")

// loader reads flows on one connection.
type loader struct {
	path               string
	conn               *conn
	findConn, findBody *stmt
	unzip              *zstd.Decoder
	known              map[int64]connectionKey
}

// maxBody is more than any body that is kept: what claims to unpack to more is damage.
const maxBody = 1 << 30

func newLoader(path string, c *conn) (*loader, error) {
	l := &loader{path: path, conn: c, known: map[int64]connectionKey{}}
	var err error
	if l.findConn, err = c.prepare("SELECT c.*, t.sha256, t.subject, t.issuer, t.dns_names, t.not_before, t.not_after " +
		"FROM connections c LEFT JOIN certificates t ON t.id = c.certificate_id WHERE c.id = ?"); err != nil {
		return nil, err
	}
	if l.findBody, err = c.prepare("SELECT zstd, content FROM bodies WHERE sha256 = ?"); err != nil {
		l.findConn.Close()
		return nil, err
	}
	return l, nil
}

func (l *loader) close() {
	l.findConn.Close()
	l.findBody.Close()
	if l.unzip != nil {
		l.unzip.Close()
	}
}

// fill returns the flow with the contents of its bodies.
func (l *loader) fill(f *flow.Flow) (*flow.Flow, error) {
	c := *f
	var err error
	if f.Request != nil && f.Request.Body.Digest != "" {
		r := *f.Request
		if r.Body.Content, err = l.content(r.Body.Digest); err != nil {
			return nil, err
		}
		c.Request = &r
	}
	if f.Response != nil && f.Response.Body.Digest != "" {
		r := *f.Response
		if r.Body.Content, err = l.content(r.Body.Digest); err != nil {
			return nil, err
		}
		c.Response = &r
	}
	return &c, nil
}

// framesAtOnce is how many frames are judged together.
const framesAtOnce = 256

// judge judges a flow with its bodies and its frames.
func (l *loader) judge(js *judgements, f *flow.Flow) (policy.Judgement, error) {
	f, err := l.fill(f)
	if err != nil {
		return policy.Judgement{}, err
	}
	if f.Kind != flow.WebSocket {
		return js.judge(f, policy.Judgement{}), nil
	}
	var j policy.Judgement
	for {
		part := *f
		if part.Frames, err = readFrames(l.conn, f.ID, part.FrameOffset, framesAtOnce); err != nil {
			return policy.Judgement{}, err
		}
		j = js.judge(&part, j)
		if len(part.Frames) < framesAtOnce {
			return j, nil
		}
		f.FrameOffset += framesAtOnce
	}
}

func (l *loader) content(digest string) ([]byte, error) {
	sum, err := hex.DecodeString(digest)
	if err != nil {
		return nil, fmt.Errorf("digest %q: %w", digest, ErrNotFound)
	}
	found := false
	var content []byte
	err = l.findBody.each(func(r []driver.Value) error {
		row := columns(r)
		found = true
		content, err = l.unpack(row.int(0) != 0, row.blob(1))
		return err
	}, sum)
	if err == nil && !found {
		err = fmt.Errorf("body %s: %w", digest, ErrNotFound)
	}
	return content, err
}

func (l *loader) unpack(packed bool, content []byte) ([]byte, error) {
	if !packed {
		return content, nil
	}
	if l.unzip == nil {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBody))
		if err != nil {
			return nil, err
		}
		l.unzip = d
	}
	plain, err := l.unzip.DecodeAll(content, nil)
	if err != nil {
		return nil, damaged(l.path, err)
	}
	return plain, nil
}
