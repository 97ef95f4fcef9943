package exposure

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"telltale/flow"
	"telltale/flow/flowtest"
)

var update = flag.Bool("update", false, "write testdata/requests.txt anew from the templates")

// The labelled set. testdata/templates-*.txt has requests as vendors document them, with
// {names} in place of values, and what must be found in each. testdata/requests.txt is
// generated from them: each template with the values of several devices, and wrapped in
// several ways. It is committed, so that a person can review what is tested.

// request is one of the labelled set.
type request struct {
	name   string
	lines  []string // "# source", request line, header fields, blank line, body
	wrap   string   // what is done to the body: "", "gzip", "base64", …
	expect []string // "kind place", sorted
}

// read parses a file of requests: "== name [wrap]", the request, "-- found", what is in it.
func read(t testing.TB, path string) []request {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []request
	for i, part := range strings.Split("\n"+string(data), "\n== ") {
		if i == 0 {
			continue
		}
		head, rest, _ := strings.Cut(part, "\n")
		text, found, ok := strings.Cut(rest, "\n-- found\n")
		if !ok {
			t.Fatalf("%s: %q has no line \"-- found\"", path, head)
		}
		r := request{name: head, lines: strings.Split(text, "\n")}
		if name, wrap, ok := strings.Cut(head, " ["); ok {
			r.name, r.wrap = name, strings.TrimSuffix(wrap, "]")
		}
		for line := range strings.SplitSeq(found, "\n") {
			if line = strings.TrimSpace(line); line != "" {
				r.expect = append(r.expect, line)
			}
		}
		slices.Sort(r.expect)
		all = append(all, r)
	}
	return all
}

// flow builds the flow that the request makes.
func (r request) flow(t testing.TB) *flow.Flow {
	t.Helper()
	lines := slices.Clone(r.lines)
	for len(lines) > 0 && strings.HasPrefix(lines[0], "#") {
		lines = lines[1:]
	}
	method, target, ok := strings.Cut(lines[0], " ")
	if !ok {
		t.Fatalf("%s: no request line", r.name)
	}
	if method == "DNS" {
		return flowtest.DNS(target)
	}
	f := flowtest.Get(target, flowtest.UserAgentOf("")) // which else is of iOS
	f.Request.Method = method
	i := 1
	for ; i < len(lines) && lines[i] != ""; i++ {
		name, value, ok := strings.Cut(lines[i], ": ")
		if !ok {
			t.Fatalf("%s: %q is no header field", r.name, lines[i])
		}
		if name == "Client" {
			flowtest.From(value)(f)
			continue
		}
		f.Request.Header = append(f.Request.Header, flow.NewField(name, value))
	}
	body := []byte(strings.Join(lines[min(i+1, len(lines)):], "\n"))
	if mediaType := flow.Get(f.Request.Header, "Content-Type"); strings.HasPrefix(mediaType, "multipart/") {
		body = bytes.ReplaceAll(body, []byte("\n"), []byte("\r\n"))
	} else if strings.Contains(mediaType, "protobuf") {
		body = protobufOf(t, body)
	}
	body = r.wrapped(t, f, body)
	f.Request.Body = flow.Body{Size: int64(len(body)), Content: body}
	return f
}

// wrapped puts the body into what the request is wrapped in.
func (r request) wrapped(t testing.TB, f *flow.Flow, body []byte) []byte {
	switch r.wrap {
	case "":
	case "gzip", "gzip unsaid":
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(body); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		body = b.Bytes()
		if r.wrap == "gzip" {
			f.Request.Header = append(f.Request.Header, flow.NewField("Content-Encoding", "gzip"))
		}
	case "\\u escapes":
		body = []byte(strings.NewReplacer("@", `\u0040`, "-", `\u002d`, ".", `\u002e`).Replace(string(body)))
	default:
		t.Fatalf("%s: no wrapping is called %q", r.name, r.wrap)
	}
	return body
}

