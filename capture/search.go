package capture

import (
	"bytes"
	"context"
	"database/sql/driver"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"telltale/flow"
	"telltale/flow/content"
)

// The full-text index lags behind the flows: a document costs more to index than
// a flow does to record. So a search asks the index for candidates, and then
// looks through what is not indexed yet. Both use the same notion of words.

// maxText is how much of a body or a frame can be searched.
const maxText = 256 << 10

// docKind is one kind of text that can be searched.
type docKind struct {
	tag  string // in meta: how far the index has come
	next string // rows behind a position: id, position, then what text needs
	one  string // one row by id, the same columns
	text func(l *loader, row columns) string
}

// The kinds, at their number in the rowid of search.
const (
	docTexts = iota
	docHeaders
	docBodies
	docFrames
	docKinds
)

var docs = [docKinds]docKind{
	docTexts: {
		tag:  "indexed_texts",
		next: "SELECT id, id, text FROM texts WHERE id > ? ORDER BY id LIMIT ?",
		one:  "SELECT id, id, text FROM texts WHERE id = ?",
		text: func(_ *loader, row columns) string { return row.str(2) },
	},
	docHeaders: {
		tag:  "indexed_headers",
		next: "SELECT id, id, fields FROM headers WHERE id > ? ORDER BY id LIMIT ?",
		one:  "SELECT id, id, fields FROM headers WHERE id = ?",
		text: func(_ *loader, row columns) string { return row.str(2) },
	},
	docBodies: {
		tag:  "indexed_bodies",
		next: "SELECT id, id, zstd, content, coding FROM bodies WHERE id > ? ORDER BY id LIMIT ?",
		one:  "SELECT id, id, zstd, content, coding FROM bodies WHERE id = ?",
		text: bodyText,
	},
	docFrames: {
		tag:  "indexed_frames",
		next: "SELECT id, id, data, flow_id FROM frames WHERE id > ? ORDER BY id LIMIT ?",
		one:  "SELECT id, id, data, flow_id FROM frames WHERE id = ?",
		text: func(_ *loader, row columns) string { return asText(row.blob(2)) },
	},
}

func bodyText(l *loader, row columns) string {
	b, err := l.unpack(row.int(2) != 0, row.blob(3))
	if err != nil {
		return "" // its damage shows where it is read, not where it is searched
	}
	// What could be decoded of a broken body can be searched.
	b, _ = content.Decode(row.str(4), b, maxText)
	return asText(b)
}

// asText returns the start of b when it is text, "" when it is not.
func asText(b []byte) string {
	cut := len(b) > maxText
	if cut {
		b = b[:maxText]
	}
	if bytes.IndexByte(b, 0) >= 0 {
		return ""
	}
	for n := 0; cut && n < utf8.UTFMax && !utf8.Valid(b); n++ {
		b = b[:len(b)-1]
	}
	if !utf8.Valid(b) {
		return ""
	}
	return string(b)
}

// words brings text into the form in which it is compared: runs of letters and
// digits in lower case, each behind one space.
func words(text string) string {
	var b strings.Builder
	b.Grow(len(text) + 1)
	inWord := false
	for _, r := range text {
		lower, ok := wordRune(r)
		if !ok {
			inWord = false
			continue
		}
		if !inWord {
			b.WriteByte(' ')
			inWord = true
		}
		b.WriteRune(lower)
	}
	return b.String()
}

func wordRune(r rune) (lower rune, ok bool) {
	switch {
	case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
		return r, true
	case 'A' <= r && r <= 'Z':
		return r + 'a' - 'A', true
	case r < utf8.RuneSelf || r == utf8.RuneError:
		return 0, false
	case unicode.IsLetter(r), unicode.IsNumber(r), unicode.IsMark(r):
		return unicode.ToLower(r), true
	}
	return 0, false
}

// hits are the rows in which a text was found; for frames, their flows.
type hits [docKinds][]int64

func (h *hits) empty() bool {
	return len(h[docTexts])+len(h[docHeaders])+len(h[docBodies])+len(h[docFrames]) == 0
}

// trim keeps as many of the flows that frames found as can be on the page: of a
// word that is in every frame, 100,000 need not be sorted by the database.
func (h *hits) trim(q Query) {
	ids := slices.DeleteFunc(h[docFrames], func(id int64) bool {
		return id <= int64(q.After) || q.Before > 0 && id >= int64(q.Before)
	})
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if n := int(q.limit()); len(ids) > n && q.Last {
		ids = ids[len(ids)-n:]
	} else if len(ids) > n {
		ids = ids[:n]
	}
	h[docFrames] = ids
}

