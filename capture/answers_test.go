package capture

import (
	"reflect"
	"testing"
	"time"

	"telltale/flow"
)

func TestBrokenAnswersAreRefused(t *testing.T) {
	for _, text := range []string{
		"x", "a\tb\n", "a\t1\tA\n", "a\tx\tA\tb\n", "a\t-1\tA\tb\n", "a\t4294967296\tA\tb\n", "a\t1\tA\tb", "a\t1\tA\tb\nname\n",
		"a\\\n", "a\\q\t1\tA\tb\n", "a\t1\tA\tb\tc\n",
	} {
		if err := parseAnswers(text, &flow.Question{}); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}

func TestTimesToLiveAreThoseOfDNS(t *testing.T) {
	for ttl, want := range map[time.Duration]time.Duration{-time.Hour: 0, 1500 * time.Millisecond: time.Second, 1 << 62: maxTTL * time.Second} {
		q := &flow.Question{Name: "a", Answers: []flow.Answer{{Name: "a", TTL: ttl}}}
		got := flow.Question{Name: "a"}
		if err := parseAnswers((&writer{}).answersText(q, "a:53"), &got); err != nil || got.Answers[0].TTL != want {
			t.Errorf("%v came back as %v, error %v", ttl, got.Answers, err)
		}
	}
}

// Whatever is asked and answered comes back as it was.
func FuzzAnswers(f *testing.F) {
	f.Add("a.example:53", "a.example", "a.example", "A", "192.0.2.7", uint32(300))
	f.Add("a.example:53", "A.Example", "@", "TXT", "tab\tand\n\\@", uint32(0))
	f.Add("", "", "\\@", "", "", uint32(1))
	f.Fuzz(func(t *testing.T, asked, name, owner, kind, data string, ttl uint32) {
		want := flow.Question{Name: name, Answers: []flow.Answer{
			{Name: owner, Type: kind, Data: data, TTL: time.Duration(ttl) * time.Second}, {Name: name, Type: data, Data: kind},
		}}
		got := flow.Question{Name: flow.CanonicalHost(asked)}
		text := (&writer{}).answersText(&want, asked)
		if err := parseAnswers(text, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v came back as %+v by %q, error %v", want, got, text, err)
		}
	})
}

func FuzzParseAnswers(f *testing.F) {
	for _, s := range []string{"", "A.Example\n", "@\t300\tA\t192.0.2.7\n", "\\@\t0\t\t\n", "x\n@\t1\tA\tb\n", "@\t1\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q := flow.Question{Name: "a.example"}
		if parseAnswers(text, &q) != nil {
			return
		}
		again := flow.Question{Name: "a.example"}
		if err := parseAnswers((&writer{}).answersText(&q, "a.example:53"), &again); err != nil || !reflect.DeepEqual(q, again) {
			t.Errorf("%q: %+v, then %+v, error %v", text, q, again, err)
		}
	})
}