// protobufOf builds a message of lines "field: text", where a field is a path "1.19".
func protobufOf(t testing.TB, body []byte) []byte {
	type field struct {
		path []int
		text string
	}
	var fields []field
	for line := range strings.SplitSeq(strings.TrimSpace(string(body)), "\n") {
		path, text, ok := strings.Cut(line, ": ")
		if !ok {
			t.Fatalf("%q is no field", line)
		}
		var numbers []int
		for n := range strings.SplitSeq(path, ".") {
			number, err := strconv.Atoi(n)
			if err != nil {
				t.Fatal(err)
			}
			numbers = append(numbers, number)
		}
		fields = append(fields, field{numbers, text})
	}
	var message func(fields []field) []byte
	message = func(fields []field) []byte {
		var b []byte
		for len(fields) > 0 {
			number, n := fields[0].path[0], 1
			content := []byte(fields[0].text)
			if len(fields[0].path) > 1 {
				var inner []field
				for n = 0; n < len(fields) && fields[n].path[0] == number && len(fields[n].path) > 1; n++ {
					inner = append(inner, field{fields[n].path[1:], fields[n].text})
				}
				content = message(inner)
			}
			b = appendVarint(b, uint64(number)<<3|2)
			b = append(appendVarint(b, uint64(len(content))), content...)
			fields = fields[n:]
		}
		return b
	}
	return message(fields)
}

