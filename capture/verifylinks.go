package capture

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// verifier goes through the links of a capture, reads what each covers, and keeps what is
// left to be looked at behind the last one.
type verifier struct {
	ctx      context.Context
	path     string
	version  int // of the file
	conn     *conn
	progress func(done, total int)
	found    Verification

	endsOf, flowsOf, timesOf *stmt
	rowsOf                   map[string]*stmt // of the tables by ID
	unpack                   loader

	head    verifiedLink
	before  map[string]int64 // what no link covers, by table
	last    map[string]int64 // what links have covered up to now, by table
	covered idSet            // flows that ended
	open    map[int64]openState
	opened  int64 // of this session, and not ended
	books   map[int64]openState
	within  bool // links belong to the last of found.Sessions
	total   int
}

// verifiedLink is a link as the file has it.
type verifiedLink struct {
	id, ends int64
	at       time.Time
	digest   [sha256.Size]byte
	since    int64 // number of the flow that ended last with the link before
	first    time.Time
	until    time.Time
	timed    bool // the times of its flows were looked up
}

// openState is a digest that counts until a later link has another.
type openState struct {
	link   verifiedLink
	digest string
}

func newVerifier(ctx context.Context, path string, c *conn, progress func(done, total int)) *verifier {
	if progress == nil {
		progress = func(int, int) {}
	}
	return &verifier{
		ctx: ctx, path: path, conn: c, progress: progress, rowsOf: map[string]*stmt{}, unpack: loader{path: path},
		before: map[string]int64{}, last: map[string]int64{}, covered: idSet{}, open: map[int64]openState{}, books: map[int64]openState{},
	}
}

// run looks at all links and then at what they leave.
func (w *verifier) run() error {
	defer w.close()
	if err := w.prepare(); err != nil {
		return err
	}
	links, err := w.conn.prepare("SELECT id, time, ends, rows, digest FROM links ORDER BY id")
	if err != nil {
		return err
	}
	defer links.Close()
	err = links.each(func(r []driver.Value) error {
		if err := w.link(columns(r)); err != nil {
			return err
		}
		w.progress(int(min(w.head.ends, int64(w.total))), w.total)
		return w.ctx.Err()
	})
	if err != nil {
		return err
	}
	w.endSession()
	return w.rest()
}

func (w *verifier) prepare() error {
	ends, err := w.conn.integer("SELECT count(*) FROM flows")
	if err != nil {
		return err
	}
	w.total = int(ends)
	if w.found.Audit, err = w.conn.text("SELECT value FROM meta WHERE key = ?", auditTag); err != nil {
		return err
	}
	for _, p := range []struct {
		st    **stmt
		query string
	}{
		{&w.endsOf, "SELECT seq, flows FROM ends WHERE seq > ? AND seq <= ? ORDER BY seq"},
		{&w.flowsOf, "SELECT f.* FROM json_each(?) AS j CROSS JOIN flows AS f ON f.id = j.value ORDER BY j.key"},
		{&w.timesOf, "SELECT min(started), max(coalesce(ended, started)) FROM flows WHERE id IN (SELECT j.value FROM ends, " +
			"json_each(CASE WHEN json_valid(ends.flows) THEN ends.flows ELSE '[]' END) AS j WHERE seq > ? AND seq <= ?)"},
	} {
		if *p.st, err = w.conn.prepare(p.query); err != nil {
			return err
		}
	}
	for i := range streamed {
		err = w.prepareRows(&streamed[i], err)
	}
	for i := range listed {
		err = w.prepareRows(&listed[i], err)
	}
	return err
}

func (w *verifier) prepareRows(t *sealedTable, err error) error {
	if err != nil || t.since > w.version {
		return err
	}
	w.rowsOf[t.name], err = w.conn.prepare(fmt.Sprintf("SELECT * FROM %s WHERE %s BETWEEN ? AND ? ORDER BY %[2]s", t.name, t.key))
	return err
}

func (w *verifier) close() {
	for _, st := range []*stmt{w.endsOf, w.flowsOf, w.timesOf} {
		if st != nil {
			st.Close()
		}
	}
	for _, st := range w.rowsOf {
		if st != nil {
			st.Close()
		}
	}
	if w.unpack.unzip != nil {
		w.unpack.unzip.Close()
	}
}

