package capture

import (
	"crypto/sha256"
	"database/sql/driver"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"hash/maphash"
	"iter"
	"time"

	"github.com/klauspost/compress/zstd"

	"telltale/flow"
)

// How much of what was written lately is remembered, so that it is not written
// again. What was forgotten costs space, not truth, except for bodies, whose
// digests are looked up in the file.
const (
	recentTexts       = 8192
	recentHeaders     = 8192
	recentConnections = 2048
	recentBodies      = 8192
	recentKinds       = 1024
	recentBlocks      = 8192
	recentExposures   = 2048
)

// compressAbove is the size from which a body is worth a try with zstd.
const compressAbove = 512

// writer writes rows. It belongs to the worker's goroutine.
type writer struct {
	conn  *conn
	path  string
	chain *chain

	begin, commit, rollback                                   *stmt
	insertFrame, insertHost                                   *stmt
	insertBody, findBody, insertCertificate                   *stmt
	insertDoc, insertTag, insertKind, insertBlock, insertEnds *stmt

	insertFlow                map[flowShape]*rowInsert
	insertText, insertHeaders rowInsert
	insertConnection          rowInsert
	insertExposures           rowInsert

	nextHost, nextText, nextHeaders, nextBody, nextConnection, nextCertificate, nextKind, nextExposures, nextFrame int64

	// IDs of rows as the driver takes them: to put a number into an interface
	// costs an allocation.
	hosts        map[string]driver.Value
	texts        *recent[textKey, driver.Value]
	headers      *recent[textKey, driver.Value]
	exposed      *recent[textKey, driver.Value]
	bodies       *recent[[sha256.Size]byte, driver.Value]
	connections  *recent[connectionKey, driver.Value]
	certificates *recent[string, driver.Value]
	serverTLS    *recent[serverTLSKey, *flow.ServerTLS]
	sameAs       *recent[*flow.ServerTLS, *flow.ServerTLS]
	kinds        *recent[kindKey, driver.Value]
	blocks       *recent[blockKey, struct{}]
	seeds        [2]maphash.Seed
	zstd         *zstd.Encoder
	session      int64
	lastSeq      Seq
	text         []byte // scratch
	packed       []byte // scratch
}

// textKey is a 128-bit hash of a text or a header block: wide enough that two
// different ones never share one.
type textKey [2]uint64

// kindKey is what makes a row of kinds.
type kindKey struct {
	kind                  flow.Kind
	outcome               flow.Outcome
	mode, phase, failure  string
	method, protocol      string
	status                int
	reason, protocolOfEnd string
	speech                string
	asks                  bool // it has a question of DNS
	question, answer      string
	examined              int
}

// hostBlock is how many IDs are a block of host_blocks.
const hostBlock = 256

// blockKey is a row of host_blocks.
type blockKey struct{ host, block int64 }

func newWriter(path string, c *conn) (*writer, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(128<<10))
	if err != nil {
		return nil, err
	}
	w := &writer{
		conn: c, path: path, zstd: enc, hosts: map[string]driver.Value{}, insertFlow: map[flowShape]*rowInsert{},
		insertText: rowInsert{into: "INSERT INTO texts", width: 2}, insertHeaders: rowInsert{into: "INSERT INTO headers", width: 2},
		insertConnection: rowInsert{into: "INSERT INTO connections", width: connectionWidth},
		insertExposures:  rowInsert{into: "INSERT INTO exposures", width: 2},
		seeds:            [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
	}
	w.forget()
	if w.chain, err = newChain(c); err != nil {
		return nil, classify(path, err)
	}
	for _, p := range []struct {
		st    **stmt
		query string
	}{
		{&w.begin, "BEGIN IMMEDIATE"}, {&w.commit, "COMMIT"}, {&w.rollback, "ROLLBACK"},
		{&w.insertFrame, "INSERT OR REPLACE INTO frames(id,flow_id,n,time,from_client,opcode,size,truncated,data) VALUES (?,?,?,?,?,?,?,?,?)"},
		{&w.insertHost, "INSERT INTO hosts VALUES (?,?)"},
		{&w.insertBody, "INSERT INTO bodies VALUES (?,?,?,?,?,?,?)"},
		{&w.insertCertificate, "INSERT INTO certificates VALUES (?,?,?,?,?,?,?)"},
		{&w.findBody, "SELECT id FROM bodies WHERE sha256 = ?"},
		{&w.insertDoc, "INSERT INTO search(rowid,text) VALUES (?,?)"},
		{&w.insertTag, "INSERT OR REPLACE INTO meta VALUES (?,?)"},
		{&w.insertKind, "INSERT INTO kinds VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"},
		{&w.insertBlock, "INSERT OR IGNORE INTO host_blocks VALUES (?,?)"},
		{&w.insertEnds, "INSERT INTO ends VALUES (?,?)"},
	} {
		if *p.st, err = c.prepare(p.query); err != nil {
			return nil, classify(path, err)
		}
	}
	w.cover()
	return w, w.resume()
}