func appendVarint(b []byte, n uint64) []byte {
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

// TestRequests holds what is found against the labels, both ways.
func TestRequests(t *testing.T) {
	requests := read(t, "testdata/requests.txt")
	if len(requests) < 300 {
		t.Errorf("the set has %d requests, at least 300 are promised", len(requests))
	}
	kinds := map[string]int{}
	for _, r := range requests {
		got := []string{}
		f := r.flow(t)
		for _, e := range Look(f) {
			got = append(got, e.Kind+" "+e.Where)
			kinds[e.Kind]++
			for _, value := range valuesOf(e.Kind) {
				if strings.Contains(strings.ToLower(fmt.Sprint(e)), strings.ToLower(value)) {
					t.Errorf("%s: an exposure holds its value: %+v", r.name, e)
				}
			}
		}
		slices.Sort(got)
		if want := r.expect; !slices.Equal(got, want) {
			t.Errorf("%s [%s]\n%s\nfound %q\nwant  %q", r.name, r.wrap, strings.Join(r.lines, "\n"), without(got, want), without(want, got))
		}
	}
	for _, k := range Kinds {
		if kinds[k.Name] < 3 {
			t.Errorf("%s is in %d requests of the set: what is not tested does not work", k.Name, kinds[k.Name])
		}
	}
}

func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

// TestRequestsAreGenerated holds the set against its templates.
func TestRequestsAreGenerated(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Generated from templates-*.txt by `go test ./exposure -run TestRequestsAreGenerated -update`.\n# Each request is followed by what must be found in it, and nothing else.\n")
	paths, err := filepath.Glob("testdata/templates-*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		for _, template := range read(t, path) {
			for _, r := range template.variants() {
				fmt.Fprintf(&b, "\n== %s\n%s\n-- found\n%s", title(r), strings.TrimRight(strings.Join(r.lines, "\n"), "\n"), lines(r.expect))
			}
		}
	}
	const path = "testdata/requests.txt"
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil { //nolint:gosec // a file of the repository
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != b.String() {
		t.Error(path + " is not what the templates give: run the test with -update, and review what changes")
	}
}

func title(r request) string {
	if r.wrap != "" {
		return r.name + " [" + r.wrap + "]"
	}
	return r.name
}

func lines(l []string) string {
	if len(l) == 0 {
		return ""
	}
	return strings.Join(l, "\n") + "\n"
}

// devices are made up. Their values are valid in form and belong to nobody we know.
var devices = []map[string]string{
	{
		"gaid": "7c9b1e52-3f4a-4d08-9a6e-5b2c80f1d34e", "idfa": "6D92078A-8246-4BA4-AE5B-76104861E7DC", "idfv": "9F2C4B71-0D3E-4A55-B6C8-12E7A90F4D63",
		"uuid": "e3a7c1d4-58b2-4f96-8e0d-a41b97c2f065", "android": "4f8a1c9be07d2356", "asid": "b8d0e6a3-7c21-4e5f-93ab-0f6d482c1e97", "fid": "dK3xQ9vTRmO7pLw2YzNb-4",
		"imei": "353918057843126", "meid": "A10000394B72C6", "imsi": "262019876504321", "iccid": "8949020000012345670", "serial": "R58N30ABCDE", "mac": "a4:c3:f0:5e:91:2b",
		"bssid": "f0:9f:c2:37:6a:d4", "ssid": "Birkenweg 14 5GHz", "mail": "lena.probst@gmx.de", "phone": "+491512345907", "lat": "52.516266", "lon": "13.377775",
		"ip": "192.168.178.31", "public": "91.12.64.207", "eui64": "fe80::a6c3:f0ff:fe5e:912b", "apns": "9c1f0b7ad25e84936af0c1d2e3b4958677a8b9c0d1e2f30415263748596a7b8c",
		"fcm": "dK3xQ9vTRmO7pLw2YzNb-4:APA91bH1kQ8zX5vTn2mWc7rLp0sYd4uJf6gEa3hBi9oNxCqVtKzRwMyUeSjPdGlFbOaIhT1-8QmZ2XvLk5_7cWnRr9sYpDtU6eJfGg3HaBiOo4NxCq0VtKzRwMy8UeSjPdG",
		"jwt": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI0ODIxIiwiZXhwIjoxNzkzMzYwMDAwfQ.q3XxV0Zt8mY1pLwRk5nTgA7cUeJd2sHb9iOoFfKvM4E", "token": "t9Kq2vXz7Lm4Pw8Rb1Ny6Jc3", "password": "Sommer2026!",
	},
	{
		"gaid": "F1B84D07-62CE-4A39-B715-C93E20A8D64B", "idfa": "c04e9a1b-7d25-4f68-a3b2-8e6f1d09c574", "idfv": "2a7f5e90-b14c-4d83-8c06-f9e1d37b5a28",
		"uuid": "51C8E09D-4A7B-4263-9F1E-D80B36A5C7F2", "android": "B27E90F1C4D8356A", "asid": "0E93B7C6-A1D5-4F28-8B40-6D2E9F7C3A15", "fid": "c7Ypl2_TQ0eXk9Zb1RwSuV",
		"imei": "867530041298769", "meid": "99000234A8C61E", "imsi": "310260147258369", "iccid": "89014104277205518370", "serial": "F2LXK0JRN70M", "mac": "3C-22-FB-8D-41-E7",
		"bssid": "E4-8D-8C-1F-A2-63", "ssid": "FritzBox-Kaminski", "mail": "Omar.Haddad+shop@outlook.co.uk", "phone": "+447911234586", "lat": "-33.856784", "lon": "151.215297",
		"ip": "10.0.4.117", "public": "81.2.69.142", "eui64": "2003:e4:bf14:5a00:3e22:fbff:fe8d:41e7", "apns": "0B8D6E2F91A7C4538E1F0D2B7C9A65E48F3D1B0A7C6E5D4F3B2A190817263544",
		"fcm": "c7Ypl2_TQ0eXk9Zb1RwSuV:APA91bG5tRw8Kz1Xv4Nq7Mb0Lc3Jh6Pf9Sd2Ya5Ug8Ei1Oo4Tk7Wn0Qr3Zx6Cv9Bm2Hl5Jj8Fp1Gs4Ad7Ky0Ut3Ie6Ro9Nw2Lq5Mx8Zc1Vb4Hn7Jk0Pl3Fd6Gs",
		"jwt": "eyJraWQiOiJhMSIsImFsZyI6IlJTMjU2In0.eyJpc3MiOiJodHRwczovL2xvZ2luLnNob3AudGVzdCIsInN1YiI6InU3NzEifQ.Zk8vX1qR5mTn3LpWc7Yb0Js9Ud2Ga6Hf4EiOoKzVxBwMrQtNyCjSlPg", "token": "0a6Xh3Vq9Zt2Lk8Wm5Pr1Ns7Yd4B", "password": "hunter-42-x",
	},
	{
		"gaid": "3ae5f20b-c896-4471-a0d3-94b7e61f582c", "idfa": "8B41F6D3-0E97-4C2A-95D8-3C7A1E60B2F9", "idfv": "D5E08C3A-9B17-4F62-8A4E-70C1B9F6E253",
		"uuid": "94d1b7e6-2c0f-4a83-b5e9-f36a8c7d1042", "android": "c3d2e07f91b6a845", "asid": "6f1a9d4c-e8b7-4035-a2c6-d97e3b50f18a", "fid": "fW5nB1kR80hPq3XtLz7MvC",
		"imei": "490512347896541", "meid": "A0000049E8D7C1", "imsi": "208150483726159", "iccid": "8933150112100008767", "serial": "ZY22BQF7K4", "mac": "6026.aa71.fd80",
		"bssid": "1c:3b:f3:90:be:57", "ssid": "Café Zoé Gäste", "mail": "m_dubois75@orange.fr", "phone": "+33 6 12 84 57 90", "lat": "48.8583701", "lon": "2.2944813",
		"ip": "172.20.10.4", "public": "2a01:cb00:8f3:1200:5d2e:91aa:7c04:b8e6", "eui64": "fd12:3456:789a:1:6226:aaff:fe71:fd80", "apns": "e4b1907f5a3c2d8869f0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f7",
		"fcm": "fW5nB1kR80hPq3XtLz7MvC:APA91bE9sKq2Vx5Zt8Lm1Pw4Rb7Ny0Jc3Hf6Gd9Ua2Ye5Io8Tk1Wn4Qr7Zx0Cv3Bm6Hl9Jj2Fp5Gs8Ad1Ky4Ut7Ie0Ro3Nw6Lq9Mx2Zc5Vb8Hn1Jk4Pl7Fd0Gs_3",
		"jwt": "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJ1aWQiOiI5OTEzIiwic2NvcGUiOiJhbGwifQ.Tn3LpWc7Yb0Js9Ud2Ga6Hf4EiOoKzVxBwMrQtNyCjSlPgZk8vX1qR5m", "token": "Wm5Pr1Ns7Yd4B-0a6Xh3Vq9Zt2Lk8", "password": "b1rk3nw3g",
	},
}

// valuesOf returns the values of a kind that no exposure may hold.
func valuesOf(kind string) []string {
	names := map[string][]string{
		AdvertisingID: {"gaid", "idfa"}, IDFV: {"idfv"}, AndroidID: {"android"}, AppSetID: {"asid"}, InstallationID: {"uuid", "fid"}, IMEI: {"imei"}, MEID: {"meid"},
		IMSI: {"imsi"}, ICCID: {"iccid"}, Serial: {"serial"}, MACAddress: {"mac"}, BSSID: {"bssid"}, EUI64Address: {"eui64", "mac"}, SSID: {"ssid"}, Email: {"mail"}, PhoneNumber: {"phone"},
		Location: {"lat", "lon"}, PushToken: {"fcm", "apns"}, AccessToken: {"jwt", "token", "password"}, LocalAddress: {"ip"}, PublicAddress: {"public"},
	}[kind]
	var values []string
	for _, d := range devices {
		for _, n := range names {
			values = append(values, d[n])
		}
	}
	return values
}

// variants fills in a template for each device, and wraps it where its body is of a sort
// that may be wrapped. One that has no values is as it is.
func (r request) variants() []request {
	text := strings.Join(r.lines, "\n")
	filled := func(d map[string]string) request {
		v := r
		var out []string
		inBody := false
		for _, line := range r.lines {
			escape := func(s string) string { return s }
			form := strings.Contains(text, "x-www-form-urlencoded") && inBody
			if first, _, _ := strings.Cut(line, " "); !inBody && strings.Contains(line, "://") && first == strings.ToUpper(first) || form {
				escape = func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
			}
			for name, value := range d {
				line = strings.ReplaceAll(line, "{"+name+"}", escape(value))
			}
			inBody = inBody || line == ""
			out = append(out, line)
		}
		v.lines = out
		return v
	}
	first := filled(devices[0])
	if strings.Join(first.lines, "\n") == text {
		return []request{first}
	}
	all := []request{first}
	isJSON := strings.Contains(text, "Content-Type: application/json") && strings.Contains(text, "\n\n")
	for i, d := range devices[1:] {
		v := filled(d)
		if isJSON {
			v.wrap = [][]string{{"gzip", "gzip unsaid"}, {"\\u escapes", ""}}[i][len(r.name)%2]
		}
		all = append(all, v)
	}
	return all
}

// TestLookAgain: what Look remembers from one flow to the next changes nothing, whichever
// came before, or come at the same time.
func TestLookAgain(t *testing.T) {
	requests := read(t, "testdata/requests.txt")
	flows := make([]*flow.Flow, len(requests))
	for i, r := range requests {
		flows[i] = r.flow(t)
	}
	var lookers sync.WaitGroup
	for range 3 {
		lookers.Go(func() {
			for i, r := range slices.Backward(requests) {
				got := []string{}
				for _, e := range Look(flows[i]) {
					got = append(got, e.Kind+" "+e.Where)
				}
				if slices.Sort(got); !slices.Equal(got, r.expect) {
					t.Errorf("%s [%s]: found %q, want %q", r.name, r.wrap, got, r.expect)
				}
			}
		})
	}
	lookers.Wait()
}
