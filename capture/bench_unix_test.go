//go:build unix

package capture_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"telltale/capture"
	"telltale/flow"
)

// cpuTime returns what this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func resident() float64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, _ := strconv.Atoi(strings.Fields(string(b))[1])
	return float64(pages*os.Getpagesize()) / (1 << 20)
}

// traffic makes flows as a phone does: 64 connections to 20 hosts, header blocks
// of 500 bytes whose request half repeats and whose response half does so with
// the second, or never when unique is set. Each URL is new, unless polling is set.
type traffic struct {
	unique  bool
	polling bool
	hellos  [64]*flow.ClientHello
	server  [64]*flow.ServerTLS
	start   time.Time
}

func newTraffic(unique bool) *traffic {
	t := &traffic{unique: unique, start: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}
	cert := &flow.Certificate{Subject: "CN=*.canada.ca", Issuer: "CN=Some CA", DNSNames: []string{"*.canada.ca"}, SHA256: strings.Repeat("ab", 32)}
	for i := range t.hellos {
		t.hellos[i] = &flow.ClientHello{ServerName: host(i), ALPN: []string{"h2", "http/1.1"}, Versions: []uint16{0x304, 0x303}, JA4: "t13d1516h2_8daaf6152771_02713d6af862"}
		t.server[i] = &flow.ServerTLS{Version: 0x304, CipherSuite: 0x1301, ALPN: "h2", Certificate: cert}
	}
	return t
}

func host(i int) string { return fmt.Sprintf("service%d.alpha.canada.ca", i%20) }

const filler = "abcdefghijklmnopqrstuvwxyz0123456789"

// flow returns the states of one flow: opened, and ended.
func (t *traffic) flow(id flow.ID) (opened, ended *flow.Flow) {
	c := int(id) % 64
	start := t.start.Add(time.Duration(id) * 100 * time.Microsecond)
	h := host(c)
	cookie := strings.Repeat(filler, 4)
	if t.unique {
		cookie = strconv.Itoa(int(id)) + cookie
	}
	path := strconv.Itoa(int(id))
	if t.polling {
		path = "latest"
	}
	request := &flow.Request{
		Method: "GET", URL: "https://" + h + "/retrieve/302/" + path, Proto: "HTTP/2",
		Header: []flow.Field{
			flow.NewField(":authority", h), flow.NewField("user-agent", "CovidShield/1.0.2 (Android 11; okhttp 3.12.12)"),
			flow.NewField("accept", "application/json, text/plain, */*"), flow.NewField("accept-encoding", "gzip, deflate, br"),
			flow.NewField("accept-language", "en-CA,en;q=0.9,fr-CA;q=0.8"), flow.NewField("cookie", "session="+cookie),
			flow.NewField("cache-control", "no-store"),
		},
	}
	date := start.Format(time.RFC1123)
	if t.unique {
		date += strconv.Itoa(int(id))
	}
	opened = &flow.Flow{
		ID: id, Kind: flow.HTTP, Mode: "http", Outcome: flow.Open, Request: request,
		Client: flow.Client{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 168, 1, byte(c % 4)}), uint16(40000+c)), Hello: t.hellos[c], TLS: 0x304, ALPN: "h2"},
		Server: flow.Server{Asked: h + ":443", SNI: h, Host: h, Dialed: netip.MustParseAddrPort("203.0.113.7:443"), TLS: t.server[c]},
		Times:  flow.NoTimes(start),
	}
	done := *opened
	done.Outcome = flow.Completed
	done.Times.End = start.Add(20 * time.Millisecond)
	done.Times.Send, done.Times.Wait, done.Times.Receive = 100*time.Microsecond, 19*time.Millisecond, time.Millisecond
	done.Response = &flow.Response{
		Status: 200, Proto: "HTTP/2",
		Header: []flow.Field{
			flow.NewField("content-type", "application/json; charset=utf-8"), flow.NewField("date", date),
			flow.NewField("server", "nginx"), flow.NewField("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
			flow.NewField("content-security-policy", "default-src 'self'; script-src 'self'; object-src 'none'; "+strings.Repeat(filler, 4)),
			flow.NewField("x-content-type-options", "nosniff"), flow.NewField("cache-control", "public, max-age=300"),
		},
		Body: flow.Body{Size: 64, Content: []byte(`{"status":"ok","items":[],"padding":"` + filler[:26] + `"}`)},
	}
	return opened, &done
}

