package intake_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"telltale/intake"
)

const (
	phoneReport = `{"type":"networkActivity","domain":"report.example","bundleID":"org.app.example","timeStamp":"2026-11-20T12:46:08Z","hits":1}` + "\n"
	phoneList   = "\"uid\",\"daddr\",\"time\",\"uncertain\",\"Tracker\",\"Category\",\"Package\",\"App\"\r\n\"1\",\"list.example\",\"1795196758040\",\"0\",\"\",\"\",\"org.app.example\",\"App\"\r\n"
	otherTable  = "item,price\nbread,3\n"
	otherRows   = `{"time":1,"event":"start"}` + "\n"
)

// TestContacts finds what phones say of their contacts wherever it lies, by content, and
// leaves other tables and other rows of JSON alone.
func TestContacts(t *testing.T) {
	packets := string(must(os.ReadFile("../contacts/testdata/ethernet.pcap")))
	dir := t.TempDir()
	in := func(names ...string) string { return filepath.Join(append([]string{dir}, names...)...) }
	write(t, in("folder", "a.ndjson"), phoneReport)
	write(t, in("folder", "b.csv"), phoneList)
	write(t, in("folder", "c.csv.gz"), gzipped(t, phoneList))
	write(t, in("folder", "d.csv"), otherTable)
	write(t, in("folder", "e.csv.gz"), gzipped(t, otherTable))
	write(t, in("folder", "f.ndjson"), otherRows)
	write(t, in("folder", "g.csv"), "")
	write(t, in("folder", "h.har"), entries("har.example"))
	hosts, infos, troubles := read(t, intake.Options{}, in("folder"))
	clean(t, infos, troubles)
	equal(t, hosts, "report.example", "list.example", "list.example", "har.example")

	archive := write(t, in("a.zip"), zipped(t, "x/a.ndjson", phoneReport, "b.csv", otherTable, "c.CSV", phoneList, "d.csv.gz", gzipped(t, phoneList)))
	hosts, infos, troubles = read(t, intake.Options{}, archive)
	clean(t, infos, troubles)
	equal(t, hosts, "report.example", "list.example", "list.example")

	for _, name := range []string{"report", "report.har", "report.csv"} {
		hosts, infos, troubles = read(t, intake.Options{}, write(t, in(name), phoneReport))
		clean(t, infos, troubles)
		equal(t, hosts, "report.example")
	}
	for _, data := range []string{packets, gzipped(t, packets), zipped(t, "capture.pcap", packets, "notes.csv", otherTable)} {
		hosts, infos, troubles = read(t, intake.Options{}, write(t, in("packets"), data))
		clean(t, infos, troubles)
		if len(hosts) != 12 || infos[0].Entries != 83 || infos[0].Skipped["packet to many"] != 4 {
			t.Errorf("%v, %+v", hosts, infos)
		}
	}
}

// TestForeignTables checks that one which was asked for says what was expected, and that
// a folder with nothing else says that it holds no capture.
func TestForeignTables(t *testing.T) {
	dir := t.TempDir()
	path := write(t, filepath.Join(dir, "d.csv"), otherTable)
	_, infos, _ := read(t, intake.Options{}, path)
	if len(infos) != 1 || infos[0].Err == nil || !strings.Contains(infos[0].Err.Error(), "d.csv: line 1: expected the columns of PCAPdroid") {
		t.Errorf("%+v", infos)
	}
	_, errs := intake.Find(t.Context(), []string{dir}, nil)
	if len(errs) != 1 || !strings.Contains(errs[0].Error(), "holds no capture") {
		t.Errorf("%v", errs)
	}
	_, infos, _ = read(t, intake.Options{}, write(t, filepath.Join(dir, "a.zip"), zipped(t, "d.csv", otherTable)))
	if len(infos) != 1 || infos[0].Err == nil || !strings.Contains(infos[0].Err.Error(), "expected a capture in the archive") {
		t.Errorf("%+v", infos)
	}
}