// forget empties what is remembered of the file, after a transaction was undone.
func (w *writer) forget() {
	for rows := range w.gathering() {
		rows.forget()
	}
	w.texts = newRecent[textKey, driver.Value](recentTexts)
	w.headers = newRecent[textKey, driver.Value](recentHeaders)
	w.exposed = newRecent[textKey, driver.Value](recentExposures)
	w.bodies = newRecent[[sha256.Size]byte, driver.Value](recentBodies)
	w.connections = newRecent[connectionKey, driver.Value](recentConnections)
	w.certificates = newRecent[string, driver.Value](recentConnections)
	w.serverTLS = newRecent[serverTLSKey, *flow.ServerTLS](recentConnections)
	w.sameAs = newRecent[*flow.ServerTLS, *flow.ServerTLS](recentConnections)
	w.kinds = newRecent[kindKey, driver.Value](recentKinds)
	w.blocks = newRecent[blockKey, struct{}](recentBlocks)
}

// gathering returns where rows may wait to be written.
func (w *writer) gathering() iter.Seq[*rowInsert] {
	return func(yield func(*rowInsert) bool) {
		ok := yield(&w.insertText) && yield(&w.insertHeaders) && yield(&w.insertConnection) && yield(&w.insertExposures)
		for _, rows := range w.insertFlow {
			ok = ok && yield(rows)
		}
	}
}

// resume continues the numbers of the file.
func (w *writer) resume() error {
	for _, t := range []struct {
		next  *int64
		table string
	}{
		{&w.nextHost, "hosts"}, {&w.nextText, "texts"}, {&w.nextHeaders, "headers"}, {&w.nextBody, "bodies"},
		{&w.nextConnection, "connections"}, {&w.nextCertificate, "certificates"}, {&w.nextKind, "kinds"}, {&w.nextExposures, "exposures"},
		{&w.nextFrame, "frames"},
	} {
		n, err := w.conn.integer("SELECT max(id) FROM " + t.table)
		if err != nil {
			return classify(w.path, err)
		}
		*t.next = n + 1
	}
	seq, err := w.conn.integer(selectLastEnd)
	if err != nil {
		return classify(w.path, err)
	}
	w.lastSeq = Seq(seq)
	st, err := w.conn.prepare("SELECT id, name FROM hosts")
	if err != nil {
		return classify(w.path, err)
	}
	defer st.Close()
	return classify(w.path, st.each(func(row []driver.Value) error {
		name, _ := row[1].(string)
		w.hosts[name] = row[0]
		return nil
	}))
}

// close ends the connection; what is committed is on disk.
func (w *writer) close() error {
	for _, st := range []*stmt{
		w.begin, w.commit, w.rollback, w.insertFrame, w.insertHost, w.insertBody,
		w.insertCertificate, w.findBody, w.insertDoc, w.insertTag,
		w.insertKind, w.insertBlock, w.insertEnds,
	} {
		if st != nil {
			st.Close()
		}
	}
	for rows := range w.gathering() {
		rows.close()
	}
	w.chain.close()
	w.zstd.Close()
	// Without a log beside it, the file can be read from a read-only folder and
	// copied by hand. Where another process reads it just now, the log stays.
	_ = w.conn.run("PRAGMA wal_checkpoint(TRUNCATE)")
	_ = w.conn.run("PRAGMA journal_mode = DELETE")
	return w.conn.Close()
}

// host returns the row of a host and notes that the flow is one of its, nil for "".
func (w *writer) host(name string, f flow.ID) (driver.Value, error) {
	if name == "" {
		return nil, nil
	}
	id, ok := w.hosts[name]
	if !ok {
		id = w.nextHost
		if err := w.insertHost.exec(id, name); err != nil {
			return nil, err
		}
		w.nextHost++
		w.hosts[name] = id
	}
	key := blockKey{id.(int64), int64(f) / hostBlock}
	if _, ok := w.blocks.get(key); ok {
		return id, nil
	}
	if err := w.insertBlock.exec(id, key.block); err != nil {
		return nil, err
	}
	w.blocks.put(key, struct{}{})
	return id, nil
}

// kind returns the row of what a flow has in common with many.
func (w *writer) kind(f *flow.Flow) (driver.Value, error) {
	key := kindKey{kind: f.Kind, outcome: f.Outcome, mode: f.Mode, phase: f.Phase, failure: f.Failure, method: f.Method(), status: -1, examined: f.Examined}
	if r := f.Request; r != nil {
		key.protocol = r.Proto
	}
	key.speech = f.Speech
	var status, question, answer driver.Value
	if q := f.DNS; q != nil {
		key.asks, key.question, key.answer = true, q.Type, q.Code
		question, answer = q.Type, text(q.Code)
	}
	if r := f.Response; r != nil {
		key.status, key.reason, key.protocolOfEnd = r.Status, r.Reason, r.Proto
		status = int64(r.Status)
	}
	if id, ok := w.kinds.get(key); ok {
		return id, nil
	}
	id := w.nextKind
	err := w.insertKind.exec(id, string(f.Kind), f.Mode, text(f.Phase), string(f.Outcome), text(f.Failure), text(key.method),
		text(key.protocol), status, text(key.reason), text(key.protocolOfEnd), text(key.speech), question, answer, number(int64(f.Examined)))
	if err != nil {
		return nil, err
	}
	w.nextKind++
	w.kinds.put(key, id)
	return id, nil
}

