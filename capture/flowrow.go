package capture

import (
	"database/sql/driver"
	"encoding/json"
	"math/bits"
	"strings"

	"telltale/flow"
)

// flowColumns are the columns of flows in the order of the table.
const flowColumns = "id,seq,kind,mode,phase,outcome,failure,error_id,started,ended,blocked,dns,connect,tls,send,wait,receive," +
	"host_id,connection_id,method,url_id,protocol,request_headers,request_body,request_size," +
	"status,reason,response_protocol,response_headers,response_body,response_size,sent,received,more"

const flowColumnCount = 34

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
	Capture         string   `json:"capture,omitempty"` // flow.Origin
	Entry           int      `json:"entry,omitempty"`
	Line            int      `json:"line,omitempty"`
	NoMethod        bool     `json:"no_method,omitempty"` // a request whose method or URL is empty:
	NoURL           bool     `json:"no_url,omitempty"`    // the columns hold what stands for it
}

// rare returns the column for a flow's rare facts, NULL when it has none.
func rare(f *flow.Flow) (driver.Value, error) {
	m := more{Altered: f.Altered, Capture: f.Origin.Capture, Entry: f.Origin.Entry, Line: f.Origin.Line}
	any := len(f.Altered) > 0 || f.Origin != flow.Origin{}
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

// flow writes one state of a flow; seq is 0 while it is open. Replacing a row
// costs a statement journal, so it is only done when there may be one.
func (w *writer) flow(f *flow.Flow, seq Seq, replace bool) error {
	host, err := w.host(f.Host())
	if err != nil {
		return err
	}
	connection, err := w.connection(f.Client, f.Server)
	if err != nil {
		return err
	}
	extra, err := rare(f)
	if err != nil {
		return err
	}
	var row [flowColumnCount]driver.Value
	columnsOf(f, &row)
	row[1], row[17], row[18], row[33] = number(int64(seq)), host, connection, extra
	if row[7], err = w.textRow(f.Error); err != nil {
		return err
	}
	if row[20], err = w.textRow(f.URL()); err != nil {
		return err
	}
	if r := f.Request; r != nil {
		if err := w.message(row[22:25], r.Header, &r.Body); err != nil {
			return err
		}
	}
	if r := f.Response; r != nil {
		if err := w.message(row[28:31], r.Header, &r.Body); err != nil {
			return err
		}
	}
	return w.insert(&row, replace)
}

// flowShape is a set of columns of flows, a bit each, and how they are written.
type flowShape struct {
	columns uint64
	replace bool
}

// maxShapes bounds the statements that are kept prepared.
const maxShapes = 32

// insert writes a row. A third of its columns is NULL in most rows, and a column
// costs as much to leave NULL as to fill; so there is a statement for each set
// of columns that comes up.
func (w *writer) insert(row *[flowColumnCount]driver.Value, replace bool) error {
	shape := flowShape{replace: replace}
	for i, v := range row {
		if v != nil {
			shape.columns |= 1 << i
		}
	}
	if len(w.insertFlow) >= maxShapes && w.insertFlow[shape] == nil {
		shape.columns = 1<<flowColumnCount - 1
	}
	st := w.insertFlow[shape]
	if st == nil {
		var err error
		if st, err = w.conn.prepare(shape.sql()); err != nil {
			return err
		}
		w.insertFlow[shape] = st
	}
	args := st.row(bits.OnesCount64(shape.columns))
	for i, n := 0, 0; i < len(row); i++ {
		if shape.columns&(1<<i) != 0 {
			args[n].Value = row[i]
			n++
		}
	}
	return st.execRow(args)
}

func (s flowShape) sql() string {
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
	return verb + " INTO flows(" + strings.Join(names, ",") + ") VALUES (?" + strings.Repeat(",?", len(names)-1) + ")"
}

// columnsOf fills in the columns that need no other table.
func columnsOf(f *flow.Flow, row *[flowColumnCount]driver.Value) {
	t := &f.Times
	*row = [...]driver.Value{
		int64(f.ID), nil, string(f.Kind), f.Mode, text(f.Phase), string(f.Outcome), text(f.Failure), nil,
		moment(t.Start), moment(t.End), stage(t.Blocked), stage(t.DNS), stage(t.Connect), stage(t.TLS), stage(t.Send), stage(t.Wait), stage(t.Receive),
		nil, nil, text(f.Method()), nil, nil, nil, nil, int64(0),
		nil, nil, nil, nil, nil, int64(0), f.Sent, f.Received, nil,
	}
	if r := f.Request; r != nil {
		row[21] = text(r.Proto)
	}
	if r := f.Response; r != nil {
		row[25], row[26], row[27] = int64(r.Status), text(r.Reason), text(r.Proto)
	}
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
	row[0], row[1], row[2] = block, body, b.Size
	return nil
}

func (w *writer) frame(id flow.ID, n int, f *flow.Frame) error {
	var data driver.Value
	if f.Data != nil {
		data = f.Data
	}
	return w.insertFrame.exec(int64(id), int64(n), micros(f.Time), truth(f.FromClient), int64(f.Opcode), f.Size, truth(f.Truncated), data)
}
