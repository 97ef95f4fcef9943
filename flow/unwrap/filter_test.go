package unwrap_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/flow/unwrap"
)

// wanted lists what Wanted visits: place and text.
func wanted(f *flow.Flow, filter unwrap.Filter) (lines []string) {
	unwrap.Wanted(f, filter, func(v *unwrap.Value) bool {
		if place := v.Where(); !strings.HasPrefix(place, v.Part()) || v.Part() == "" {
			panic(v.Part() + " is no part of " + place)
		}
		lines = append(lines, v.Where()+" | "+string(v.Text))
		return true
	})
	return lines
}

func TestFilter(t *testing.T) {
	f := flowtest.Post("https://a.example/p?q=1", `{"mail":"m","a@b.example":{"x_1":[{"sdk-name":"n"}]},"aWQ6amFuZS5kb2VAZXhhbXBsZS5vcmc":0}`,
		flowtest.Header("X-One", "1"), flowtest.Header("X-Two", "2"), flowtest.Header("Cookie", "c=3"))
	all := wanted(f, unwrap.Filter{})
	if !slices.Contains(all, "body.json $ (name) | mail") || !slices.Contains(all, "body.json $.*.x_1[0] (name) | sdk-name") {
		t.Fatalf("%q", all)
	}
	var asked []string
	done := 0
	got := wanted(f, unwrap.Filter{
		Names: true,
		Known: func(field []byte) bool {
			asked = append(asked, string(field))
			return bytes.HasPrefix(field, []byte("X-One")) || bytes.HasPrefix(field, []byte("Cookie"))
		},
		Done: func() { done++ },
	})
	left := slices.DeleteFunc(slices.Clone(all), func(line string) bool { return slices.Contains(got, line) })
	want := []string{"header X-One | 1", "cookie (name) | c", "cookie c | 3", "body.json $ (name) | mail", "body.json $.* (name) | x_1"}
	if !slices.Equal(left, want) {
		t.Errorf("left out: %q, want %q", left, want)
	}
	if want := []string{"X-One: 1", "X-Two: 2", "Cookie: c=3"}; !slices.Equal(asked[len(asked)-3:], want) || done != len(asked)-2 {
		t.Errorf("asked of %q, %d done", asked, done)
	}
}

// A field that a bound or the visitor may have cut short is not done.
func TestFilterIsNotDone(t *testing.T) {
	f := flowtest.Get("https://a.example/", flowtest.Header("X-Long", strings.Repeat("%41", unwrap.MaxDecoded/3+1)))
	filter := unwrap.Filter{Known: func(field []byte) bool { return !bytes.HasPrefix(field, []byte("X-")) }, Done: func() { t.Error("done") }}
	unwrap.Wanted(f, filter, func(*unwrap.Value) bool { return true })
	f = flowtest.Get("https://a.example/", flowtest.Header("X-Short", "1"))
	unwrap.Wanted(f, filter, func(v *unwrap.Value) bool { return v.Part() != "header" })
}

// What Texts remembers of header fields hides nothing: neither what stands beside them in
// another flow, nor themselves with another value.
func TestTextsAgain(t *testing.T) {
	texts := func(fields ...flowtest.Option) (all []string) {
		unwrap.Texts(flowtest.Get("https://a.example/", fields...), func(text []byte) bool {
			all = append(all, string(text))
			return true
		})
		return all
	}
	plain, encoded := flowtest.Header("X-A", "plain"), flowtest.Header("X-A", "%40")
	for range 3 {
		if got := texts(plain, encoded, plain); len(got) != 2 || got[1] != "@" {
			t.Errorf("%q", got)
		}
		if got := texts(plain); len(got) != 1 || !strings.Contains(got[0], "X-A: plain") {
			t.Errorf("%q", got)
		}
	}
}

func TestMemo(t *testing.T) {
	m := unwrap.NewMemo()
	const many = 100_000
	known := 0
	for i := range many {
		text := []byte(fmt.Sprint("text ", i))
		hash, ok := m.Has(text)
		if ok {
			t.Fatalf("%q was not added", text)
		}
		m.Add(hash)
		if _, ok := m.Has(text); !ok {
			t.Fatalf("%q was added", text)
		}
	}
	for i := range many {
		if _, ok := m.Has([]byte(fmt.Sprint("text ", i))); ok {
			known++
		}
	}
	if known < 2000 || known > 4096 {
		t.Errorf("%d texts are known", known)
	}
}

func TestFilterOfServerNames(t *testing.T) {
	f := flowtest.DNS("www.a.example")
	all := wanted(f, unwrap.Filter{})
	var asked []string
	done := 0
	known := false
	filter := unwrap.Filter{Known: func(name []byte) bool { asked = append(asked, string(name)); return known }, Done: func() { done++ }}
	if got := wanted(f, filter); !slices.Equal(got, all) || done != 1 {
		t.Errorf("%q, %d done, want %q", got, done, all)
	}
	known = true
	if got := wanted(f, filter); got != nil || done != 1 {
		t.Errorf("%q, %d done", got, done)
	}
	if !slices.Equal(asked, []string{"www.a.example", "www.a.example"}) {
		t.Errorf("asked of %q", asked)
	}
}
