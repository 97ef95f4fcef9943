package capture

import (
	"database/sql/driver"
	"errors"
	"time"
)

// errEnough ends a chunk whose documents are long.
var errEnough = errors.New("enough")

const (
	// idleFlows is the size of a batch below which there is time to index.
	idleFlows = 256
	// indexStep is how long one step of indexing takes, and indexPause how long
	// it then lets observations through.
	indexStep  = 10 * time.Millisecond
	indexPause = 15 * time.Millisecond
	// indexAtClose bounds how long closing may take for the index's sake. What
	// is left is searched by looking through it.
	indexAtClose = 2 * time.Second
	// indexDocs and indexText bound one transaction. Each leaves a segment of
	// the index, and to merge those is half of the work of short documents.
	indexDocs = 1024
	indexText = 64 << 10
)

// indexer keeps the full-text index up. It belongs to the worker's goroutine and
// writes with its writer.
type indexer struct {
	w    *writer
	load *loader
	next [docKinds]*stmt
	at   [docKinds]int64
}

func newIndexer(w *writer) (*indexer, error) {
	load, err := newLoader(w.path, w.conn, nil)
	if err != nil {
		return nil, err
	}
	x := &indexer{w: w, load: load}
	for i, d := range docs {
		if x.at[i], err = w.conn.integer("SELECT value FROM meta WHERE key = ?", d.tag); err != nil {
			return nil, err
		}
		if x.next[i], err = w.conn.prepare(d.next); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// step indexes for about as long as it may, and reports whether there is more to do.
func (x *indexer) step(budget time.Duration) (more bool, err error) {
	for start := time.Now(); time.Since(start) < budget; {
		more, err := x.chunk()
		if err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

// chunk indexes the next documents of the first kind that has some.
func (x *indexer) chunk() (bool, error) {
	for kind := range docs {
		n, err := x.kind(kind)
		if n > 0 || err != nil {
			return true, err
		}
	}
	return false, nil
}

func (x *indexer) kind(kind int) (n int, err error) {
	type doc struct {
		id   int64
		text string
	}
	var batch []doc
	at := x.at[kind]
	size := 0
	err = x.next[kind].each(func(r []driver.Value) error {
		row := columns(r)
		n, at = n+1, row.int(1)
		if text := words(docs[kind].text(x.load, row)); text != "" {
			batch = append(batch, doc{row.int(0), text})
			size += len(text)
		}
		if size > indexText {
			return errEnough
		}
		return nil
	}, x.at[kind], int64(indexDocs))
	if err != nil && !errors.Is(err, errEnough) {
		return 0, err
	}
	if n == 0 {
		return 0, nil
	}
	err = x.w.transaction(func() error {
		for _, d := range batch {
			if err := x.w.insertDoc.exec(d.id*docKinds+int64(kind), d.text); err != nil {
				return err
			}
		}
		return x.w.insertTag.exec(docs[kind].tag, at)
	})
	if err == nil {
		x.at[kind] = at
	}
	return n, err
}

// close gives its statements back.
func (x *indexer) close() {
	x.load.close()
	for _, st := range x.next {
		st.Close()
	}
}