// textRow returns the row of a URL or a sentence, nil for "". Most flows of an app
// repeat one of a few, and each needs to be indexed once.
func (w *writer) textRow(s string) (driver.Value, error) {
	if s == "" {
		return nil, nil
	}
	key := textKey{maphash.String(w.seeds[0], s), maphash.String(w.seeds[1], s)}
	if id, ok := w.texts.get(key); ok {
		return id, nil
	}
	id := w.nextText
	if err := w.insertText.add(w.conn, id, s); err != nil {
		return nil, err
	}
	w.nextText++
	w.texts.put(key, id)
	return id, nil
}

// block returns the row of a header block. A message without fields has a
// block too, an empty one: NULL means that there was no message.
func (w *writer) block(fields []flow.Field) (driver.Value, error) {
	raw := w.text[:0]
	for i := range fields {
		name, value := fields[i].Name, fields[i].Reveal()
		raw = binary.LittleEndian.AppendUint32(raw, uint32(len(name)))
		raw = append(raw, name...)
		raw = binary.LittleEndian.AppendUint32(raw, uint32(len(value)))
		raw = append(raw, value...)
	}
	w.text = raw
	key := textKey{maphash.Bytes(w.seeds[0], raw), maphash.Bytes(w.seeds[1], raw)}
	if id, ok := w.headers.get(key); ok {
		return id, nil
	}
	w.text = appendFields(w.text[:0], fields)
	id := w.nextHeaders
	if err := w.insertHeaders.add(w.conn, id, string(w.text)); err != nil {
		return nil, err
	}
	w.nextHeaders++
	w.headers.put(key, id)
	return id, nil
}

// body returns the row of a body's kept part, nil when nothing is kept.
func (w *writer) body(b *flow.Body, header []flow.Field) (driver.Value, error) {
	if len(b.Content) == 0 {
		return w.knownBody(b.Digest)
	}
	sum := sha256.Sum256(b.Content)
	if id, found, err := w.lookupBody(sum); found || err != nil {
		return id, err
	}
	content, packed := b.Content, int64(0)
	if len(content) >= compressAbove {
		w.packed = w.zstd.EncodeAll(content, w.packed[:0])
		if len(w.packed) < len(content)-len(content)/8 {
			content, packed = w.packed, 1
		}
	}
	coding := ""
	if !b.Decoded {
		coding = flow.Get(header, "Content-Encoding")
	}
	id := w.nextBody
	err := w.insertBody.exec(id, sum[:], int64(len(b.Content)), text(flow.Get(header, "Content-Type")), text(coding), packed, content)
	if err != nil {
		return nil, err
	}
	w.nextBody++
	w.bodies.put(sum, id)
	return id, nil
}

// knownBody finds a body that came with an earlier state of its flow.
func (w *writer) knownBody(digest string) (driver.Value, error) {
	var sum [sha256.Size]byte
	if b, _ := hex.DecodeString(digest); copy(sum[:], b) != len(sum) {
		return nil, nil // not a digest of ours
	}
	id, found, err := w.lookupBody(sum)
	if !found || err != nil {
		return nil, err
	}
	return id, nil
}

func (w *writer) lookupBody(sum [sha256.Size]byte) (id driver.Value, found bool, err error) {
	if id, found = w.bodies.get(sum); found {
		return id, true, nil
	}
	n, found, err := w.findBody.integer(sum[:])
	if found {
		w.bodies.put(sum, n)
	}
	return n, found, err
}

// text is a column that is NULL for "".
func text(s string) driver.Value {
	if s == "" {
		return nil
	}
	return s
}

// number is a column that is NULL for 0.
func number(n int64) driver.Value {
	if n == 0 {
		return nil
	}
	return n
}

func truth(b bool) driver.Value {
	if b {
		return int64(1)
	}
	return int64(0)
}

// list is a column with a JSON array, NULL for an empty one.
func list[T any](items []T) driver.Value {
	if len(items) == 0 {
		return nil
	}
	b, err := json.Marshal(items)
	if err != nil {
		return nil // strings and numbers always encode
	}
	return string(b)
}

// moment is a column with a time, NULL for none.
func moment(t time.Time) driver.Value {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// micros is moment for columns that are never NULL: the year 1 has a number too.
func micros(t time.Time) int64 { return t.UnixMicro() }

// stage is a column with the duration of a stage, NULL for one that was not measured.
func stage(d time.Duration) driver.Value {
	if d < 0 {
		return nil
	}
	return d.Microseconds()
}
