package setup

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"telltale/diagnosis"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/useragent"
)

// second returns a moment of the story that the situations share.
func second(n int) time.Time {
	return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Second)
}

// situations are those in which a person needs other words, in the order of an
// audit. The golden shows what each is told.
var situations = []struct {
	name string
	p    Progress
}{
	{"nothing seen, address unknown", Progress{}},
	{"nothing seen", Progress{At: testPlace, Now: second(0)}},
	{"the proxy is set, nothing else", Progress{Reached: second(0), Contacts: 3, Unread: 1}},
	{"connected, sent nothing", Progress{Reached: second(0)}},
	{"the page by the code, proxy not set", Progress{Reached: second(0), Page: second(0), OS: useragent.IOS}},
	{"the page, iOS", Progress{Reached: second(0), Page: second(1), Contacts: 2, OS: useragent.IOS}},
	{"the page, Android", Progress{Reached: second(0), Page: second(1), Contacts: 2, OS: useragent.Android}},
	{"the page, unknown device", Progress{Reached: second(0), Page: second(1), Contacts: 2}},
	{"certificate fetched, proxy not set", Progress{Reached: second(0), Page: second(1), Authority: second(2), OS: useragent.IOS}},
	{"likewise, after a while", Progress{Now: second(90), Reached: second(0), Page: second(1), Authority: second(2), OS: useragent.IOS}},
	{"certificate fetched, iOS", Progress{Reached: second(0), Page: second(1), Authority: second(2), Contacts: 2, Unread: 1, OS: useragent.IOS}},
	{"certificate fetched, Android", Progress{Reached: second(0), Page: second(1), Authority: second(2), Contacts: 2, Unread: 1, OS: useragent.Android}},
	{"certificate fetched, unknown device", Progress{Reached: second(0), Authority: second(2), Contacts: 2, Unread: 1}},
	{"certificate fetched, Windows", Progress{Reached: second(0), Page: second(1), Authority: second(2), Contacts: 2, Unread: 1, OS: useragent.Windows}},
	{"no TLS for a while, plain HTTP only", Progress{Now: second(120), Reached: second(0), Page: second(1), Authority: second(2), App: second(3), Contacts: 5, OS: useragent.IOS}},
	{"refused before the certificate was fetched", Progress{Now: second(10), Reached: second(0), Page: second(1), Authority: second(9), Contacts: 4, Unread: 4,
		Diagnoses: diagnosed(second(10), page(iPhone, 1), fetched(iPhone, 9), refuses(iPhone, "example.ca", 5)), OS: useragent.IOS}},
	{"refused, nothing fetched", Progress{Reached: second(0), App: second(1), Contacts: 4, Unread: 4, Diagnoses: diagnosed(time.Time{}, refuses("Game/7", "clients4.google.com", 5))}},
	{"the page's test is refused, at first", Progress{Now: second(9), Reached: second(0), Page: second(1), Contacts: 1, Unread: 1,
		Diagnoses: diagnosed(second(9), page(iPhone, 1), refuses(iPhone, flow.SetupHost, 5)), OS: useragent.IOS}},
	{"the page's test is refused, after the fetch", Progress{Now: second(9), Reached: second(0), Page: second(1), Authority: second(2), Contacts: 1, Unread: 1,
		Diagnoses: diagnosed(second(9), page(iPhone, 1), fetched(iPhone, 2), refuses(iPhone, flow.SetupHost, 5)), OS: useragent.IOS}},
	{"likewise, after a while", Progress{Now: second(90), Reached: second(0), Page: second(1), Authority: second(2), Contacts: 1, Unread: 1,
		Diagnoses: diagnosed(second(90), page(iPhone, 1), fetched(iPhone, 2), refuses(iPhone, flow.SetupHost, 85)), OS: useragent.IOS}},
	{"refused after the fetch, iOS", trouble(useragent.IOS, page(iPhone, 1), fetched(iPhone, 2), refuses(iPhone, "retrieval.example.canada.ca", 5))},
	{"refused after the fetch, Android", trouble(useragent.Android, page(androidChrome, 1), fetched(androidChrome, 2), refuses("okhttp/4.12.0", "retrieval.example.canada.ca", 5))},
	{"refused after the fetch, unknown device", trouble("", page("Game/7", 1), fetched("Game/7", 2), refuses("Game/7", "retrieval.example.canada.ca", 5))},
	{"refused after the fetch, Windows", trouble(useragent.Windows, page(windowsEdge, 1), fetched(windowsEdge, 2), refuses(windowsEdge, "example.ca", 5))},
	{"refused, the clock is wrong", trouble(useragent.IOS, page(iPhone, 1), fetched(iPhone, 2), alerts(iPhone, "example.ca", "certificate_expired (45)", 5))},
	{"refused by Apple's own service", trouble(useragent.IOS, page(iPhone, 1), fetched(iPhone, 2), refuses("cloudd/1.0 CFNetwork/1494.0.7 Darwin/23.4.0", "gateway.icloud.com", 5))},
	{"read, the certificate was there before", Progress{Reached: second(0), Decrypted: second(1), Contacts: 2, App: second(1), OS: useragent.IOS}},
	{"read, no contact of the app", Progress{Reached: second(0), Page: second(1), Authority: second(2), Decrypted: second(3), AppKnown: true, Contacts: 2, OS: useragent.IOS}},
	{"likewise, after a while", Progress{Now: second(90), Reached: second(0), Page: second(1), Authority: second(2), Decrypted: second(3), AppKnown: true, Contacts: 2, OS: useragent.IOS}},
	{"all done", Progress{Reached: second(0), Page: second(1), Authority: second(2), Decrypted: second(3), App: second(4), AppKnown: true, Contacts: 5, OS: useragent.IOS}},
	{"all done, refused before it was trusted", connected(true, refuses(iPhone, "example.ca", 2), reads(iPhone, "example.ca", 9))},
	{"all done, one host pinned, iOS", connected(true, reads(iPhone, "example.ca", 3), reads(phoneApp, "cdn.example", 4), refuses(phoneApp, "api.bank.example", 5), refuses(phoneApp, "api.bank.example", 6))},
	{"browser read, the app refuses, iOS", connected(false, reads(iPhone, "example.ca", 3), refuses(phoneApp, "api.bank.example", 5), refuses(phoneApp, "api.bank.example", 6))},
	{"browser read, the app refuses, Android", connected(false, reads(androidChrome, "example.ca", 3), refuses("okhttp/4.12.0", "api.bank.example", 5), refuses("okhttp/4.12.0", "api.bank.example", 6))},
	{"read, Google's own service refuses", connected(false, reads(androidChrome, "example.ca", 3), refuses("com.google.android.gms/243", "play.googleapis.com", 5))},
	{"read, the app never came", connected(false, reads(androidChrome, "example.ca", 3), reads(androidChrome, "example.ca", 90))},
	{"it no longer trusts", connected(true, reads(iPhone, "a.example", 3), reads(iPhone, "b.example", 4), refuses(iPhone, "a.example", 50), refuses(iPhone, "b.example", 51))},
	{"hostile names", trouble("", alerts("\x1b[31m\u202e/1", "\x1b[31m\u202e"+strings.Repeat("a", 300)+".evil.example", "unknown_ca (48)\x1b[2J", 5))},
}

