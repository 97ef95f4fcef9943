//go:build unix

package tui

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
)

// The capture of these benchmarks: 2,000 hosts, of which 500 break the policy, in
// 625 registered domains.
const (
	benchHosts     = 2000
	benchViolating = 500
)

func benchPolicy(b *testing.B) (text []byte, p *policy.Policy) {
	var t strings.Builder
	t.WriteString("version: 1\nname: the app and its servers\nallow:\n")
	for i := range (benchHosts - benchViolating) / 3 {
		fmt.Fprintf(&t, "  - \"*.app%d.ca\"\n", i)
	}
	text = []byte(t.String())
	p, err := policy.Parse("telltale.yaml", text, policy.Options{})
	check(b, err)
	return text, p
}

// connection is the one over which flows are made.
type connection struct {
	turn  int
	hello *flow.ClientHello
	tls   *flow.ServerTLS
}

// flow is the n-th flow as a phone makes it: eight go to one host over one connection
// before the next has its turn. One connection in ten goes where it may not.
func (c *connection) flow(n int, at time.Time) *flow.Flow {
	allowed := benchHosts - benchViolating
	turn := n / 8
	host := fmt.Sprintf("s%d.app%d.ca", turn%allowed, turn%(allowed/3))
	if turn%10 == 0 {
		host = fmt.Sprintf("t%d.tracker%d.com", turn/10%benchViolating, turn/10%(benchViolating/4))
	}
	path := fmt.Sprintf("/v1/keys/%d?region=302", n)
	if n%1000 == 7 {
		path = fmt.Sprintf("/generate_204?%d", n)
	}
	f := flowtest.Get("https://"+host+path, flowtest.At(at.Sub(flowtest.Epoch)), flowtest.Status([]int{200, 200, 304, 404}[n%4]),
		flowtest.Header("Accept", "application/json, text/plain, */*"), flowtest.Header("Accept-Language", "en-CA,en;q=0.9,fr-CA;q=0.8"),
		flowtest.Header("Cookie", "session="+strings.Repeat("abcdefghijklmnop", 8)),
		flowtest.ResponseHeader("Date", at.Truncate(time.Second).Format(time.RFC1123)),
		flowtest.ResponseHeader("Content-Security-Policy", "default-src 'self'; script-src "+strings.Repeat("abcdefghijklmnop", 8)),
		flowtest.ResponseBody("application/json", fmt.Sprintf(`{"status":"ok","page":%d}`, n%100)))
	if turn != c.turn || c.hello == nil { // flows of one connection share its facts
		c.turn, c.hello, c.tls = turn, f.Client.Hello, f.Server.TLS
	}
	f.Client.Addr = netip.AddrPortFrom(f.Client.Addr.Addr(), uint16(20000+turn%20000))
	f.Client.Hello, f.Server.TLS = c.hello, c.tls
	return f
}

// benchConfig is the screen of a store that holds a number of flows.
func benchConfig(b *testing.B, flows int) Config {
	b.Helper()
	text, p := benchPolicy(b)
	path := filepath.Join(b.TempDir(), "bench"+capture.Ext)
	s, err := capture.Create(path, capture.Options{Judge: p})
	check(b, err)
	b.Cleanup(func() { s.Close() })
	var c connection
	for n := range flows {
		f := c.flow(n, flowtest.Epoch.Add(time.Duration(n)*time.Millisecond))
		f.ID = s.NextID()
		s.Observe(f)
	}
	check(b, s.Sync())
	return Config{
		Store: s, Capture: "bench", Live: true, Connect: testConnect(), Now: time.Now,
		Policy: Policy{
			Current: p, File: path + ".yaml", Text: text,
			Parse: func(text []byte) (*policy.Policy, error) {
				return policy.Parse("telltale.yaml", text, policy.Options{})
			},
		},
	}
}

// driver is the program without a terminal: commands run beside the loop, and what
// they bring is handled in the order in which it comes.
type driver struct {
	m       *model
	msgs    chan tea.Msg
	running int
	loop    time.Duration // the longest that one message held the loop, with its picture
}

func newDriver(b *testing.B, cfg Config) *driver {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	d := &driver{m: newModel(ctx, cfg, *colourTheme(true)), msgs: make(chan tea.Msg, 100)}
	b.Cleanup(d.m.feed.close)
	d.handle(tea.WindowSizeMsg{Width: 120, Height: 40})
	d.handle(d.m.feed.read())
	d.settle(nil)
	return d
}

