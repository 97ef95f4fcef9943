package diagnosis

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"telltale/flow"
)

// What tries tell of a moment is what counting tells, or less and then they say so.
func TestTriesSince(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for range 3000 {
		var all []int64
		var whole, left, right tries
		for range r.IntN(9) {
			at := 1 + r.Int64N(12)
			all = append(all, at)
			whole.add(at)
			if r.IntN(2) == 0 {
				left.add(at)
			} else {
				right.add(at)
			}
		}
		left.merge(&right)
		if left != whole {
			t.Fatalf("%v: parts %+v, whole %+v", all, left, whole)
		}
		moment := r.Int64N(14)
		want := 0
		for _, at := range all {
			if at >= moment {
				want++
			}
		}
		got, exact := whole.since(moment)
		if got > want || exact && got != want || !exact && want <= newest-1 {
			t.Fatalf("%v since %d: %d, exactly %v, want %d", all, moment, got, exact, want)
		}
	}
}

// The smallest codes stay, with all that was counted of them, in whatever order.
func TestCodes(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for range 1000 {
		var all []int16
		for range r.IntN(20) {
			all = append(all, []int16{noAlert, noVersion, 40, 42, 45, 46, 48, 70}[r.IntN(8)])
		}
		var whole, left, right codes
		for i, code := range all {
			whole.add(code, 1)
			if i%2 == 0 {
				left.add(code, 1)
			} else {
				right.add(code, 1)
			}
		}
		if left.merge(&right); left != whole {
			t.Fatalf("%v: parts %v, whole %v", all, left, whole)
		}
		distinct := slices.Compact(slices.Sorted(slices.Values(all)))
		for i, code := range distinct {
			want := 0
			for _, c := range all {
				if c == code && i < maxCodes {
					want++
				}
			}
			if got := whole.of(code); got != want {
				t.Fatalf("%v: %d of %d, want %d", all, got, code, want)
			}
		}
	}
}

// Of each alert it is known when it came, in whatever order, or that it came at least
// as often.
func TestRefusals(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for range 2000 {
		type event struct {
			at   int64
			code int16
		}
		var all []event
		var whole, left, right refusals
		for range r.IntN(24) {
			e := event{1 + r.Int64N(12), []int16{noAlert, 40, 42, 45, 46, 48}[r.IntN(6)]}
			all = append(all, e)
			whole.add(e.at, e.code)
			if r.IntN(2) == 0 {
				left.add(e.at, e.code)
			} else {
				right.add(e.at, e.code)
			}
		}
		if left.merge(&right); left != whole {
			t.Fatalf("%v: parts %+v, whole %+v", all, left, whole)
		}
		kept, moment := map[int16]bool{}, r.Int64N(14)
		for i := range whole.alerts {
			kept[whole.alerts[i].code] = whole.alerts[i].count > 0
		}
		for _, code := range []int16{noAlert, 40, 42, 45, 46, 48} {
			want := 0
			for _, e := range all {
				if e.code == code && e.at >= moment && kept[code] {
					want++
				}
			}
			said := whole.said(moment)
			if got := whole.of(code, moment); got > want || got < min(want, newest) || said.of(code) != got {
				t.Fatalf("%v since %d: %d of %d, said %d, want %d", all, moment, got, code, said.of(code), want)
			}
		}
	}
}

func TestUnder(t *testing.T) {
	for host, want := range map[string]bool{
		"icloud.com": true, "gateway.icloud.com": true, "a.b.icloud.com": true,
		"myicloud.com": false, "icloud.com.evil.example": false, "com": false, "": false, ".icloud.com": true,
	} {
		if got := under(host, []string{"icloud.com", "apple.com"}); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}

func TestTypedHosts(t *testing.T) {
	for host, want := range map[string]string{
		"api.example": "api.example", "192.0.2.1": "192.0.2.1", "a_b-c.example": "a_b-c.example",
		"-rf.example": "", "a;reboot": "", "$(reboot)": "", "a b": "", "[::1]": "", "": "", strings.Repeat("a", 81): "", "x`y": "", "é.example": "",
	} {
		if got := typed([]string{host}); got != want {
			t.Errorf("%q: %q", host, got)
		}
	}
	if got := typed([]string{"a;b", "fine.example"}); got != "fine.example" {
		t.Errorf("the first that can be typed: %q", got)
	}
}

// Whatever a file has for an alert, the code is one of TLS or none.
func FuzzAlert(f *testing.F) {
	for code := range alertNames {
		f.Add(alertText(code))
	}
	for _, text := range []string{"", "unknown (200)", "unknown_ca (48", "(48)", "(-1)", "(256)", "(0)", "()", ")(", "a (48) b", "\x1b[2J (48)"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		code := codeOf(&flow.Flow{Outcome: flow.ClientRefused, Client: flow.Client{Hello: &flow.ClientHello{Alert: text}}})
		if code != noAlert && (code <= 0 || code > 255) {
			t.Errorf("%q: %d", text, code)
		}
		if again := alertText(code); code != noAlert && codeOf(&flow.Flow{Client: flow.Client{Hello: &flow.ClientHello{Alert: again}}}) != code {
			t.Errorf("%q: %d, which is %q", text, code, again)
		}
	})
}
