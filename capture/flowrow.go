package capture

import (
	"database/sql/driver"
	"encoding/json"
	"math/bits"
	"strings"

	"telltale/flow"
)

// flowColumns are the columns of flows in the order of the table.
const flowColumns = "id,kind_id,host_id,connection_id,url_id,error_id,started,ended,blocked,dns,connect,tls,send,wait,receive," +
	"request_headers,request_body,request_size,response_headers,response_body,response_size,sent,received,more," +
	"datagrams_sent,datagrams_received,answers_id,exposures_id"

// The place of some of them, and their number.
const (
	columnKind       = 1
	columnStarted    = 6
	columnRequest    = 15
	columnResponse   = 18
	columnSent       = 21
	columnMore       = 23
	columnDatagrams  = 24
	columnAnswers    = 26
	columnExposures  = 27
	flowColumnCount  = 28
	columnsDefaulted = 1<<(columnRequest+2) | 1<<(columnResponse+2) | 3<<columnSent | 3<<columnDatagrams // 0 when left out
)

// more holds the facts that few flows have, as JSON in one column.
type more struct {
	RequestTrailer  string   `json:"request_trailer,omitempty"`  // text of a header block
	ResponseTrailer string   `json:"response_trailer,omitempty"` // likewise
	RequestCut      bool     `json:"request_truncated,omitempty"`
	ResponseCut     bool     `json:"response_truncated,omitempty"`
	RequestDecoded  bool     `json:"request_decoded,omitempty"`
	ResponseDecoded bool     `json:"response_decoded,omitempty"`
	Interim         []int    `json:"interim,omitempty"`
	Altered         []string `json:"altered,omitempty"`
	Experiments     []string `json:"experiments,omitempty"`
	Notes           []string `json:"notes,omitempty"`
	Capture         string   `json:"capture,omitempty"` // flow.Origin
	Entry           int      `json:"entry,omitempty"`
	Line            int      `json:"line,omitempty"`
	NoMethod        bool     `json:"no_method,omitempty"` // a request whose method or URL is empty:
	NoURL           bool     `json:"no_url,omitempty"`    // the columns hold what stands for it
	Omitted         bool     `json:"omitted,omitempty"`
	Leaks           []leak   `json:"leaks,omitempty"`
}

// leak is a [flow.Leak] in more.
type leak struct {
	Name  string   `json:"name"`
	Where []string `json:"where,omitempty"`
}

// rare returns the column for a flow's rare facts, NULL when it has none.
func rare(f *flow.Flow) (driver.Value, error) {
	m := more{Altered: f.Altered, Experiments: f.Experiments, Notes: f.Notes, Capture: f.Origin.Capture, Entry: f.Origin.Entry, Line: f.Origin.Line}
	any := len(f.Altered)+len(f.Experiments)+len(f.Notes)+len(f.Leaks) > 0 || f.Omitted || f.Origin != flow.Origin{}
	m.Omitted = f.Omitted
	for _, l := range f.Leaks {
		m.Leaks = append(m.Leaks, leak(l))
	}
	if r := f.Request; r != nil {
		m.RequestCut, m.RequestDecoded = r.Body.Truncated, r.Body.Decoded
		m.RequestTrailer = string(appendFields(nil, r.Trailer))
		m.NoMethod, m.NoURL = r.Method == "", r.URL == ""
		any = any || m.RequestCut || m.RequestDecoded || m.NoMethod || m.NoURL || len(r.Trailer) > 0
	}
	if r := f.Response; r != nil {
		m.ResponseCut, m.ResponseDecoded, m.Interim = r.Body.Truncated, r.Body.Decoded, r.Interim
		m.ResponseTrailer = string(appendFields(nil, r.Trailer))
		any = any || m.ResponseCut || m.ResponseDecoded || len(r.Interim) > 0 || len(r.Trailer) > 0
	}
	if !any {
		return nil, nil
	}
	b, err := json.Marshal(m)
	return string(b), err
}