func (d *driver) handle(msg tea.Msg) {
	if v := reflect.ValueOf(msg); v.Kind() == reflect.Slice && v.Type().Elem() == reflect.TypeFor[tea.Cmd]() {
		for i := range v.Len() {
			d.start(v.Index(i).Interface().(tea.Cmd))
		}
		return
	}
	if msg == nil {
		return
	}
	began := time.Now()
	_, cmd := d.m.Update(msg)
	d.m.View()
	d.loop = max(d.loop, time.Since(began))
	d.start(cmd)
}

func (d *driver) start(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	name := runtime.FuncForPC(reflect.ValueOf(cmd).Pointer()).Name()
	if slices.ContainsFunc(waiting, func(w string) bool { return strings.Contains(name, w) }) {
		return
	}
	d.running++
	go func() { d.msgs <- cmd() }()
}

// settle handles what comes until nothing is under way, or until is true.
func (d *driver) settle(until func() bool) {
	for d.running > 0 && (until == nil || !until()) {
		msg := <-d.msgs
		d.running--
		d.handle(msg)
	}
}

// press presses keys and returns how long it took until nothing was under way.
func (d *driver) press(names ...string) time.Duration {
	began := time.Now()
	for _, name := range names {
		d.handle(keyMsg(name))
	}
	d.settle(nil)
	return time.Since(began)
}

// benchSizes are the numbers of flows.
var benchSizes = []int{100_000, 1_000_000}

func eachSize(b *testing.B, run func(b *testing.B, cfg Config)) {
	if testing.Short() {
		b.Skip("recording a million flows takes a while")
	}
	for _, size := range benchSizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) { run(b, benchConfig(b, size)) })
	}
}

// BenchmarkScreen is a person at a capture. worst-ms is the longest time from a key
// to the last picture that it leads to, pages of the capture included; loop-ms the
// longest that a key or an answer held the loop of the program.
func BenchmarkScreen(b *testing.B) {
	eachSize(b, func(b *testing.B, cfg Config) {
		for _, k := range []struct {
			name  string
			setup []string // once
			keys  []string // one of them for each operation, in turns
		}{
			{"violations/move", []string{"1"}, []string{"down", "down", "pgdown", "pgup", "end", "home"}},
			{"hosts/move", []string{"2"}, []string{"down", "down", "pgdown", "pgup", "end", "home"}},
			{"hosts/order", []string{"2"}, []string{"o"}},
			{"hosts/group", []string{"2"}, []string{"d"}},
			{"flows/down", []string{"3", "home"}, []string{"down"}},
			{"flows/page", []string{"3", "home"}, []string{"pgdown"}},
			{"flows/ends", []string{"3"}, []string{"home", "end"}},
			{"views", nil, []string{"1", "2", "3", "4", "c"}},
			{"devices/only", []string{"4"}, []string{"space"}},
			{"devices/page", []string{"4"}, []string{"enter", "esc"}},
			{"detail/open", []string{"3", "end"}, []string{"enter", "esc"}},
			{"detail/tabs", []string{"3", "end", "enter"}, []string{"tab"}},
			{"detail/next", []string{"3", "home", "enter"}, []string{"n"}},
			{"detail/of-host", []string{"2", "home", "enter"}, []string{"p", "n"}},
			{"help", []string{"3"}, []string{"?", "esc"}},
			{"decide", []string{"1"}, []string{"a", "esc"}},
		} {
			b.Run(k.name, func(b *testing.B) {
				d := newDriver(b, cfg)
				d.press(k.setup...)
				d.loop = 0
				worst, n := time.Duration(0), 0
				for b.Loop() {
					worst = max(worst, d.press(k.keys[n%len(k.keys)]))
					n++
				}
				reportMillis(b, "worst-ms", worst)
				reportMillis(b, "loop-ms", d.loop)
			})
		}
		benchFilters(b, cfg)
		b.Run("judge-again", func(b *testing.B) {
			d := newDriver(b, cfg)
			for b.Loop() {
				d.press("1", "i", "enter", "u")
			}
			reportMillis(b, "loop-ms", d.loop)
		})
	})
}

