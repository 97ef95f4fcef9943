package policy

import (
	"bytes"
	"net/url"
	"strings"
	"testing"

	"telltale/flow"
	"telltale/flow/flowtest"
)

// TestNumbersInOtherGroups holds that a number is found however it is grouped, and that no
// other number is taken for it.
func TestNumbersInOtherGroups(t *testing.T) {
	written := []string{
		"+49 151 23456789", "+49.151.2345.6789", "49-151-2345-6789", "+49\u00a0151\u00a023456789", "+49 (151) 2345-6789", "(+49) 151/23456789",
		"0049 151 23456789", "00 49 15123456789", "+49 1 5 1 2 3 4 5 6 7 8 9", "+49(151)2345-6789", "+49\u202f151\u202f2345\u20116789",
	}
	others := []string{
		"49 151 2345678", "49 151 23456780", "49 151 23456789 1", "1 49 151 23456789", "49,151,23456789", "49  151  23456789", "49\n151\n23456789",
		"149 151 23456789", "49 151 234567890", "49 151 23456789-2", "[49, 15123456789]", "49 - 151 - 23456789", "49.151.23456789.7",
	}
	for _, value := range []string{"+4915123456789", "4915123456789", "+49 (151) 2345-6789", "0049-151-23456789", "49 151 23 45 67 89"} {
		p, _ := New([]string{"a.example"})
		p.setSecrets([]Secret{{Name: "phone", value: value}})
		for _, text := range written {
			for place, f := range map[string]*flow.Flow{
				"JSON": flowtest.Post("https://a.example/", `{"p":"`+text+`"}`), "query": flowtest.Get("https://a.example/?p=" + url.QueryEscape(text)),
				"sentence": flowtest.Post("https://a.example/", "call "+text+", please"),
			} {
				if leaks := p.Leaks(f); len(leaks) != 1 {
					t.Errorf("%s: %s in %s is not found", value, text, place)
				}
			}
			if masked := p.Mask("call " + text + ", please"); strings.ContainsAny(masked, "0123456789") || !strings.HasSuffix(masked, ", please") {
				t.Errorf("%s: %s is masked as %s", value, text, masked)
			}
		}
		for _, text := range others {
			if leaks := p.Leaks(flowtest.Post("https://a.example/", `{"p":"`+text+`"}`)); len(leaks) != 0 && !strings.Contains(text, value) {
				t.Errorf("%s is found in %s: %+v", value, text, leaks)
			}
		}
	}
}

func FuzzNumbers(f *testing.F) {
	for _, s := range []string{"49 151 23456789", "1(2)3", "9 )( 9", "1\xa02", "1.", "((1 2"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		numbers := secretNumbers{}
		numbers.add(0, "12345678")
		numbers.find(text, func(_ *secretForm, start, end int) bool {
			digits := bytes.Map(func(r rune) rune {
				if r < '0' || r > '9' {
					return -1
				}
				return r
			}, text[start:end])
			if string(withoutExit(digits)) != "12345678" {
				t.Errorf("%q in %q", text[start:end], text)
			}
			return true
		})
	})
}

func BenchmarkNumbers(b *testing.B) {
	numbers := secretNumbers{}
	numbers.add(0, "+4915123456789")
	text := bytes.Repeat([]byte(`{"name":"value of some text","at":1732184000,"list":[12, 345, 6.5]}`), 1000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		numbers.find(text, func(*secretForm, int, int) bool { return true })
	}
}
