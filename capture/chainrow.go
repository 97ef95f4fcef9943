package capture

import (
	"crypto/sha256"
	"database/sql/driver"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"math"
)

// sealedTable is a table that the chain covers.
type sealedTable struct {
	name      string
	key       string // column by which its rows are in order
	defaulted uint64 // columns that are 0, and never NULL, when they are left out; a bit each
	omitted   uint64 // columns that are not hashed
	since     int    // version of the format that has it first; 0: every one with a chain
}

// last is the query for its newest row.
func (t *sealedTable) last() string { return "SELECT max(" + t.key + ") FROM " + t.name }

// The place in streamed of the tables whose rows are hashed as they are written.
const (
	sealHosts = iota
	sealTexts
	sealHeaders
	sealBodies
	sealCertificates
	sealConnections
	sealKinds
	sealExposures
	sealFrames
	sealedStreams
)

// bodyContent is the column of bodies with the content. Its digest is in a column beside it.
const bodyContent = 6

var streamed = [sealedStreams]sealedTable{
	sealHosts:        {name: "hosts", key: "id"},
	sealTexts:        {name: "texts", key: "id"},
	sealHeaders:      {name: "headers", key: "id"},
	sealBodies:       {name: "bodies", key: "id", omitted: 1 << bodyContent},
	sealCertificates: {name: "certificates", key: "id"},
	sealConnections:  {name: "connections", key: "id"},
	sealKinds:        {name: "kinds", key: "id"},
	sealExposures:    {name: "exposures", key: "id"},
	sealFrames:       {name: "frames", key: "id"},
}

// listed are the tables that grow seldom and in many places: what is new in them is read
// for each link.
var listed = [...]sealedTable{
	{name: "phases", key: "id"},
	{name: "notes", key: "id"},
	{name: "events", key: "seq"},
	{name: "annotations", key: "id"},
	{name: "switches", key: "id", since: switchesSince},
}

// Tables that are covered in a way of their own.
var (
	flowsTable    = sealedTable{name: "flows", key: "id", defaulted: columnsDefaulted}
	ledgersTable  = sealedTable{name: "ledgers"}
	sessionsTable = sealedTable{name: "sessions", key: "id"}
)

// allTables are those whose rows have numbers.
func allTables() []*sealedTable {
	all := []*sealedTable{&flowsTable, &sessionsTable}
	for i := range streamed {
		all = append(all, &streamed[i])
	}
	for i := range listed {
		all = append(all, &listed[i])
	}
	return all
}

// rowEnd ends a row: no column has that number.
const rowEnd = 0xff

// absent stands for NULL in a column that cannot be NULL.
type absent struct{}

// appendRow appends the canonical encoding of a row: of each column that is not NULL, nor
// an empty blob, its number, a letter for its type, and its value. A column that a later
// version of the format adds leaves the digests of older rows as they are.
func (t *sealedTable) appendRow(b []byte, row []driver.Value) []byte {
	for i, v := range row {
		if t.omitted&(1<<i) != 0 {
			continue
		}
		switch v := v.(type) {
		case nil:
		case int64:
			if v != 0 || t.defaulted&(1<<i) == 0 {
				b = binary.BigEndian.AppendUint64(append(b, byte(i), 'i'), uint64(v))
			}
		case string:
			b = binary.BigEndian.AppendUint32(append(b, byte(i), 't'), uint32(len(v)))
			b = append(b, v...)
		case []byte:
			if len(v) > 0 {
				b = binary.BigEndian.AppendUint32(append(b, byte(i), 'b'), uint32(len(v)))
				b = append(b, v...)
			}
		case float64:
			b = binary.BigEndian.AppendUint64(append(b, byte(i), 'f'), math.Float64bits(v))
		default:
			b = append(b, byte(i), 'n') // nothing that the recorder writes
		}
	}
	return append(b, rowEnd)
}

// restore brings a row that was read into the form in which it was written.
func (t *sealedTable) restore(row []driver.Value) {
	for i := range row {
		if row[i] == nil && t.defaulted&(1<<i) != 0 {
			row[i] = absent{}
		}
	}
}

// hashAtOnce is how many bytes gather before they are hashed.
const hashAtOnce = 4 << 10

// rowDigest is the running SHA-256 of rows of one table.
type rowDigest struct {
	table             *sealedTable
	hash              hash.Hash // nil until it is needed
	waiting           []byte
	first, last, rows int64
}

// add takes one row. It keeps nothing of it.
func (d *rowDigest) add(row []driver.Value) {
	d.last, _ = row[0].(int64)
	if d.rows == 0 {
		d.first = d.last
	}
	d.rows++
	d.waiting = d.table.appendRow(d.waiting, row)
	if len(d.waiting) >= hashAtOnce {
		d.write()
	}
}

func (d *rowDigest) write() {
	if d.hash == nil {
		d.hash = sha256.New()
	}
	d.hash.Write(d.waiting)
	d.waiting = d.waiting[:0]
}

// take returns what was added since it was taken last.
func (d *rowDigest) take() rowRange {
	d.write()
	s := rowRange{d.first, d.last, d.rows, hex.EncodeToString(d.hash.Sum(nil))}
	d.hash.Reset()
	d.first, d.last, d.rows = 0, 0, 0
	if cap(d.waiting) > 16*hashAtOnce {
		d.waiting = nil // a long text came through
	}
	return s
}
