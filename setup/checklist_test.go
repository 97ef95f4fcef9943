package setup

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
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
	{"the page by the code, proxy not set", Progress{Reached: second(0), Page: second(0), UserAgent: iPhone}},
	{"the page, iOS", Progress{Reached: second(0), Page: second(1), Contacts: 2, UserAgent: iPhone}},
	{"the page, Android", Progress{Reached: second(0), Page: second(1), Contacts: 2, UserAgent: androidChrome}},
	{"the page, unknown device", Progress{Reached: second(0), Page: second(1), Contacts: 2, UserAgent: "Game/7"}},
	{"certificate fetched, proxy not set", Progress{Reached: second(0), Page: second(1), Authority: second(2), UserAgent: iPhone}},
	{"likewise, after a while", Progress{Now: second(90), Reached: second(0), Page: second(1), Authority: second(2), UserAgent: iPhone}},
	{"certificate fetched, iOS", Progress{Reached: second(0), Page: second(1), Authority: second(2), Contacts: 2, Unread: 1, UserAgent: iPhone}},
	{"certificate fetched, Android", Progress{Reached: second(0), Page: second(1), Authority: second(2), Contacts: 2, Unread: 1, UserAgent: androidChrome}},
	{"certificate fetched, unknown device", Progress{Reached: second(0), Authority: second(2), Contacts: 2, Unread: 1}},
	{"certificate fetched, Windows", Progress{Reached: second(0), Page: second(1), Authority: second(2), Contacts: 2, Unread: 1, UserAgent: windowsEdge}},
	{"no TLS for a while, plain HTTP only", Progress{Now: second(120), Reached: second(0), Page: second(1), Authority: second(2), App: second(3), Contacts: 5, UserAgent: iPhone}},
	{"refused before the certificate was fetched", Progress{Reached: second(0), Page: second(1), Authority: second(9), Contacts: 4, Unread: 4, Refused: 4, RefusedLast: second(5), RefusedHost: "example.ca", Alert: "unknown_ca (48)", UserAgent: iPhone}},
	{"refused, nothing fetched", Progress{Reached: second(0), App: second(1), Contacts: 4, Unread: 4, Refused: 4, RefusedLast: second(5), RefusedHost: "clients4.google.com", Alert: "unknown_ca (48)"}},
	{"refused after the fetch, iOS", Progress{Reached: second(0), Page: second(1), Authority: second(2), Contacts: 4, Unread: 4, Refused: 4, RefusedLast: second(5), RefusedHost: "retrieval.example.canada.ca", Alert: "unknown_ca (48)", UserAgent: iPhone}},
	{"refused after the fetch, Android", Progress{Reached: second(0), Page: second(1), Authority: second(2), Contacts: 4, Unread: 4, Refused: 4, RefusedLast: second(5), RefusedHost: "retrieval.example.canada.ca", Alert: "certificate_unknown (46)", UserAgent: "Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8)"}},
	{"refused after the fetch, unknown device", Progress{Reached: second(0), Page: second(1), Authority: second(2), Contacts: 4, Unread: 4, Refused: 4, RefusedLast: second(5), RefusedHost: "retrieval.example.canada.ca", Alert: "bad_certificate (42)"}},
	{"refused after the fetch, Windows", Progress{Reached: second(0), Page: second(1), Authority: second(2), Contacts: 4, Unread: 4, Refused: 4, RefusedLast: second(5), RefusedHost: "example.ca", UserAgent: windowsEdge}},
	{"refused, the clock is wrong", Progress{Reached: second(0), Page: second(1), Authority: second(2), Contacts: 1, Unread: 1, Refused: 1, RefusedLast: second(5), RefusedHost: "example.ca", Alert: "certificate_expired (45)", UserAgent: iPhone}},
	{"refused by Apple's own service", Progress{Reached: second(0), Page: second(1), Authority: second(2), Contacts: 1, Unread: 1, Refused: 1, RefusedLast: second(5), RefusedHost: "gateway.icloud.com", Alert: "certificate_unknown (46)", UserAgent: iPhone}},
	{"read, the certificate was there before", Progress{Reached: second(0), Decrypted: second(1), Contacts: 2, App: second(1), UserAgent: iPhone}},
	{"read, no contact of the app", Progress{Reached: second(0), Page: second(1), Authority: second(2), Decrypted: second(3), AppKnown: true, Contacts: 2, UserAgent: iPhone}},
	{"likewise, after a while", Progress{Now: second(90), Reached: second(0), Page: second(1), Authority: second(2), Decrypted: second(3), AppKnown: true, Contacts: 2, UserAgent: iPhone}},
	{"all done", Progress{Reached: second(0), Page: second(1), Authority: second(2), Decrypted: second(3), App: second(4), AppKnown: true, Contacts: 5, UserAgent: iPhone}},
	{"all done, refused before it was trusted", Progress{Reached: second(0), Page: second(1), Authority: second(2), Decrypted: second(9), App: second(10), AppKnown: true, Contacts: 5, Unread: 2, Refused: 2, RefusedLast: second(5), RefusedHost: "example.ca", UserAgent: iPhone}},
	{"all done, one host pinned, iOS", Progress{Reached: second(0), Page: second(1), Authority: second(2), Decrypted: second(3), App: second(4), AppKnown: true, Contacts: 5, Unread: 1, Refused: 1, RefusedLast: second(5), RefusedHost: "api.bank.example", Alert: "certificate_unknown (46)", UserAgent: iPhone}},
	{"browser read, the app refuses, iOS", Progress{Reached: second(0), Page: second(1), Authority: second(2), Decrypted: second(3), AppKnown: true, Contacts: 5, Unread: 3, Refused: 3, RefusedLast: second(5), RefusedHost: "api.bank.example", UserAgent: iPhone}},
	{"browser read, the app refuses, Android", Progress{Reached: second(0), Page: second(1), Authority: second(2), Decrypted: second(3), AppKnown: true, Contacts: 5, Unread: 3, Refused: 3, RefusedLast: second(5), RefusedHost: "api.bank.example", Alert: "certificate_unknown (46)", UserAgent: androidChrome}},
	{"read, Google's own service refuses", Progress{Reached: second(0), Page: second(1), Authority: second(2), Decrypted: second(3), AppKnown: true, Contacts: 5, Unread: 3, Refused: 3, RefusedLast: second(5), RefusedHost: "play.googleapis.com", Alert: "certificate_unknown (46)", UserAgent: androidChrome}},
	{"hostile names", Progress{Reached: second(0), Contacts: 1, Unread: 1, Refused: 1, RefusedLast: second(5), RefusedHost: "\x1b[31m\u202e" + strings.Repeat("a", 300) + ".evil.example", Alert: "unknown_ca (48)\x1b[2J"}},
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
				if n := utf8.RuneCountInString(line); n > 76 {
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

func TestTellingAgent(t *testing.T) {
	const computer = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
	for _, test := range []struct {
		agents []string
		want   string
	}{
		{nil, ""},
		{[]string{"Game/7"}, "Game/7"},
		{[]string{"Game/7", computer}, computer},
		{[]string{"Game/7", computer, iPhone}, iPhone},
		{[]string{"Game/7", "okhttp/4.12.0", computer}, "okhttp/4.12.0"},
	} {
		if got := TellingAgent(test.agents); got != test.want {
			t.Errorf("of %q: %q, want %q", test.agents, got, test.want)
		}
	}
}
