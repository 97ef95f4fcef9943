package contacts_test

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"telltale/contacts"
	"telltale/flow"
	"telltale/guard/raced"
	"telltale/policy"
)

const (
	pcapdroidHeader = "IPProto,SrcIP,SrcPort,DstIp,DstPort,UID,App,PackageName,Proto,Status,Info,BytesSent,BytesRcvd,PktsSent,PktsRcvd,FirstSeen,LastSeen\n"
	pcapdroidRow    = "6,10.215.173.1,38210,203.0.113.10,443,10312,App,org.app.example,TLS,Closed,a.example,1,2,3,4,2026-11-20T12:45:58.040-05:00,2026-11-20T12:46:08.992-05:00\n"
	trackerHeader   = "\"uid\",\"daddr\",\"time\",\"uncertain\",\"Tracker\",\"Category\",\"Package\",\"App\"\n"
	reportRow       = `{"type":"networkActivity","domain":"a.example","bundleID":"org.app.example","timeStamp":"2026-11-20T12:46:08Z","firstTimeStamp":"2026-11-20T12:46:08Z","hits":1}` + "\n"
)

// hosts lists the hosts of what was read, with the app of each.
func hosts(flows []*flow.Flow) string {
	var all []string
	for _, f := range flows {
		all = append(all, fmt.Sprintf("%s %s %s", f.Host(), f.Client.App.Name, f.Client.App.ID))
	}
	return strings.Join(all, "; ")
}

// TestLists reads lists in all the shapes that programs and people give them.
func TestLists(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ data, want string }{
		"as it is":           {pcapdroidHeader + pcapdroidRow, "a.example App org.app.example"},
		"byte order mark":    {"\xef\xbb\xbf" + pcapdroidHeader + pcapdroidRow, "a.example App org.app.example"},
		"line ends of DOS":   {strings.ReplaceAll(pcapdroidHeader+pcapdroidRow, "\n", "\r\n"), "a.example App org.app.example"},
		"no last line end":   {pcapdroidHeader + strings.TrimSuffix(pcapdroidRow, "\n"), "a.example App org.app.example"},
		"empty lines":        {pcapdroidHeader + "\n\r\n" + pcapdroidRow + "\n", "a.example App org.app.example"},
		"semicolons":         {strings.ReplaceAll("sep=,\n"+pcapdroidHeader+pcapdroidRow, ",", ";"), "a.example App org.app.example"},
		"tabs":               {strings.ReplaceAll(pcapdroidHeader+pcapdroidRow, ",", "\t"), "a.example App org.app.example"},
		"quoted":             {pcapdroidHeader + strings.ReplaceAll(pcapdroidRow, "App,", "\"A, \"\"p\"\"\r\np\","), "a.example A, \"p\"\r\np org.app.example"},
		"comma in the app":   {pcapdroidHeader + strings.ReplaceAll(pcapdroidRow, "App,", "A, p, p,"), "a.example A, p, p org.app.example"},
		"comma in the info":  {pcapdroidHeader + strings.ReplaceAll(pcapdroidRow, "a.example", "a.example,b"), "a.example,b App org.app.example"},
		"quote in the app":   {pcapdroidHeader + strings.ReplaceAll(pcapdroidRow, "App,", "\"A\" p,") + pcapdroidRow, "a.example \"A\" p org.app.example; a.example App org.app.example"},
		"malicious":          {strings.Replace(pcapdroidHeader, "LastSeen", "LastSeen,Malicious", 1) + strings.TrimSuffix(pcapdroidRow, "\n") + ",yes\n", "a.example App org.app.example"},
		"further columns":    {strings.Replace(pcapdroidHeader, "LastSeen", "LastSeen,Country", 1) + strings.TrimSuffix(pcapdroidRow, "\n") + ",CA\n", "a.example App org.app.example"},
		"older header":       {strings.NewReplacer("UID", "Uid", "PackageName,", "").Replace(pcapdroidHeader) + strings.ReplaceAll(pcapdroidRow, "org.app.example,", ""), "a.example App "},
		"few columns":        {"DstIp,UID,IPProto\n203.0.113.10,1,6\n", "203.0.113.10  "},
		"unknown app":        {pcapdroidHeader + strings.ReplaceAll(pcapdroidRow, "10312,App,org.app.example", "-1,Unbekannt,unknown"), "a.example  "},
		"no name":            {pcapdroidHeader + strings.ReplaceAll(pcapdroidRow, "a.example", ""), "203.0.113.10 App org.app.example"},
		"header only":        {pcapdroidHeader, ""},
		"tracker":            {trackerHeader + "\"1\",\"a.example\",\"1795196758040\",\"0\",\"\",\"\",\"org.app.example\",\"App\"\n", "a.example App org.app.example"},
		"tracker, time(ms)":  {"uid,daddr,time(ms),uncertain,Tracker,Category,Package,App\n1,a.example,\"1,79519675804E+12\",0,,,org.app.example,App\n", "a.example App org.app.example"},
		"tracker of one app": {"\"daddr\",\"time\",\"uncertain\",\"Tracker Name\",\"Tracker Category\"\n\"a.example\",\"1795196758040\",\"0\",\"\",\"\"\n", "a.example  "},
		"report":             {reportRow, "a.example  org.app.example"},
		"report, DOS":        {"\xef\xbb\xbf" + strings.ReplaceAll(reportRow, "\n", "\r\n") + "\r\n", "a.example  org.app.example"},
		"report, odd types":  {`{"type":"networkActivity","domain":"a.example.","hits":"x","timeStamp":7,"bundleID":null,"context":{},"more":[1]}`, "a.example  "},
	} {
		flows, info, err := read("list", []byte(c.data))
		if got := hosts(flows); err != nil || got != c.want {
			t.Errorf("%s: %q, want %q (%v)", name, got, c.want, err)
		}
		if info.Format == contacts.Unknown || info.Producer == "" {
			t.Errorf("%s: %+v", name, info)
		}
		for _, f := range flows {
			if f.Kind != flow.Contact || f.Outcome != flow.Seen || f.Origin.Line == 0 || f.Origin.Entry == 0 || f.Origin.Capture != "list" || !f.IsContact() {
				t.Errorf("%s: %+v", name, f)
			}
		}
	}
}