// link looks at one link and at the rows that it covers.
func (w *verifier) link(row columns) error {
	l := verifiedLink{id: row.int(0), at: time.UnixMicro(row.int(1)).UTC(), ends: row.int(2), since: w.head.ends}
	covers := row.str(3)
	digest, whole := digestOf(row.blob(4))
	l.digest = digest
	before := w.head
	w.head = l
	w.found.Links++
	switch {
	case l.id > before.id+1:
		w.chainFault("%s before it %s missing", plural(l.id-before.id-1, "link"), isOrAre(l.id-before.id-1))
	case l.id <= before.id:
		w.chainFault("it has a number that no link has")
	case !whole || digest != linkDigest(before.digest[:], l.id, row.int(1), l.ends, covers):
		w.chainFault("it does not follow from the link before it: one of them was changed")
	}
	var rows linkRows
	if json.Unmarshal([]byte(covers), &rows) != nil {
		w.chainFault("what it covers cannot be read")
		return nil //nolint:nilerr // a fault of the file is what verifying finds
	}
	if rows.Before != nil {
		w.begins(&rows)
	}
	if rows.Session != nil {
		if err := w.session(rows.Session); err != nil {
			return err
		}
	}
	return w.rows(&rows)
}

// begins notes what was in the file before the chain.
func (w *verifier) begins(rows *linkRows) {
	if w.found.Links > 1 || w.head.id != 1 {
		w.chainFault("it claims to be the first")
		return
	}
	for table, n := range rows.Before {
		w.before[table], w.last[table] = n, n
	}
	w.head.since = w.before["ends"]
}

// session starts a session.
func (w *verifier) session(mark *sessionMark) error {
	w.endSession()
	if n := len(w.found.Sessions); n > 0 && mark.ID <= w.found.Sessions[n-1].Session || mark.ID <= w.before["sessions"] {
		w.chainFault("it starts session %d a second time", mark.ID)
		return nil
	}
	w.found.Sessions = append(w.found.Sessions, SessionChain{Chain: Chain{
		Audit: w.found.Audit, Session: mark.ID, Started: time.UnixMicro(mark.Started).UTC(), First: w.head.id,
	}})
	w.within = true
	manifest, err := lastManifest(w.conn, mark.ID)
	if err != nil || manifest == mark.Manifest {
		return err
	}
	kind := FaultChanged
	switch "" {
	case manifest:
		kind = FaultMissing
	case mark.Manifest:
		kind = FaultAdded
	}
	w.fault(Fault{Kind: kind, Link: w.head.id, Time: w.head.at, Table: "manifests", Count: 1})
	return nil
}

// endSession settles how many flows a session has.
func (w *verifier) endSession() {
	if w.within {
		w.found.Sessions[len(w.found.Sessions)-1].Flows += w.opened
	}
	w.within, w.opened = false, 0
}

// rows looks at all that a link covers.
func (w *verifier) rows(rows *linkRows) error {
	_, annotated := rows.Tables["annotations"]
	annotated = annotated && len(rows.Tables) == 1 && rows.Flows == nil && rows.Open == nil
	for _, t := range allTables() {
		covered, ok := rows.Tables[t.name]
		if !ok {
			continue
		}
		delete(rows.Tables, t.name)
		if w.rowsOf[t.name] == nil {
			w.chainFault("it covers %s in a way that no link does", t.name)
			continue
		}
		if err := w.table(t, covered); err != nil {
			return err
		}
	}
	if len(rows.Tables) > 0 {
		w.chainFault("it covers a table that captures do not have")
	}
	if err := w.ended(rows.Flows); err != nil {
		return err
	}
	for id, digest := range rows.Open {
		if _, known := w.open[id]; !known {
			w.opened++
		}
		w.open[id] = openState{w.head, digest}
	}
	if !w.within {
		if w.found.Annotated++; !annotated {
			w.found.Annotated = 0
		}
		return nil
	}
	w.found.Annotated = 0
	s := &w.found.Sessions[len(w.found.Sessions)-1]
	s.Last, s.Head = w.head.id, w.head.digest
	if rows.Ledgers != "" {
		w.books[s.Session] = openState{w.head, rows.Ledgers}
	}
	if rows.Flows != nil {
		s.Flows += rows.Flows.Count
	}
	if rows.Ended != 0 {
		s.Ended = time.UnixMicro(rows.Ended).UTC()
		w.endSession()
	}
	return nil
}

