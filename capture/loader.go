package capture

import (
	"context"
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
	path  string
	conn  *conn
	names deviceNames // that flows carry instead of their own

	findConn, findBody, findKind, findHeaders *stmt
	findExposures                             *stmt // nil where the file has none

	unzip  *zstd.Decoder
	known  map[int64]connectionKey
	kinds  map[int64]kindKey
	blocks *recent[int64, fieldBlock]

	exposed *recent[int64, []flow.Exposure]
}

// maxBody is more than any body that is kept: what claims to unpack to more is damage.
const maxBody = 1 << 30

func newLoader(path string, c *conn, names deviceNames) (*loader, error) {
	l := &loader{
		path: path, conn: c, names: names, known: map[int64]connectionKey{}, kinds: map[int64]kindKey{},
		blocks: newRecent[int64, fieldBlock](recentBlocksRead), exposed: newRecent[int64, []flow.Exposure](recentExposures),
	}
	version, err := c.version()
	if err != nil {
		return nil, err
	}
	type prepared struct {
		st    **stmt
		query string
	}
	all := []prepared{
		{&l.findConn, fileQuery(selectConnection, version)},
		{&l.findBody, "SELECT zstd, content FROM bodies WHERE sha256 = ?"},
		{&l.findKind, fileQuery(selectKind, version)},
		{&l.findHeaders, "SELECT id, fields FROM headers WHERE id IN (SELECT value FROM json_each(?))"},
	}
	if version >= 4 {
		all = append(all, prepared{&l.findExposures, "SELECT found FROM exposures WHERE id = ?"})
	}
	for _, p := range all {
		if *p.st, err = c.prepare(p.query); err != nil {
			l.close()
			return nil, err
		}
	}
	return l, nil
}

func (l *loader) close() {
	for _, st := range []*stmt{l.findConn, l.findBody, l.findKind, l.findHeaders, l.findExposures} {
		if st != nil {
			st.Close()
		}
	}
	if l.unzip != nil {
		l.unzip.Close()
	}
}

// rows reads flows without their header blocks.
func (l *loader) rows(ctx context.Context, st *stmt, args ...driver.Value) (rows []loadedRow, err error) {
	err = st.each(func(r []driver.Value) error {
		row, err := l.row(r)
		rows = append(rows, row)
		return errors.Join(err, ctx.Err())
	}, args...)
	return rows, err
}

// fill returns the flow with the contents of its bodies.
func (l *loader) fill(f *flow.Flow) (*flow.Flow, error) {
	f, err := l.fillRequest(f)
	if err != nil || f.Response == nil || f.Response.Body.Digest == "" {
		return f, err
	}
	c, r := *f, *f.Response
	r.Body.Content, err = l.content(r.Body.Digest)
	c.Response = &r
	return &c, err
}

// fillRequest returns the flow with the content of its request.
func (l *loader) fillRequest(f *flow.Flow) (*flow.Flow, error) {
	if f.Request == nil || f.Request.Body.Digest == "" {
		return f, nil
	}
	c, r := *f, *f.Request
	var err error
	r.Body.Content, err = l.content(r.Body.Digest)
	c.Request = &r
	return &c, err
}

// whole returns the flow with its bodies and its first frames.
func (l *loader) whole(f *flow.Flow) (*flow.Flow, error) {
	c, err := l.fill(f)
	if err == nil && f.Kind == flow.WebSocket {
		c.Frames, err = readFrames(l.conn, f.ID, 0, maxScanFrames)
	}
	return c, err
}

// maxScanFrames is how many frames of a WebSocket a scan loads.
const maxScanFrames = 1000

// framesAtOnce is how many frames are judged together.
const framesAtOnce = 256

// judge judges a flow, with its bodies and its frames where the judge reads content. ask
// judges a part of it, given what was said of the parts before. What nobody examined is
// examined first, for which it needs what was sent; the flow then has what was found.
func (l *loader) judge(ask func(part *flow.Flow, before policy.Judgement) policy.Judgement, content bool, f *flow.Flow) (policy.Judgement, error) {
	if !content && f.Examined != 0 {
		return ask(f, policy.Judgement{}), nil
	}
	whole := f
	var err error
	if content {
		whole, err = l.fill(f)
	} else {
		whole, err = l.fillRequest(f)
	}
	if err != nil {
		return policy.Judgement{}, err
	}
	if f.Kind != flow.WebSocket {
		whole = examine(whole, nil)
		f.Exposures, f.Examined = whole.Exposures, whole.Examined
		return ask(whole, policy.Judgement{}), nil
	}
	var j policy.Judgement
	for at, found := 0, f.Exposures; ; at += framesAtOnce {
		part := *whole
		part.FrameOffset = at
		if part.Frames, err = readFrames(l.conn, f.ID, at, framesAtOnce); err != nil {
			return policy.Judgement{}, err
		}
		state := examine(&part, found)
		found = state.Exposures
		j = ask(state, j)
		if len(part.Frames) < framesAtOnce {
			f.Exposures, f.Examined = found, state.Examined
			return j, nil
		}
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
