package capture

import (
	"crypto/sha256"
	"database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// The chain lets anybody find out whether a capture was changed after it was recorded.
// Each transaction adds a row to links: digests of the rows that it added to each table,
// and a digest over those and over the link before. Rows are hashed as they are given to
// the driver, so that nothing has to be read again while recording. An open flow's row is
// replaced until the flow has ended: each state that is written has a digest of its own,
// and the last one counts. docs/evidence.md has the format.

// Chain is what a session added to the chain of a capture, for those who sign it.
type Chain struct {
	Audit       string // of the capture, the same in all of its sessions
	Session     int64
	Started     time.Time
	Ended       time.Time         // zero: the session did not come to its end, or is under way
	First, Last int64             // its links
	Head        [sha256.Size]byte // digest of the last one
	Flows       int64             // that it covers, those included that were open at its end
}

// linkHeading starts what a link's digest is over, and is the version of that format.
const linkHeading = "telltale.link/1"

// linkDigest is the digest of a link: over text, so that a shell can compute it.
func linkDigest(previous []byte, id, at, ends int64, rows string) [sha256.Size]byte {
	b := make([]byte, 0, len(linkHeading)+2*sha256.Size+64+len(rows))
	b = append(append(b, linkHeading...), '\n')
	b = append(hex.AppendEncode(b, previous), '\n')
	for _, n := range [...]int64{id, at, ends} {
		b = append(strconv.AppendInt(b, n, 10), '\n')
	}
	return sha256.Sum256(append(b, rows...))
}

// linkRows says which rows a link covers: the JSON of links.rows.
type linkRows struct {
	Session *sessionMark        `json:"session,omitempty"` // in the first link of a session
	Before  map[string]int64    `json:"before,omitempty"`  // in the first link of all: the last row of each table that no link covers
	Tables  map[string]rowRange `json:"tables,omitempty"`
	Flows   *endedFlows         `json:"flows,omitempty"`
	Open    map[int64]string    `json:"open,omitempty"`    // states of flows that have not ended: ID and digest
	Ledgers string              `json:"ledgers,omitempty"` // digest of the session's books
	Ended   int64               `json:"ended,omitempty"`   // in the last link of a session that came to its end
}

// sessionMark is the start of a session.
type sessionMark struct {
	ID       int64  `json:"id"`
	Started  int64  `json:"started"`
	Manifest string `json:"manifest,omitempty"` // digest of the newest manifest at that time
}

// rowRange is a run of rows by ID, perhaps with gaps.
type rowRange struct {
	First  int64  `json:"first"`
	Last   int64  `json:"last"`
	Rows   int64  `json:"rows"`
	Digest string `json:"sha256"`
}

// endedFlows are the flows that ended with a link, in the order of ends.
type endedFlows struct {
	Count  int64  `json:"count"`
	Digest string `json:"sha256"`
}

func (r *linkRows) empty() bool {
	return r.Session == nil && r.Tables == nil && r.Flows == nil && r.Open == nil && r.Ledgers == "" && r.Ended == 0
}

// link is where a chain has come to.
type link struct {
	id     int64
	digest [sha256.Size]byte
	ends   int64
	marks  [len(listed)]int64 // last rows of the tables that are looked through
}

// chain adds links. It belongs to the writer.
type chain struct {
	conn *conn
	now  func() time.Time
	seal func(Chain) []byte // nil: sessions stay unsigned

	insert, books, manifest *stmt
	look                    [len(listed)]*stmt

	streams [len(streamed)]rowDigest // of the rows of this transaction, by table
	flows   rowDigest                // likewise, of flows that ended
	states  map[int64]string         // likewise, of flows that are open
	ledgers bool                     // the books have changed
	before  map[string]int64
	started *sessionMark
	ended   int64

	head, next link  // committed, and of this transaction
	session    Chain // what is known of it by now
	open       map[int64]struct{}
	scratch    []byte
}

// newChain goes on where the chain of the file ends, or begins one.
func newChain(c *conn) (*chain, error) {
	k := &chain{conn: c, now: time.Now, open: map[int64]struct{}{}}
	for i := range k.streams {
		k.streams[i].table = &streamed[i]
	}
	k.flows.table = &flowsTable
	for _, p := range []struct {
		st    **stmt
		query string
	}{
		{&k.insert, "INSERT INTO links(id, time, ends, rows, digest) VALUES (?,?,?,?,?)"},
		{&k.books, "SELECT * FROM ledgers WHERE session_id = ? ORDER BY mode, side, name"},
		{&k.manifest, "INSERT INTO manifests(session_id, document) VALUES (?,?)"},
	} {
		var err error
		if *p.st, err = c.prepare(p.query); err != nil {
			return nil, err
		}
	}
	for i, t := range listed {
		var err error
		if k.look[i], err = c.prepare(fmt.Sprintf("SELECT * FROM %s WHERE %s > ? ORDER BY %[2]s", t.name, t.key)); err != nil {
			return nil, err
		}
	}
	return k, k.resume()
}

// resume reads the last link. Rows that somebody added since are not taken for ours.
func (k *chain) resume() error {
	st, err := k.conn.prepare("SELECT id, ends, digest FROM links ORDER BY id DESC LIMIT 1")
	if err != nil {
		return err
	}
	defer st.Close()
	err = st.each(func(r []driver.Value) error {
		row := columns(r)
		k.head.id, k.head.ends = row.int(0), row.int(1)
		copy(k.head.digest[:], row.blob(2))
		return nil
	})
	if err != nil {
		return err
	}
	for i, t := range listed {
		if k.head.marks[i], err = k.conn.integer(t.last()); err != nil {
			return err
		}
	}
	if k.head.id == 0 {
		err = k.begins()
	}
	k.next = k.head
	return err
}

// begins notes what is in the file before its first link.
func (k *chain) begins() error {
	k.before = map[string]int64{}
	for _, t := range allTables() {
		n, err := k.conn.integer(t.last())
		if err != nil {
			return err
		}
		if n > 0 {
			k.before[t.name] = n
		}
	}
	ends, err := k.conn.integer(lastEnd)
	if ends > 0 {
		k.before["ends"] = ends
	}
	k.head.ends = ends
	return err
}

// lastEnd is the number of the flow that ended last.
const lastEnd = "SELECT seq + json_array_length(flows) - 1 FROM ends ORDER BY seq DESC LIMIT 1"

// begin starts a session, within its transaction.
func (k *chain) begin(id int64, now time.Time) error {
	k.session = Chain{Session: id, Started: time.UnixMicro(now.UnixMicro()).UTC(), First: k.head.id + 1}
	k.started = &sessionMark{ID: id, Started: now.UnixMicro()}
	var err error
	k.started.Manifest, err = lastManifest(k.conn, id)
	return err
}

// lastManifest returns the digest of the newest manifest before a session, "" for none.
func lastManifest(c *conn, session int64) (digest string, err error) {
	st, err := c.prepare("SELECT document FROM manifests WHERE session_id < ? ORDER BY session_id DESC LIMIT 1")
	if err != nil {
		return "", err
	}
	defer st.Close()
	err = st.each(func(r []driver.Value) error {
		sum := sha256.Sum256(columns(r).blob(0))
		digest = hex.EncodeToString(sum[:])
		return nil
	}, session)
	return digest, err
}

// end writes the last link of a session and then what seal makes of the chain.
func (k *chain) end(now time.Time, ends Seq) error {
	k.ended = now.UnixMicro()
	if err := k.link(ends); err != nil {
		return err
	}
	k.session.Ended = time.UnixMicro(now.UnixMicro()).UTC()
	k.session.Last, k.session.Head = k.next.id, k.next.digest
	k.session.Flows += int64(len(k.open))
	if k.seal == nil {
		return nil
	}
	var err error
	if k.session.Audit, err = k.conn.text("SELECT value FROM meta WHERE key = ?", auditTag); err != nil {
		return err
	}
	document := k.seal(k.session)
	if len(document) == 0 {
		return nil
	}
	return k.manifest.exec(k.session.Session, string(document))
}

// cover has the chain take the rows that are written.
func (w *writer) cover() {
	for table, rows := range map[int]*rowInsert{
		sealTexts: &w.insertText, sealHeaders: &w.insertHeaders, sealConnections: &w.insertConnection, sealExposures: &w.insertExposures,
	} {
		rows.covers = &w.chain.streams[table]
	}
	for table, st := range map[int]*stmt{
		sealHosts: w.insertHost, sealBodies: w.insertBody, sealCertificates: w.insertCertificate, sealKinds: w.insertKind, sealFrames: w.insertFrame,
	} {
		st.covers = &w.chain.streams[table]
	}
}

// flow covers one state of a flow.
func (k *chain) flow(row []driver.Value, hasEnded bool) {
	id, _ := row[0].(int64)
	if hasEnded {
		k.flows.add(row)
		delete(k.open, id)
		return
	}
	k.scratch = flowsTable.appendRow(k.scratch[:0], row)
	sum := sha256.Sum256(k.scratch)
	if k.states == nil {
		k.states = map[int64]string{}
	}
	k.states[id] = hex.EncodeToString(sum[:])
	k.open[id] = struct{}{}
}

// link covers what was written since the last one, if anything was.
func (k *chain) link(ends Seq) error {
	rows, err := k.gather()
	if err != nil || rows.empty() {
		return err
	}
	covered, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	at := k.now().UnixMicro()
	k.next.id, k.next.ends = k.next.id+1, int64(ends)
	k.next.digest = linkDigest(k.next.digest[:], k.next.id, at, k.next.ends, string(covered))
	return k.insert.exec(k.next.id, at, k.next.ends, string(covered), k.next.digest[:])
}

// gather takes what is new.
func (k *chain) gather() (*linkRows, error) {
	rows := &linkRows{Session: k.started, Before: k.before, Open: k.states, Ended: k.ended}
	k.started, k.before, k.states, k.ended = nil, nil, nil, 0
	for i := range k.streams {
		rows.add(&k.streams[i])
	}
	if err := k.lookThrough(rows); err != nil {
		return nil, err
	}
	if n := k.flows.rows; n > 0 {
		rows.Flows = &endedFlows{n, k.flows.take().Digest}
		k.session.Flows += n
	}
	if !k.ledgers {
		return rows, nil
	}
	k.ledgers = false
	var err error
	rows.Ledgers, err = booksDigest(k.books, k.session.Session)
	return rows, err
}

// lookThrough reads what is new in the tables that grow seldom and in many places.
func (k *chain) lookThrough(rows *linkRows) error {
	for i := range listed {
		d := rowDigest{table: &listed[i]}
		err := k.look[i].each(func(row []driver.Value) error {
			d.add(row)
			return nil
		}, k.next.marks[i])
		if err != nil {
			return err
		}
		if d.rows > 0 {
			k.next.marks[i] = d.last
		}
		rows.add(&d)
	}
	return nil
}

// add takes the rows of one table.
func (r *linkRows) add(d *rowDigest) {
	if d.rows == 0 {
		return
	}
	if r.Tables == nil {
		r.Tables = map[string]rowRange{}
	}
	r.Tables[d.table.name] = d.take()
}

// booksDigest is the digest of the books of a session, "" where there are none.
func booksDigest(books *stmt, session int64) (string, error) {
	d := rowDigest{table: &ledgersTable}
	err := books.each(func(row []driver.Value) error {
		d.add(row)
		return nil
	}, session)
	if err != nil || d.rows == 0 {
		return "", err
	}
	return d.take().Digest, nil
}

// committed notes that the transaction is on disk.
func (k *chain) committed() { k.head = k.next }

// undone forgets the rows of a transaction that was undone.
func (k *chain) undone() {
	k.next = k.head
	k.states, k.ledgers = nil, false
	k.flows.take()
	for i := range k.streams {
		k.streams[i].take()
	}
}

// close gives the statements back.
func (k *chain) close() {
	for _, st := range append([]*stmt{k.insert, k.books, k.manifest}, k.look[:]...) {
		if st != nil {
			st.Close()
		}
	}
}