// phoneApp is the app under test.
const phoneApp = "CovidShield/1.0.2 CFNetwork/1120 Darwin/19.0.0"

// diagnosed are the diagnoses of some flows.
func diagnosed(now time.Time, flows ...*flow.Flow) []diagnosis.Diagnosis {
	var c diagnosis.Collector
	for _, f := range flows {
		c.Add(f)
	}
	return diagnosis.Of(c.Evidence(), diagnosis.Known{Now: now, App: func(ua string) bool { return ua == phoneApp || strings.HasPrefix(ua, "okhttp/") }})
}

// trouble is a device that fetched the certificate, and of which nothing was read.
func trouble(os useragent.OS, flows ...*flow.Flow) Progress {
	return Progress{
		Now: second(10), Reached: second(0), Page: second(1), Authority: second(2), Contacts: 4, Unread: 4,
		Diagnoses: diagnosed(second(10), flows...), OS: os,
	}
}

// connected is a device of which TLS was read; seen says whether the app was.
func connected(seen bool, flows ...*flow.Flow) Progress {
	p := Progress{
		Reached: second(0), Page: second(1), Authority: second(2), Decrypted: second(3), AppKnown: true, Contacts: 5, Unread: 3,
		Diagnoses: diagnosed(time.Time{}, flows...), OS: useragent.IOS,
	}
	if seen {
		p.App = second(4)
	}
	return p
}