// TestPCAPdroidNames checks what becomes of Info, and how it is judged: what only a header of
// cleartext HTTP says proves nothing.
func TestPCAPdroidNames(t *testing.T) {
	t.Parallel()
	pol, err := policy.Parse("test.yaml", []byte("version: 1\nallow: [a.example]\nrequire:\n  https: false\n"), policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		protocol, port, proto, info string
		want                        string // Asked, SNI, Host, Resolved, Speech, URL, rule
	}{
		"TLS":         {"6", "443", "TLS", "a.example", "a.example:443 a.example - - TLS https://a.example -"},
		"HTTPS":       {"6", "8443", "HTTPS", "a.example", "a.example:8443 a.example - - HTTPS tcp://a.example:8443 -"},
		"QUIC":        {"17", "443", "QUIC", "a.example", "a.example:443 a.example - - QUIC https://a.example -"},
		"HTTP":        {"6", "80", "HTTP", "a.example", "203.0.113.10:80 - a.example - HTTP tcp://a.example:80 host-mismatch"},
		"DNS":         {"17", "53", "DNS", "a.example", "a.example:53 - - - - dns:a.example -"},
		"TCP":         {"6", "5222", "TCP", "a.example", "203.0.113.10:5222 - - a.example - tcp://a.example:5222 -"},
		"UDP":         {"17", "123", "UDP", "a.example", "203.0.113.10:123 - - a.example UDP udp://a.example:123 -"},
		"NTP":         {"17", "123", "NTP", "a.example", "203.0.113.10:123 - - a.example NTP udp://a.example:123 -"},
		"TLS, none":   {"6", "443", "TLS", "", "203.0.113.10:443 - - - TLS https://203.0.113.10 host-not-allowed"},
		"TLS, no one": {"6", "443", "TLS", "203.0.113.10", "203.0.113.10:443 203.0.113.10 - - TLS https://203.0.113.10 host-not-allowed"},
	} {
		row := fmt.Sprintf("%s,10.215.173.1,38210,203.0.113.10,%s,10312,App,org.app.example,%s,Closed,%s,1,2,3,4,2026-11-20T12:45:58Z,2026-11-20T12:46:08Z\n", c.protocol, c.port, c.proto, c.info)
		flows, _, err := read("list", []byte(pcapdroidHeader+row))
		if err != nil || len(flows) == 0 {
			t.Fatalf("%s: %d flows, %v", name, len(flows), err)
		}
		f := flows[0]
		var got []string
		for _, s := range []string{f.Server.Asked, f.Server.SNI, f.Server.Host, f.Server.Resolved, f.Speech, f.URL(), string(pol.Judge(f).Rule())} {
			got = append(got, cmp.Or(s, "-"))
		}
		if got := strings.Join(got, " "); got != c.want || !f.IsContact() {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

// TestPCAPdroidResolvers checks that a resolver outside of the network is a contact besides
// the questions to it, one for each device.
func TestPCAPdroidResolvers(t *testing.T) {
	t.Parallel()
	row := func(device, resolver, name string) string {
		return "17," + device + ",5000," + resolver + ",53,10312,App,org.app.example,DNS,Closed," + name + ",10,20,1,1,2026-11-20T12:45:58Z,2026-11-20T12:45:59Z\n"
	}
	flows, info, err := read("list", []byte(pcapdroidHeader+
		row("10.0.0.5", "1.1.1.1", "a.example")+row("10.0.0.5", "10.0.0.1", "b.example")+row("10.0.0.5", "1.1.1.1", "c.example")+
		row("10.0.0.6", "1.1.1.1", "a.example")+row("10.0.0.5", "1.1.1.1", "")))
	var got []string
	for _, f := range flows {
		got = append(got, fmt.Sprintf("%s %s %d/%d", f.URL(), f.Client.Addr.Addr(), f.Sent, f.Received))
	}
	want := "dns:a.example 10.0.0.5 10/20; dns:b.example 10.0.0.5 10/20; dns:c.example 10.0.0.5 10/20; dns:a.example 10.0.0.6 10/20; " +
		"udp://1.1.1.1:53 10.0.0.5 30/60; udp://1.1.1.1:53 10.0.0.6 10/20"
	if all := strings.Join(got, "; "); err != nil || all != want || info.Entries != 5 {
		t.Errorf("%v\n got %s\nwant %s", err, all, want)
	}
	if last := flows[len(flows)-2]; last.Speech != flow.SpeechDNS || last.Origin.Line != 2 || last.Kind != flow.Contact || last.Client.App.ID != "org.app.example" || last.Mode != "pcapdroid" {
		t.Errorf("%+v", last)
	}
}

// TestNamesThatProveLittle checks that the file's notes count the names that are guesses or
// claims.
func TestNamesThatProveLittle(t *testing.T) {
	t.Parallel()
	tracker := func(uncertain string) string {
		return "1,a.example,1795196758040," + uncertain + ",,,org.app.example,App\n"
	}
	r := record(t, raw)
	r.add(call(t, phone, server, 1, hello(t)))
	claims := r.b.String()
	for name, c := range map[string]struct{ data, want string }{
		"certain":      {trackerHeader + tracker("0"), ""},
		"uncertain":    {trackerHeader + tracker("1") + tracker("0") + tracker("2"), "The names of 2 contacts are not certain"},
		"one":          {trackerHeader + tracker("1"), "The names of 1 contact are not certain"},
		"claims":       {pcapdroidHeader + pcapdroidRow + pcapdroidRow, "The names of 2 contacts come from what the client said"},
		"no claim":     {pcapdroidHeader + strings.ReplaceAll(pcapdroidRow, "TLS,Closed,a.example", "TLS,Closed,"), ""},
		"pcap, claims": {claims, "The names of 1 contact come from what the client said"},
	} {
		_, info, err := read("list", []byte(c.data))
		if got := strings.Join(info.Notes, " "); err != nil || !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s: %q, want %q (%v)", name, got, c.want, err)
		}
	}
}

// TestTimes reads what PCAPdroid wrote in its versions and what phones make of digits.
func TestTimes(t *testing.T) {
	t.Parallel()
	want := time.Date(2026, 11, 20, 17, 45, 58, 40e6, time.UTC)
	for _, text := range []string{
		"2026-11-20T12:45:58.040-05:00", "2026-11-20T12:45:58.040-0500", "2026-11-20T17:45:58.040Z", "2026-11-20 17:45:58.040", "1795196758040",
		"٢٠٢٦-١١-٢٠T١٧:٤٥:٥٨.٠٤٠Z", "۲۰۲۶-۱۱-۲۰T۱۷:۴۵:۵۸.۰۴۰+00:00",
	} {
		flows, _, err := read("list", []byte(pcapdroidHeader+strings.ReplaceAll(pcapdroidRow, "2026-11-20T12:45:58.040-05:00", text)))
		if err != nil || len(flows) != 1 || !flows[0].Times.Start.Equal(want) {
			t.Errorf("%s: %+v %v", text, flows, err)
		}
	}
	for _, text := range []string{"", "yesterday", "-1", "99999999999999999999", "NaN", "Infinity"} {
		row := strings.ReplaceAll(strings.ReplaceAll(pcapdroidRow, "2026-11-20T12:45:58.040-05:00", text), "2026-11-20T12:46:08.992-05:00", text)
		flows, info, err := read("list", []byte(pcapdroidHeader+row))
		if err != nil || len(flows) != 1 || !flows[0].Times.Start.IsZero() || info.Notes[0] != "Some rows have no time that can be read." {
			t.Errorf("%s: %+v %+v %v", text, flows, info, err)
		}
	}
}

// TestDamagedLists checks that each kind of damage is told with its line, and that what
// stands around it is read.
func TestDamagedLists(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		data  string
		flows int
		want  string
	}{
		"empty":               {"", 0, "a: expected a list of contacts or packets, found something else"},
		"other text":          {"hello\n", 0, "a: expected a list of contacts or packets, found something else"},
		"other table":         {"item,price\n1,2\n", 0, `a: line 1: expected the columns of PCAPdroid (IPProto, DstIp, UID, …) or TrackerControl (daddr, time, uncertain, …), found "item,price"`},
		"fields missing":      {pcapdroidHeader + pcapdroidRow + "6,10.215.173.1,3821\n" + pcapdroidRow, 2, "a: line 3: expected 17 fields, found 3"},
		"twice":               {pcapdroidHeader + "6\n7\n8\n" + pcapdroidRow, 1, "a: line 2: expected 17 fields, found 1; 2 more rows are damaged"},
		"no address":          {pcapdroidHeader + pcapdroidRow + strings.ReplaceAll(pcapdroidRow, "203.0.113.10", "203.0.113"), 1, `a: line 3: expected an address in DstIp, found "203.0.113"`},
		"no port":             {pcapdroidHeader + strings.ReplaceAll(pcapdroidRow, ",443,", ",70000,"), 0, `a: line 2: expected a port in DstPort, found "70000"`},
		"open quote":          {pcapdroidHeader + pcapdroidRow + strings.ReplaceAll(pcapdroidRow, "App", "\"App") + pcapdroidRow, 2, "a: line 3: a quotation mark is opened and never closed"},
		"open quote, many":    {pcapdroidHeader + strings.ReplaceAll(pcapdroidRow, "App", "\"App") + strings.Repeat(pcapdroidRow, 1000), 1000, "a: line 2: a quotation mark is opened and never closed"},
		"long row":            {pcapdroidHeader + pcapdroidRow + strings.Repeat("x", 1<<20) + "\n" + pcapdroidRow, 2, "a: line 3: the row is longer than 64 KiB"},
		"tracker, no host":    {trackerHeader + "1,,1,0,,,,\n", 0, "a: line 2: expected the name or address of a server, found none"},
		"tracker, cut":        {trackerHeader + "1,a.example,1,0,,,,\n2,b.exa", 1, "a: line 3: expected 8 fields, found 2"},
		"report, no JSON":     {reportRow + "[1]\n" + reportRow, 2, `a: line 2: expected a JSON object, found "[1]"`},
		"report, bad JSON":    {reportRow + "{\"a\":b}\n" + reportRow, 2, "a: line 2: expected a JSON object: invalid character 'b' looking for beginning of value"},
		"report, cut":         {reportRow + reportRow[:40], 1, "a: line 2: the row ends in the middle"},
		"report, no host":     {strings.ReplaceAll(reportRow, "a.example", "") + reportRow, 1, "a: line 1: expected the name or address of a server, found none"},
		"report, long":        {reportRow + `{"x":"` + strings.Repeat("x", 1<<18) + "\"}\n" + reportRow, 2, "a: line 2: the row is longer than 64 KiB"},
		"report, unprintable": {strings.ReplaceAll(reportRow, "a.example", "a\\u001b[31m.example"), 0, "a: line 1: expected the name or address of a server, found none"},
	} {
		flows, _, err := read("a", []byte(c.data))
		var damage *contacts.Error
		if !errors.As(err, &damage) || err.Error() != c.want || len(flows) != c.flows {
			t.Errorf("%s: %d flows, want %d\n got %v\nwant %s", name, len(flows), c.flows, err, c.want)
		}
	}
}

// TestSkippedRows checks that what is no contact is counted by what it is, also where a
// file names a kind for every row.
func TestSkippedRows(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(reportRow)
	for i := range 1000 {
		fmt.Fprintf(&b, "{\"type\":\"kind %d\"}\n", i)
	}
	b.WriteString(`{"stream":"com.apple.privacy.accounting.stream.tcc","accessor":{}}` + "\n" + `{"x":1}` + "\n")
	flows, info, err := read("a", []byte(b.String()))
	sum := 0
	for _, n := range info.Skipped {
		sum += n
	}
	if err != nil || len(flows) != 1 || info.Entries != 1003 || sum != 1002 || len(info.Skipped) > 80 {
		t.Errorf("%d flows, %d kinds of %d, %v", len(flows), len(info.Skipped), sum, err)
	}
}

// endless is a file of one row again and again.
type endless struct {
	row  string
	left int64
	rest string
}

func (e *endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) && e.left > 0 {
		if e.rest == "" {
			e.rest = e.row
		}
		m := copy(p[n:], e.rest)
		e.rest = e.rest[m:]
		n += m
		e.left -= int64(m)
	}
	if n == 0 {
		return 0, errors.New("enough")
	}
	return n, nil
}

// TestListsInBoundedMemory reads rows that make the most of what a reader may hold.
func TestListsInBoundedMemory(t *testing.T) {
	raced.SkipMeasure(t)
	for name, start := range map[string]struct{ head, row string }{
		"one line":          {pcapdroidHeader, strings.Repeat("x", 1<<10)},
		"open quotes":       {pcapdroidHeader, "\"x\n"},
		"open quotes, long": {pcapdroidHeader, "\"" + strings.Repeat("x", 1000) + "\n"},
		"report":            {reportRow, strings.Repeat("{", 1<<10)},
		"kinds":             {reportRow, `{"type":"` + strings.Repeat("x", 1<<10) + "\"}\n"},
	} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		_, err := contacts.Read(&endless{row: start.row, left: 32 << 20, rest: start.head}, contacts.Options{}, func(*flow.Flow) error { return nil })
		runtime.GC()
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
			t.Errorf("%s: %d bytes are held", name, grown)
		}
	}
}