// flow writes one state of a flow. Replacing a row costs a statement journal, so it
// is only done when there may be one.
func (w *writer) flow(f *flow.Flow, replace bool) error {
	var row [flowColumnCount]driver.Value
	row[0] = int64(f.ID)
	timeColumns(row[columnStarted:], &f.Times)
	row[columnSent], row[columnSent+1] = number(f.Sent), number(f.Received)
	row[columnDatagrams], row[columnDatagrams+1] = number(f.DatagramsSent), number(f.DatagramsReceived)
	if err := w.references(f, row[columnKind:columnStarted]); err != nil {
		return err
	}
	if r := f.Request; r != nil {
		if err := w.message(row[columnRequest:], r.Header, &r.Body); err != nil {
			return err
		}
	}
	if r := f.Response; r != nil {
		if err := w.message(row[columnResponse:], r.Header, &r.Body); err != nil {
			return err
		}
	}
	var err error
	if row[columnMore], err = rare(f); err != nil {
		return err
	}
	if f.DNS != nil {
		if row[columnAnswers], err = w.textRow(w.answersText(f.DNS, f.Server.Asked)); err != nil {
			return err
		}
	}
	if row[columnExposures], err = w.exposures(f.Exposures); err != nil {
		return err
	}
	w.chain.flow(row[:], f.Ended())
	return w.insert(&row, replace)
}

// references fills the columns kind, host, connection, URL and error.
func (w *writer) references(f *flow.Flow, row []driver.Value) (err error) {
	if row[0], err = w.kind(f); err != nil {
		return err
	}
	if row[1], err = w.host(f.Host(), f.ID); err != nil {
		return err
	}
	if row[2], err = w.connection(f.Client, f.Server); err != nil {
		return err
	}
	if row[3], err = w.textRow(f.URL()); err != nil {
		return err
	}
	row[4], err = w.textRow(f.Error)
	return err
}

// flowShape is a set of columns of flows, a bit each, and how they are written.
type flowShape struct {
	columns uint64
	replace bool
}

// maxShapes bounds the statements that are kept prepared.
const maxShapes = 32

// insert writes a row, at the end of its batch at the latest. Half of its columns is NULL or
// 0 in most rows, and a column costs as much to leave NULL as to fill; so there is
// a statement for each set of columns that comes up.
func (w *writer) insert(row *[flowColumnCount]driver.Value, replace bool) error {
	shape := flowShape{replace: replace}
	for i, v := range row {
		if v != nil {
			shape.columns |= 1 << i
		}
	}
	if len(w.insertFlow) >= maxShapes && w.insertFlow[shape] == nil {
		shape.columns = 1<<flowColumnCount - 1
		for i, v := range row {
			if v == nil && columnsDefaulted&(1<<i) != 0 {
				row[i] = int64(0)
			}
		}
	}
	rows := w.insertFlow[shape]
	if rows == nil {
		rows = &rowInsert{into: shape.into(), width: bits.OnesCount64(shape.columns)}
		w.insertFlow[shape] = rows
	}
	for i, v := range row {
		if shape.columns&(1<<i) != 0 {
			rows.waiting = append(rows.waiting, v)
		}
	}
	return rows.writeFull(w.conn)
}

// into is the start of an INSERT statement.
func (s flowShape) into() string {
	var names []string
	for i, name := range strings.Split(flowColumns, ",") {
		if s.columns&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	verb := "INSERT"
	if s.replace {
		verb = "INSERT OR REPLACE"
	}
	return verb + " INTO flows(" + strings.Join(names, ",") + ")"
}

// timeColumns fills the columns from started to receive.
func timeColumns(row []driver.Value, t *flow.Times) {
	row[0], row[1] = moment(t.Start), moment(t.End)
	row[2], row[3], row[4], row[5] = stage(t.Blocked), stage(t.DNS), stage(t.Connect), stage(t.TLS)
	row[6], row[7], row[8] = stage(t.Send), stage(t.Wait), stage(t.Receive)
}

// message fills the columns headers, body and size.
func (w *writer) message(row []driver.Value, header []flow.Field, b *flow.Body) error {
	block, err := w.block(header)
	if err != nil {
		return err
	}
	body, err := w.body(b, header)
	if err != nil {
		return err
	}
	row[0], row[1], row[2] = block, body, number(b.Size)
	return nil
}

func (w *writer) frame(id flow.ID, n int, f *flow.Frame) error {
	var data driver.Value
	if f.Data != nil {
		data = f.Data
	}
	w.nextFrame++
	return w.insertFrame.exec(w.nextFrame-1, int64(id), int64(n), micros(f.Time), truth(f.FromClient), int64(f.Opcode), f.Size, truth(f.Truncated), data)
}