func at(n int) flowtest.Option {
	return func(f *flow.Flow) { f.Times.Start, f.Times.End = second(n), second(n) }
}

func page(agent string, n int) *flow.Flow { return ours(agent, "/", n) }

func fetched(agent string, n int) *flow.Flow { return ours(agent, derPath, n) }

func ours(agent, path string, n int) *flow.Flow {
	f := flowtest.Get("http://"+Host+path, flowtest.UserAgentOf(agent), at(n))
	f.Outcome, f.Server.Asked = flow.Served, ""
	return f
}

func reads(agent, host string, n int) *flow.Flow {
	return flowtest.Get("https://"+host+"/", flowtest.UserAgentOf(agent), at(n))
}

func refuses(agent, host string, n int) *flow.Flow {
	return alerts(agent, host, "certificate_unknown (46)", n)
}

func alerts(agent, host, alert string, n int) *flow.Flow {
	f := flowtest.Refused(host, at(n))
	f.Client.Hello.Alert = alert
	f.Request = &flow.Request{Method: "CONNECT", Header: []flow.Field{flow.NewField("User-Agent", agent)}}
	return f
}

var testPlace = Place{Host: "192.168.100.200", Port: "8080", Authority: "telltale CA 3F2A9C1D"}

func TestChecklistGolden(t *testing.T) {
	var b strings.Builder
	for i, s := range situations {
		if i > 0 {
			s.p.At = testPlace
		}
		fmt.Fprintf(&b, "## %s\n", s.name)
		for _, item := range Checklist(s.p) {
			fmt.Fprintf(&b, "%-8s %s\n", item.State, item.Text)
			for _, advice := range item.Advice {
				fmt.Fprintf(&b, "         %s\n", advice)
			}
		}
		b.WriteString("\n")
	}
	golden(t, "checklist.txt", []byte(b.String()))
}

// What holds in every situation, and in any mixture of them.
func TestChecklistHolds(t *testing.T) {
	for _, s := range situations {
		s.p.At = testPlace
		items := Checklist(s.p)
		if len(items) != 5 {
			t.Fatalf("%s: %d items", s.name, len(items))
		}
		open, advised := 0, 0
		for _, item := range items {
			if item.State == Waiting || item.State == Trouble {
				open++
			}
			if len(item.Advice) > 0 {
				advised++
			}
			if item.State == Trouble && len(item.Advice) < 2 {
				t.Errorf("%s: %q says too little on its trouble", s.name, item.Text)
			}
			for _, line := range append(slices.Clone(item.Advice), item.Text) {
				if n := utf8.RuneCountInString(line); n > 160 {
					t.Errorf("%s: %d columns: %s", s.name, n, line)
				}
				if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\u202e' }) {
					t.Errorf("%s: %q reaches the terminal raw", s.name, line)
				}
			}
		}
		if open > 0 && advised == 0 {
			t.Errorf("%s: something is left to do and nobody says what", s.name)
		}
	}
}

func TestServedPaths(t *testing.T) {
	served := map[string]time.Time{"/": second(1), "/ca.cer": second(9), "/ca.mobileconfig": second(5), "/proxy.pac": second(2)}
	if got := PageOf(served); !got.Equal(second(1)) {
		t.Errorf("the page at %v", got)
	}
	if got := AuthorityOf(served); !got.Equal(second(5)) {
		t.Errorf("the certificate at %v, want the first of its forms", got)
	}
	for _, none := range []map[string]time.Time{nil, {"/proxy.pac": second(2), "/favicon.ico": second(3)}} {
		if !PageOf(none).IsZero() || !AuthorityOf(none).IsZero() {
			t.Errorf("%v has a page or a certificate", none)
		}
	}
}