// benchFilters types filters letter by letter, without a pause. first-ms is the time
// from the last letter to the first picture with matches, whole-ms to the last one.
func benchFilters(b *testing.B, cfg Config) {
	for _, f := range []struct{ name, text string }{
		{"word", "generate_204"}, {"word-everywhere", "json"}, {"words", "tracker7 keys"}, {"word-nowhere", "nowhere"},
		{"status", "status == 404"}, {"host", `host == "s5.app5.ca"`}, {"host-ends", `host endsWith ".tracker7.com"`},
		{"header", `headers contains "gzip"`}, {"verdict", `verdict == "violation"`},
	} {
		b.Run("filter/"+f.name, func(b *testing.B) {
			var first, loop time.Duration
			matches := 0
			for b.Loop() {
				b.StopTimer()
				d := newDriver(b, cfg)
				d.press("3", "/")
				d.m.search.mistake = nil
				for _, c := range f.text[:len(f.text)-1] {
					d.handle(keyMsg(string(c)))
				}
				b.StartTimer()
				began := time.Now()
				d.handle(keyMsg(f.text[len(f.text)-1:]))
				if d.m.search.mistake != nil {
					b.Fatal(d.m.search.mistake)
				}
				d.settle(func() bool { return len(d.m.search.found.ids) > 0 })
				first += time.Since(began)
				d.settle(func() bool { return d.m.search.done })
				loop, matches = max(loop, d.loop), len(d.m.search.found.ids)
				b.StopTimer()
				d.settle(nil)
				b.StartTimer()
			}
			reportMillis(b, "first-ms", first/time.Duration(b.N))
			reportMillis(b, "whole-ms", b.Elapsed()/time.Duration(b.N))
			reportMillis(b, "loop-ms", loop)
			b.ReportMetric(float64(matches), "matches")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func reportMillis(b *testing.B, unit string, d time.Duration) {
	b.ReportMetric(float64(d.Microseconds())/1000, unit)
}

// counter counts what is written to a terminal.
type counter struct {
	io.Writer
	n atomic.Int64
}

func (c *counter) Write(p []byte) (int, error) { c.n.Add(int64(len(p))); return len(p), nil }

// benchRate is how many flows come in a second.
const benchRate = 1000

// BenchmarkLive is the screen while 1,000 flows a second come in, 120 columns by 40
// lines. An operation is one flow. core-% is the CPU that all of this process uses,
// added-% what it uses more than with nobody watching; KiB/s goes to the terminal.
func BenchmarkLive(b *testing.B) {
	cfg := benchConfig(b, 50_000)
	var nobody float64
	for _, v := range []struct {
		name string
		keys []string // nil: no screen
		text string   // of the filter
	}{
		{"nobody-watches", nil, ""},
		{"connect", []string{"c"}, ""},
		{"violations", []string{"1"}, ""},
		{"hosts", []string{"2"}, ""},
		{"hosts-by-last", []string{"2", "o", "o", "o", "o"}, ""},
		{"hosts-grouped", []string{"2", "d"}, ""},
		{"flows", []string{"3", "end"}, ""},
		{"flows-read", []string{"3", "home"}, ""},
		{"detail", []string{"3", "home", "enter"}, ""},
		{"filter-status", []string{"3", "end"}, "status == 404"},
		{"filter-word", []string{"3", "end"}, "tracker7"},
		{"filter-hosts", []string{"2"}, "status == 404"},
	} {
		b.Run(v.name, func(b *testing.B) {
			out := &counter{}
			if v.keys != nil {
				defer watchLive(b, cfg, out, v.keys, v.text)()
			}
			feedLive(b, cfg.Store, 4*benchRate) // a filter has gone through what was there before
			b.ResetTimer()
			before, written := cpuTime(), out.n.Load()
			feedLive(b, cfg.Store, b.N)
			seconds := b.Elapsed().Seconds()
			used := (cpuTime() - before).Seconds() / seconds * 100
			if v.keys == nil {
				nobody = used
			}
			b.ReportMetric(used, "core-%")
			b.ReportMetric(used-nobody, "added-%")
			b.ReportMetric(float64(out.n.Load()-written)/1024/seconds, "KiB/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// watchLive shows the screen and returns what ends it.
func watchLive(b *testing.B, cfg Config, out io.Writer, keys []string, text string) (leave func()) {
	ctx, cancel := context.WithCancel(context.Background())
	m := newModel(ctx, cfg, *colourTheme(true))
	program := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(nil), tea.WithOutput(out), tea.WithAltScreen(), tea.WithoutSignalHandler())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		program.Run() //nolint:errcheck // it ends by ctx
	}()
	program.Send(tea.WindowSizeMsg{Width: 120, Height: 40})
	for _, key := range keys {
		program.Send(keyMsg(key))
	}
	if text != "" {
		program.Send(keyMsg("/"))
		program.Send(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(text), Paste: true})
		program.Send(keyMsg("enter"))
	}
	return func() {
		cancel()
		<-ended
		m.feed.close()
	}
}

// feedLive observes flows at the rate.
func feedLive(b *testing.B, s *capture.Store, flows int) {
	const burst = 10
	tick := time.NewTicker(time.Second * burst / benchRate)
	defer tick.Stop()
	var c connection
	for n := 0; n < flows; n += burst {
		<-tick.C
		for range burst {
			id := s.NextID()
			f := c.flow(int(id), time.Now())
			f.ID = id
			s.Observe(f)
		}
	}
	check(b, s.Sync())
}

// cpuTime returns what this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