// condition selects the flows that have such a row, in a file of a version.
func (h *hits) condition(version int64) (string, []driver.Value) {
	var or []string
	var args []driver.Value
	for _, c := range []struct {
		column string
		ids    []int64
	}{
		{"id", h[docFrames]}, {"url_id", h[docTexts]}, {"error_id", h[docTexts]}, {"answers_id", h[docTexts]},
		{"request_headers", h[docHeaders]}, {"response_headers", h[docHeaders]},
		{"request_body", h[docBodies]}, {"response_body", h[docBodies]},
	} {
		if c.column == "answers_id" && version < 3 {
			continue
		}
		if len(c.ids) > 0 {
			// A unary plus keeps the column out of the planner's choice of index:
			// rows are wanted in ID order until the page is full.
			or = append(or, "+f."+c.column+" IN (SELECT value FROM json_each(?))")
			args = append(args, list(c.ids))
		}
	}
	return "(" + strings.Join(or, " OR ") + ")", args
}

// flows returns the flows that have such a row.
func (h *hits) flows(ctx context.Context, c *conn) (ids []flow.ID, err error) {
	version, err := c.version()
	if err != nil {
		return nil, err
	}
	condition, args := h.condition(version)
	st, err := c.prepare("SELECT f.id FROM flows f WHERE " + condition + " ORDER BY f.id")
	if err != nil {
		return nil, err
	}
	defer st.Close()
	err = st.each(func(r []driver.Value) error {
		ids = append(ids, flow.ID(columns(r).int(0)))
		return ctx.Err()
	}, args...)
	return ids, err
}

// finder is one search on one connection.
type finder struct {
	ctx    context.Context
	conn   *conn
	load   *loader
	phrase string // words of the query
	hits   hits
}

// search finds the rows in which the words of text stand next to each other.
func search(ctx context.Context, c *conn, text string) (*hits, error) {
	f := &finder{ctx: ctx, conn: c, phrase: words(text)}
	if f.phrase == "" {
		return &f.hits, nil
	}
	var err error
	if f.load, err = newLoader("", c, nil); err != nil {
		return nil, err
	}
	defer f.load.close()
	// First how far the index has come, then the index: a row that is indexed
	// in between is found twice, never missed.
	var indexed [docKinds]int64
	for i, d := range docs {
		if indexed[i], err = c.integer("SELECT value FROM meta WHERE key = ?", d.tag); err != nil {
			return nil, err
		}
	}
	if err := f.index(); err != nil {
		return nil, err
	}
	for i, d := range docs {
		if err := f.scan(i, d.next, indexed[i], int64(-1)); err != nil {
			return nil, err
		}
	}
	return &f.hits, nil
}

// index asks the full-text index. It does not know which words are neighbours,
// so for more than one its answers are looked at.
func (f *finder) index() error {
	terms := strings.Fields(f.phrase)
	match := `"` + strings.Join(terms, `" AND "`) + `"*`
	var found [docKinds][]int64
	st, err := f.conn.prepare("SELECT rowid FROM search WHERE search MATCH ?")
	if err != nil {
		return err
	}
	defer st.Close()
	err = st.each(func(row []driver.Value) error {
		id := columns(row).int(0)
		found[id%docKinds] = append(found[id%docKinds], id/docKinds)
		return f.ctx.Err()
	}, match)
	if err != nil {
		return err
	}
	for kind, ids := range found {
		if len(terms) == 1 && kind != docFrames {
			f.hits[kind] = ids
			continue
		}
		if err := f.verify(kind, ids); err != nil {
			return err
		}
	}
	return nil
}

func (f *finder) verify(kind int, ids []int64) error {
	st, err := f.conn.prepare(docs[kind].one)
	if err != nil {
		return err
	}
	defer st.Close()
	for _, id := range ids {
		if err := st.each(func(row []driver.Value) error { return f.look(kind, row) }, id); err != nil {
			return err
		}
	}
	return nil
}

// scan looks through the rows of a query.
func (f *finder) scan(kind int, query string, args ...driver.Value) error {
	st, err := f.conn.prepare(query)
	if err != nil {
		return err
	}
	defer st.Close()
	return st.each(func(row []driver.Value) error { return f.look(kind, row) }, args...)
}

func (f *finder) look(kind int, r []driver.Value) error {
	row := columns(r)
	if strings.Contains(words(docs[kind].text(f.load, row)), f.phrase) {
		if kind == docFrames { // counts for its flow
			f.hits[docFrames] = append(f.hits[docFrames], row.int(3))
		} else {
			f.hits[kind] = append(f.hits[kind], row.int(0))
		}
	}
	return f.ctx.Err()
}