// observeAll has a store take b.N flows, and reports the CPU that each of them took.
func observeAll(b *testing.B, s *capture.Store, t *traffic) {
	b.Helper()
	b.ResetTimer()
	before := cpuTime()
	for range b.N {
		opened, ended := t.flow(s.NextID())
		s.Observe(opened)
		s.Observe(ended)
	}
	if err := s.Sync(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/1000/float64(b.N), "cpu-µs/flow")
}

// BenchmarkObserve records at full speed. cpu-µs/flow is everything: making the
// flow (see BenchmarkTraffic for that part), judging excepted.
func BenchmarkObserve(b *testing.B) {
	for _, c := range []struct {
		name            string
		unique, polling bool
	}{
		{"all-repeat", false, true}, {"headers-repeat", false, false}, {"headers-unique", true, false},
	} {
		b.Run(c.name, func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "x.telltale")
			s, err := capture.Create(path, capture.Options{})
			if err != nil {
				b.Fatal(err)
			}
			t := newTraffic(c.unique)
			t.polling = c.polling
			observeAll(b, s, t)
			b.StopTimer()
			b.ReportMetric(resident(), "MiB-resident")
			closing := time.Now()
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(time.Since(closing).Seconds()*1000, "ms-close")
			info, err := os.Stat(path)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(info.Size())/float64(b.N), "B-disk/flow")
		})
	}
}

// BenchmarkTraffic is what BenchmarkObserve spends on making flows.
func BenchmarkTraffic(b *testing.B) {
	t := newTraffic(true)
	before := cpuTime()
	for i := range b.N {
		opened, ended := t.flow(flow.ID(i))
		runtime.KeepAlive(opened)
		runtime.KeepAlive(ended)
	}
	b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/1000/float64(b.N), "cpu-µs/flow")
}

