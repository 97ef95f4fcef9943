package script

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestUsersAreNamed holds what is told of who uses a text.
func TestUsersAreNamed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		code       string
		want       string
		obfuscated bool
		beside     []string
	}{
		"a property":             {`e.default={url:"HERE",test:1,"other":f(a?b:c)}`, "default.url", false, []string{"test", "other"}},
		"a variable":             {`const API_HOST = "HERE";`, "API_HOST", false, nil},
		"a function":             {`function fetchNews(){var x=fetch("HERE")}`, "fetchNews", false, nil},
		"a method":               {`class News{load(){return get("HERE")}}`, "load", false, nil},
		"a method's property":    {`x.prototype.load=function(){return {head:{url:["HERE"]}}}`, "load.head.url", false, []string{}},
		"short names alone":      {`a.b=function(c){d={e:"HERE"}}`, "b.d.e", true, nil},
		"the way is cut":         {`v.one={two:{three:{four:{five:"HERE"}}}}`, "two.three.four.five", false, nil},
		"of no statement before": {"var before = 1\nfetch('HERE')", "", false, nil},
		"of a function before":   {"var before = function(){}\nfetch('HERE')", "", false, nil},
		"in a template":          {"load.url=`${a}HERE${b}`", "url", false, nil},
		"within its module":      {`__d(function(){m.exports.url='HERE'},1,[])`, "url", false, nil},
		"in a comment":           {`var news = /* HERE */ 1`, "", false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := open("a.js", []byte(test.code))
			if err != nil {
				t.Fatal(err)
			}
			i := strings.Index(test.code, "HERE")
			p := d.Place(i, i+4)
			if test.want == "" {
				if len(p.Users) != 0 {
					t.Errorf("users: %+v", p.Users)
				}
				return
			}
			if len(p.Users) != 1 || p.Users[0].Name != test.want || p.Users[0].Obfuscated != test.obfuscated {
				t.Fatalf("users: %+v, want %s", p.Users, test.want)
			}
			if diff := cmp.Diff(strings.Join(test.beside, " "), strings.Join(p.Users[0].Strings, " ")); diff != "" {
				t.Errorf("beside it (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPlacesInAnyFile asks for places that are nowhere.
func TestPlacesInAnyFile(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"", "a", "'a'", "\n\n"} {
		d, err := open("a.js", []byte(code))
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []int{-5, 0, 1, len(code), len(code) + 9} {
			if p := d.Place(at, at+1); p.Module != nil || p.LiteralEnd > len(code) {
				t.Errorf("%q at %d: %+v", code, at, p)
			}
		}
	}
}

// TestLiteralsAreDecoded holds that a place in a literal with escapes has its text.
func TestLiteralsAreDecoded(t *testing.T) {
	t.Parallel()
	const code = `a="\x63lients3",b="plain"`
	d, err := open("a.js", []byte(code))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"lients": "clients3", "plain": ""} {
		i := strings.Index(code, text)
		if p := d.Place(i, i+1); p.Literal != want || p.Section != "string" {
			t.Errorf("%s: %+v", text, p)
		}
	}
}