// table compares a run of rows with its digest.
func (w *verifier) table(t *sealedTable, covered rowRange) error {
	last := w.last[t.name]
	if covered.First <= last || covered.Last < covered.First {
		w.chainFault("it covers rows of %s that another link covers", t.name)
		return nil
	}
	if err := w.added(t, last+1, covered.First-1); err != nil {
		return err
	}
	w.last[t.name] = covered.Last
	d := rowDigest{table: t}
	err := w.rowsOf[t.name].each(func(row []driver.Value) error {
		if t == &streamed[sealBodies] {
			w.content(row)
		}
		d.add(row)
		return w.ctx.Err()
	}, covered.First, covered.Last)
	if err != nil {
		return err
	}
	n := d.rows
	if d.take().Digest == covered.Digest && n == covered.Rows {
		return nil
	}
	f := Fault{Kind: FaultChanged, Table: t.name, From: covered.First, To: covered.Last}
	if n < covered.Rows {
		f.Kind, f.Count = FaultMissing, covered.Rows-n
	} else if n > covered.Rows {
		f.Kind, f.Count = FaultAdded, n-covered.Rows
	}
	return w.faultOfLink(f)
}

// content compares a body with the digest beside it.
func (w *verifier) content(r []driver.Value) {
	row := columns(r)
	w.found.Bodies++
	content, _ := r[bodyContent].([]byte)
	plain, err := w.unpack.unpack(row.int(5) != 0, content)
	sum := sha256.Sum256(plain)
	want, ok := digestOf(row.blob(1))
	if err != nil || !ok || sum != want || int64(len(plain)) != row.int(2) {
		w.fault(Fault{Kind: FaultContent, Link: w.head.id, Time: w.head.at, Table: "bodies", From: row.int(0), To: row.int(0)})
	}
}

// ended compares the flows that ended with a link with their digest.
func (w *verifier) ended(covered *endedFlows) error {
	if covered == nil {
		covered = &endedFlows{}
	}
	if w.head.ends != w.head.since+covered.Count {
		w.chainFault("its number of flows does not fit")
	}
	d := rowDigest{table: &flowsTable}
	next, low, high, listed := w.head.since+1, int64(0), int64(0), int64(0)
	err := w.endsOf.each(func(r []driver.Value) error {
		row := columns(r)
		var ids []int64
		if err := row.array(1, &ids); err != nil || row.int(0) != next || len(ids) > endsAtOnce {
			return w.faultOfLink(Fault{Kind: FaultChanged, Table: "ends", From: row.int(0), To: row.int(0)})
		}
		next += int64(len(ids))
		listed += int64(len(ids))
		if len(ids) > 0 && (low == 0 || slices.Min(ids) < low) {
			low = slices.Min(ids)
		}
		high = max(high, slices.Max(append(ids, 0)))
		return w.flowsOf.each(func(row []driver.Value) error { return w.flow(&d, row) }, list(ids))
	}, w.head.since, w.head.ends)
	if err != nil {
		return err
	}
	if listed != covered.Count {
		if err := w.faultOfLink(Fault{Kind: FaultMissing, Table: "ends", From: w.head.since + 1, To: w.head.ends}); err != nil {
			return err
		}
	}
	n := d.rows
	switch f := (Fault{Kind: FaultChanged, Table: "flows", From: low, To: high}); {
	case n < listed:
		f.Kind, f.Count = FaultMissing, listed-n
		return w.faultOfLink(f)
	case n > 0 && d.take().Digest != covered.Digest:
		return w.faultOfLink(f)
	}
	return nil
}

// flow takes one flow that has ended.
func (w *verifier) flow(d *rowDigest, row []driver.Value) error {
	flowsTable.restore(row)
	d.add(row)
	if _, was := w.open[d.last]; was {
		delete(w.open, d.last)
		w.opened--
	}
	w.covered.add(uint64(d.last))
	w.found.Flows++
	return w.ctx.Err()
}

// faultOfLink notes a fault in the rows of a link, with the times of its flows.
func (w *verifier) faultOfLink(f Fault) error {
	l := &w.head
	if !l.timed {
		l.timed = true
		err := w.timesOf.each(func(r []driver.Value) error {
			row := columns(r)
			l.first, l.until = row.time(0), row.time(1)
			return nil
		}, l.since, l.ends)
		if err != nil {
			return err
		}
	}
	f.Link, f.Time, f.First, f.Last = l.id, l.at, l.first, l.until
	w.fault(f)
	return nil
}

func (w *verifier) chainFault(format string, args ...any) {
	w.fault(Fault{Kind: FaultChain, Link: w.head.id, Time: w.head.at, Table: "links", From: w.head.id, To: w.head.id, Detail: fmt.Sprintf(format, args...)})
}

// stateDigest is the digest of one row.
func stateDigest(t *sealedTable, row []driver.Value) string {
	sum := sha256.Sum256(t.appendRow(nil, row))
	return hex.EncodeToString(sum[:])
}

func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func isOrAre(n int64) string {
	if n == 1 {
		return "is"
	}
	return "are"
}