// BenchmarkReaders asks a capture of 100,000 flows, indexed and closed.
func BenchmarkReaders(b *testing.B) {
	const flows = 100_000
	path := filepath.Join(b.TempDir(), "x.telltale")
	s, err := capture.Create(path, capture.Options{})
	if err != nil {
		b.Fatal(err)
	}
	t := newTraffic(false)
	for i := range flows {
		_, ended := t.flow(s.NextID())
		if i%1500 == 0 {
			ended.Server.Asked = "rare.example:443"
		}
		s.Observe(ended)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	if s, err = capture.Open(path, capture.Options{}); err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for _, q := range []struct {
		name  string
		query capture.Query
		want  int
	}{
		{"page-first", capture.Query{Limit: 50}, 50},
		{"page-middle", capture.Query{After: flows / 2, Limit: 50}, 50},
		{"page-last", capture.Query{Last: true, Limit: 50}, 50},
		{"page-host", capture.Query{Host: host(3), Last: true, Limit: 50}, 50},
		{"page-rare-host", capture.Query{Host: "rare.example", Last: true, Limit: 50}, 50},
		{"search-one-flow", capture.Query{Text: "77777", Limit: 50}, 1},
		{"search-path", capture.Query{Text: "retrieve/302/777", Limit: 50}, 50},
		{"search-everywhere", capture.Query{Text: "canada", Limit: 50}, 50},
		{"search-header", capture.Query{Text: "okhttp 3.12.12", Limit: 50}, 50},
		{"search-nothing", capture.Query{Text: "nowhere"}, 0},
	} {
		b.Run(q.name, func(b *testing.B) {
			for b.Loop() {
				page, err := s.Flows(context.Background(), q.query)
				if err != nil || len(page) != q.want {
					b.Fatalf("%d flows, error %v", len(page), err)
				}
			}
		})
	}
	b.Run("judge-all", func(b *testing.B) {
		for b.Loop() {
			if err := s.Rejudge(context.Background(), hostJudge{}, nil); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/flows, "ns/flow")
	})
}

// BenchmarkObserveCaller is what a call costs the goroutine of an exchange.
func BenchmarkObserveCaller(b *testing.B) {
	s, err := capture.Create(filepath.Join(b.TempDir(), "x.telltale"), capture.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	t := newTraffic(false)
	const burst = 2000
	flows := make([]*flow.Flow, burst)
	b.ResetTimer()
	for n := 0; n < b.N; n += burst {
		b.StopTimer()
		for i := range flows {
			_, flows[i] = t.flow(s.NextID())
		}
		if err := s.Sync(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		for _, f := range flows[:min(burst, b.N-n)] {
			s.Observe(f)
		}
	}
}

// BenchmarkTotalsOnly is the store of a check: judged, nothing on disk.
func BenchmarkTotalsOnly(b *testing.B) {
	s := capture.New(capture.Options{Judge: hostJudge{allow: ".none"}})
	defer s.Close()
	t := newTraffic(true)
	before := cpuTime()
	for range b.N {
		_, ended := t.flow(s.NextID())
		s.Observe(ended)
	}
	if err := s.Sync(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/1000/float64(b.N), "cpu-µs/flow")
	b.ReportMetric(resident(), "MiB-resident")
	if got := s.Summary().Flows; got != b.N {
		b.Fatalf("%d flows", got)
	}
}

// question makes questions of DNS as phones ask them: each from a port of its own, for
// names of which every tenth is new, answered by an alias and two addresses.
func (t *traffic) question(id flow.ID) *flow.Flow {
	name := fmt.Sprintf("service%d.region%d.cloud.example", id%500, id%7)
	if id%10 == 0 {
		name = fmt.Sprintf("x%d.cdn.example", id)
	}
	start := t.start.Add(time.Duration(id) * 100 * time.Microsecond)
	f := &flow.Flow{
		ID: id, Kind: flow.DNS, Mode: "wireguard", Outcome: flow.Completed, Sent: 40, Received: 120,
		Client: flow.Client{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 99, 0, 2}), uint16(20000+id%40000)), Device: "Ann's phone"},
		Server: flow.Server{Asked: name + ":53", Destination: netip.MustParseAddrPort("10.99.0.1:53"), Dialed: netip.MustParseAddrPort("192.0.2.53:53")},
		DNS: &flow.Question{Name: name, Type: "A", Code: "NOERROR", Answers: []flow.Answer{
			{Name: name, Type: "CNAME", TTL: time.Duration(id%300) * time.Second, Data: "edge" + strconv.Itoa(int(id%100)) + ".cdn.example"},
			{Name: "edge" + strconv.Itoa(int(id%100)) + ".cdn.example", Type: "A", TTL: time.Minute, Data: "203.0.113.7"},
			{Name: "edge" + strconv.Itoa(int(id%100)) + ".cdn.example", Type: "A", TTL: time.Minute, Data: "203.0.113.8"},
		}},
		Times: flow.NoTimes(start),
	}
	f.Times.End, f.Times.Wait = start.Add(10*time.Millisecond), 10*time.Millisecond
	return f
}

// BenchmarkObserveQuestions records questions at full speed: at 10,000 a second, cpu-µs/flow
// must stay well below 100 for one core to keep up.
func BenchmarkObserveQuestions(b *testing.B) {
	path := filepath.Join(b.TempDir(), "x.telltale")
	s, err := capture.Create(path, capture.Options{})
	if err != nil {
		b.Fatal(err)
	}
	t := newTraffic(false)
	b.ResetTimer()
	before := cpuTime()
	for range b.N {
		s.Observe(t.question(s.NextID()))
	}
	if err := s.Sync(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/1000/float64(b.N), "cpu-µs/flow")
	b.ReportMetric(resident(), "MiB-resident")
	b.StopTimer()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/float64(b.N), "B-disk/flow")
}
