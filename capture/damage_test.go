package capture

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
)

func recorded(t *testing.T, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.telltale")
	s, err := Create(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		s.Observe(flowtest.Post(fmt.Sprintf("https://h%d.example/", i), strings.Repeat("b", i), flowtest.ID(s.NextID())))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func execSQL(t *testing.T, path, script string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(script); err != nil {
		t.Fatal(err)
	}
}

func change(t *testing.T, path string, f func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, f(b), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedFilesAreNoCaptures(t *testing.T) {
	tests := []struct {
		name   string
		damage func(t *testing.T, path string)
		want   string
		write  bool // Create takes it all the same
	}{
		{"zero length", func(t *testing.T, p string) { change(t, p, func([]byte) []byte { return nil }) }, "is empty", true},
		{"text", func(t *testing.T, p string) {
			change(t, p, func([]byte) []byte { return []byte(strings.Repeat("hello ", 1000)) })
		}, "not a telltale capture", false},
		{"a few bytes", func(t *testing.T, p string) { change(t, p, func([]byte) []byte { return []byte("SQLite") }) }, "not a telltale capture", false},
		{"half", func(t *testing.T, p string) { change(t, p, func(b []byte) []byte { return b[:len(b)/2] }) }, "damaged", false},
		{"cut within a page", func(t *testing.T, p string) { change(t, p, func(b []byte) []byte { return b[:len(b)-100] }) }, "damaged", false},
		{"pages of noise", func(t *testing.T, p string) {
			change(t, p, func(b []byte) []byte {
				for i := 4096 * 2; i < len(b); i++ {
					b[i] = byte(i * 7)
				}
				return b
			})
		}, "damaged", false},
		{"another program's", func(t *testing.T, p string) {
			os.Remove(p)
			execSQL(t, p, "CREATE TABLE t(x); INSERT INTO t VALUES (1)")
		}, "another program", false},
		{"newer", func(t *testing.T, p string) { execSQL(t, p, "PRAGMA user_version = 99") }, "newer telltale", false},
		{"version lost", func(t *testing.T, p string) { execSQL(t, p, "PRAGMA user_version = 0") }, "no format version", false},
		{"table lost", func(t *testing.T, p string) {
			execSQL(t, p, "DROP VIEW exchanges; DROP VIEW devices; DROP TABLE connections")
		}, "no such table", false},
		{"row lost", func(t *testing.T, p string) { execSQL(t, p, "DELETE FROM connections") }, "connection 1 is missing", false},
		{"kind lost", func(t *testing.T, p string) { execSQL(t, p, "DELETE FROM kinds") }, "kind is missing", false},
		{"header block lost", func(t *testing.T, p string) { execSQL(t, p, "DELETE FROM headers") }, "header block is missing", false},
		{"header block mangled", func(t *testing.T, p string) { execSQL(t, p, "UPDATE headers SET fields = 'x'") }, "header block is not", false},
		{"JSON mangled", func(t *testing.T, p string) { execSQL(t, p, "UPDATE flows SET more = '{'") }, "cannot be understood", false},
		{"address mangled", func(t *testing.T, p string) { execSQL(t, p, "UPDATE connections SET client_address = 'x'") }, "cannot be understood", false},
		{"dialed mangled", func(t *testing.T, p string) { execSQL(t, p, "UPDATE connections SET dialed = 'x'") }, "cannot be understood", false},
		{"destination mangled", func(t *testing.T, p string) { execSQL(t, p, "UPDATE connections SET destination = 'x'") }, "cannot be understood", false},
		{"answers mangled", func(t *testing.T, p string) {
			execSQL(t, p, "UPDATE kinds SET question_type = 'A'; UPDATE flows SET answers_id = url_id; UPDATE texts SET text = 'a'||char(9)||'b'||char(10)")
		}, "cannot be understood", false},
		{"bodies mangled", func(t *testing.T, p string) { execSQL(t, p, "UPDATE bodies SET zstd = 1, content = x'00'") }, "damaged", false},
		{"bodies lost", func(t *testing.T, p string) { execSQL(t, p, "PRAGMA foreign_keys = off; DELETE FROM bodies") }, "body is missing", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := recorded(t, 40)
			tt.damage(t, path)
			s, err := Open(path, Options{Judge: allowAll{}})
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("open: %v, want %q", err, tt.want)
			}
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			w, err := Create(path, Options{Judge: allowAll{}})
			if err == nil {
				err = w.Close()
			}
			if tt.write != (err == nil) {
				t.Errorf("create: %v", err)
			}
			if after, _ := os.ReadFile(path); strings.Contains(tt.want, "another") && string(before) != string(after) {
				t.Error("another program's database was changed")
			}
		})
	}
}

type allowAll struct{}

func (allowAll) Judge(f *flow.Flow) policy.Judgement {
	return policy.Judgement{Host: f.Host(), Verdict: policy.Allowed}
}

func TestFileErrorsSayWhatToDo(t *testing.T) {
	path := recorded(t, 1)
	execSQL(t, path, "PRAGMA user_version = 99")
	_, err := Open(path, Options{})
	var e *FileError
	if !errors.As(err, &e) || e.File != path || !strings.Contains(e.Expected, "version 6 or older") || e.Hint() == "" {
		t.Errorf("%#v", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none"), Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := Open(t.TempDir(), Options{}); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("folder: %v", err)
	}
	if _, err := Create(t.TempDir(), Options{}); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("create at a folder: %v", err)
	}
	if _, err := Create(filepath.Join(t.TempDir(), "none", "x.telltale"), Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("create in a missing folder: %v", err)
	}
}

// When the disk is full, what was written stays, the totals go on, and everybody
// is told.
func TestFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.telltale")
	s, err := Create(path, Options{maxPages: 100})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for s.Err() == nil {
		for range 20 {
			n++
			s.Observe(flowtest.Post("https://x.example/", fmt.Sprint(n, strings.Repeat(fmt.Sprint(n*n), 50)), flowtest.ID(s.NextID())))
		}
		if err := s.Sync(); err != nil && !strings.Contains(err.Error(), "disk is full") {
			t.Fatal(err)
		}
	}
	for range 20 {
		n++
		s.Observe(flowtest.Get("https://y.example/", flowtest.ID(s.NextID())))
	}
	if err := s.Sync(); err == nil {
		t.Error("Sync calls a full disk fine")
	}
	for i := range 300 {
		s.Mark(fmt.Sprint(i)) // cannot be written, and must not block
	}
	sum := s.Summary()
	if sum.Flows != n || len(sum.Health.Notes) != 1 || !strings.Contains(sum.Health.Notes[0], "disk is full") {
		t.Errorf("%d of %d flows, notes %q", sum.Flows, n, sum.Health.Notes)
	}
	if err := s.Rejudge(context.Background(), nil, nil); err == nil {
		t.Error("Rejudge forgets flows that are not on disk")
	}
	if err := s.Close(); err == nil {
		t.Error("Close calls a full disk fine")
	}
	r, err := Open(path, Options{Judge: allowAll{}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got := r.Summary().Flows; got == 0 || got >= n {
		t.Errorf("%d of %d flows are left", got, n)
	}
	if err := r.All(context.Background(), func(*flow.Flow) error { return nil }); err != nil {
		t.Error(err)
	}
}

// The views for people name devices as the summary does, as far as the file knows.
func TestViewsNameDevices(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.telltale")
	s, err := Create(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{"192.168.1.7:1", "[::ffff:192.168.1.7]:2", "[fe80::1%eth0]:3", "[fe80::1]:4", "192.168.1.8:5"} {
		s.Observe(flowtest.Get("https://a.example/", flowtest.ID(s.NextID()), flowtest.From(from), flowtest.Device("carried")))
	}
	for addr, name := range map[string]string{"192.168.1.7": "Ann's phone", "fe80::1%eth0": ""} {
		if err := s.NameDevice(netip.MustParseAddr(addr), name); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		"SELECT group_concat(address || '=' || coalesce(name, '-') || '=' || flows, ' ') FROM (SELECT * FROM devices ORDER BY address)":         "192.168.1.7=Ann's phone=2 192.168.1.8=carried=1 fe80::1=-=2",
		"SELECT group_concat(client || '=' || coalesce(device, '-'), ' ') FROM (SELECT DISTINCT client, device FROM exchanges ORDER BY client)": "192.168.1.7=Ann's phone 192.168.1.8=carried fe80::1=-",
	} {
		if got := querySQL(t, path, query); got != want {
			t.Errorf("%s:\n got %s\nwant %s", query, got, want)
		}
	}
}

func querySQL(t *testing.T, path, query string) (text string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(query).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

type forbidAll struct{}

func (forbidAll) Judge(f *flow.Flow) policy.Judgement {
	return policy.Judgement{Verdict: policy.Violation, Host: f.Host(), Findings: []policy.Finding{{Rule: policy.HostNotAllowed, Host: f.Host()}}}
}

// On a full disk, those who take events get every one of them, and none of the next session
// has the number of one that the file lacks.
func TestEventsOnAFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.telltale")
	opts := Options{maxPages: 100, Judge: forbidAll{}, Tell: func(o Occurrence) []byte { return []byte(o.Finding.Host) }}
	s, err := Create(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	n, last := 0, int64(0)
	observe := func() {
		n++
		body := make([]byte, 8<<10) // that nothing makes smaller
		_, _ = rand.Read(body)
		s.Observe(flowtest.Post(fmt.Sprintf("https://h%d.example/", n), string(body), flowtest.ID(s.NextID())))
		_ = s.Sync() // the disk fills up
	}
	take := func() {
		events, err := s.Events(last, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if last++; e.Seq != last || string(e.Document) != fmt.Sprintf("h%d.example", last) {
				t.Fatalf("event %d: %d %s", last, e.Seq, e.Document)
			}
		}
	}
	for s.Err() == nil {
		observe()
	}
	for range 20 {
		observe()
	}
	take()
	s.Tell("trouble", "", func(int64) []byte { return fmt.Appendf(nil, "h%d.example", n+1) })
	_ = s.Sync()
	take()
	if last != int64(n)+1 {
		t.Errorf("%d events of %d violations and a trouble", last, n)
	}
	if err := s.Annotate(Annotation{Violation: "v", Kind: Acknowledged}); err == nil || len(s.Annotations()) != 1 {
		t.Errorf("annotation: %v, %v", s.Annotations(), err)
	}
	if err := s.Close(); err == nil {
		t.Error("Close calls a full disk fine")
	}
	opts.maxPages = 0
	if s, err = Create(path, opts); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Observe(flowtest.Get("https://new.example/", flowtest.ID(s.NextID())))
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	if events, err := s.Events(last, 0); err != nil || len(events) != 1 || string(events[0].Document) != "new.example" {
		t.Errorf("%v, %v", events, err)
	}
}

// Events that nobody takes do not fill the memory: they are read back from the file, or,
// where there is none, the oldest go.
func TestEventsThatNobodyTakes(t *testing.T) {
	var o outbox
	events := make([]Event, maxEvents+10)
	for i := range events {
		events[i].Seq = int64(i + 1)
	}
	if lost := o.publish(events[:maxEvents], false); lost {
		t.Error("lost before it is full")
	}
	if lost := o.publish(events[maxEvents:maxEvents+5], true); lost || len(o.waiting) != maxEvents || o.filed != 5 {
		t.Errorf("lost %v, %d wait, %d filed", lost, len(o.waiting), o.filed)
	}
	if lost := o.publish(events[maxEvents+5:maxEvents+6], false); !lost || o.filed != 6 {
		t.Errorf("lost %v, %d filed", lost, o.filed)
	}
	if lost := o.publish(events[maxEvents+6:], false); lost || len(o.waiting) != maxEvents || o.waiting[0].Seq != 11 {
		t.Errorf("said twice that events are lost: %v", lost)
	}
}