// The short steps say what the long ones say, and fit beside a QR code.
func TestBrief(t *testing.T) {
	var b strings.Builder
	for _, p := range Platforms {
		brief := Brief(p, testPlace)
		want := 0
		if p.mobile && p.ID != "firefox-android" {
			want = 3
		}
		if len(brief) != want {
			t.Errorf("%s: %d steps", p.ID, len(brief))
		}
		var long strings.Builder
		for _, step := range p.Steps {
			long.WriteString(step.Text + "\n")
		}
		for i, step := range p.brief {
			checkMarkup(t, p.ID, step)
			for _, part := range parse(step, testPlace) {
				if part.Kind != literalPart || strings.HasPrefix(part.Text, "telltale ") {
					continue
				}
				for _, name := range strings.Split(part.Text, " › ") {
					if !strings.Contains(fill(long.String(), testPlace), name) {
						t.Errorf("%s: %q is in no step", p.ID, name)
					}
				}
			}
			if n := linesOf(brief[i], 60); n > 2 {
				t.Errorf("%s: %d lines of 60 columns: %s", p.ID, n, brief[i])
			}
			b.WriteString(brief[i] + "\n")
		}
	}
	golden(t, "brief.txt", []byte(b.String()))
}

// linesOf counts the lines that a text takes when it is wrapped at words.
func linesOf(text string, columns int) int {
	lines, used := 1, 0
	for _, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		if used > 0 && used+1+n > columns {
			lines, used = lines+1, 0
		} else if used > 0 {
			used++
		}
		used += n
	}
	return lines
}

// What a diagnosis tells a person to open stands in the steps in the same words.
func TestDiagnosesNameMenusOfPlatforms(t *testing.T) {
	var words strings.Builder
	for _, p := range Platforms {
		for _, step := range slices.Concat(p.Steps, p.Undo) {
			words.WriteString(step.Text + "\n" + step.Why + "\n")
		}
		words.WriteString(strings.Join(p.Notes, "\n"))
	}
	all, menus := words.String(), 0
	for _, agent := range []string{iPhone, androidChrome, windowsEdge, "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Game/7",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"} {
		for _, d := range diagnosed(time.Time{}, page(agent, 1), refuses(agent, "a.example", 5), refuses("other/1", "b.example", 6)) {
			for _, next := range d.Next {
				for i, marked := range strings.Split(next, "`") {
					if i%2 == 0 || !strings.Contains(marked, " › ") {
						continue
					}
					menus++
					for _, name := range strings.Split(marked, " › ") {
						if !strings.Contains(all, name) {
							t.Errorf("%q of %q is in no step", name, next)
						}
					}
				}
			}
		}
	}
	if menus < 5 {
		t.Errorf("only %d menus were looked at", menus)
	}
}

// What is said to come from diagnoses says nothing else: who shows them leaves it out.
func TestDiagnosedAdviceRepeatsDiagnoses(t *testing.T) {
	diagnosed := 0
	for _, s := range situations {
		var said strings.Builder
		for _, d := range s.p.Diagnoses {
			fmt.Fprintln(&said, strings.ToLower(strings.Join(unmark(slices.Concat([]string{d.Title}, d.Evidence, d.Next)), "\n")))
		}
		for _, item := range Checklist(s.p) {
			repeats := len(item.Advice) > 0
			for _, line := range item.Advice {
				line = strings.ToLower(strings.TrimSuffix(strings.TrimSuffix(line, "."), ": expected"))
				for _, doubt := range []string{"most likely ", "possibly "} {
					line = strings.TrimPrefix(line, doubt)
				}
				repeats = repeats && strings.Contains(said.String(), line)
			}
			if item.Diagnosed != repeats {
				t.Errorf("%s: %q: diagnosed is %t, but its advice repeats diagnoses: %t: %q", s.name, item.Text, item.Diagnosed, repeats, item.Advice)
			}
			if repeats {
				diagnosed++
			}
		}
	}
	if diagnosed < 8 {
		t.Errorf("only %d steps have the advice of diagnoses", diagnosed)
	}
}

// A device in the tunnel is not asked for its proxy.
func TestChecklistThroughTheTunnel(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	items := Checklist(Progress{Now: at.Add(time.Hour), Reached: at, Page: at, Authority: at, Tunnel: true})
	if items[0].State != Done || items[0].Text != "The device reached telltale, by WireGuard" {
		t.Errorf("%+v", items[0])
	}
	for _, item := range items {
		if advice := strings.Join(item.Advice, " "); strings.Contains(strings.ToLower(advice), "proxy") {
			t.Errorf("%s: %s", item.Text, advice)
		}
	}
	if advice := items[3].Advice; len(advice) != 1 || !strings.Contains(advice[0], "with WireGuard on") {
		t.Errorf("%q", advice)
	}
}
