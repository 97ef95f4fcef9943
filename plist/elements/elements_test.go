package elements

import (
	"errors"
	"strings"
	"testing"
)

const doc = "<?xml version=\"1.0\" encoding=\"US-ASCII\"?>\n<!-- a --><!DOCTYPE r>\n<r>\n  <a x:k=\"v\">t&amp;u</a>\n  <b><c/><c/></b><d/>\n</r>\n"

func TestReader(t *testing.T) {
	r := New([]byte(doc))
	root, err := r.Root()
	if err != nil || root.Name != "r" || root.Line != 3 || doc[root.Start:root.Start+3] != "<r>" {
		t.Fatalf("%+v, %v", root, err)
	}
	a, ok, err := r.Child("r")
	if v, has := a.Attr("k"); err != nil || !ok || a.Line != 4 || v != "v" || !has || !strings.HasPrefix(doc[a.Start:], "<a ") {
		t.Fatalf("%+v, %v", a, err)
	}
	if _, has := a.Attr("x"); has {
		t.Error("an attribute x is there")
	}
	text, start, end, err := r.Text("a")
	if err != nil || text != "t&u" || doc[start:end] != "t&amp;u" {
		t.Errorf("%q at %q, %v", text, doc[start:end], err)
	}
	b, ok, err := r.Child("r")
	if err != nil || !ok || b.Name != "b" || r.Leave() != nil {
		t.Fatalf("%+v, %v", b, err)
	}
	d, ok, err := r.Child("r")
	if err != nil || !ok || d.Name != "d" || r.Leave() != nil || doc[r.Offset():] != "\n</r>\n" {
		t.Fatalf("%+v, %v, at %q", d, err, doc[r.Offset():])
	}
	if _, ok, err := r.Child("r"); ok || err != nil {
		t.Errorf("more in the root, or %v", err)
	}
	if err := r.Finish(); err != nil {
		t.Error(err)
	}
}

func TestBadDocuments(t *testing.T) {
	for in, want := range map[string]string{
		"":                                       "holds no element",
		"x<r/>":                                  "line 1: text before",
		"<r":                                     "unexpected EOF",
		"<?xml encoding='x' version='1.0'?><r/>": "expected UTF-8",
		"<!DOCTYPE r [<!ENTITY a 'b'>]><r/>":     "defines entities",
		"<r>&a;</r>":                             "invalid character entity",
		"<r>\ntext<a/></r>":                      `text "text" in <r>`,
		"<r/>\nx":                                "behind the end",
		"<r/><s/>":                               "behind the end",
		strings.Repeat("<a>", MaxDepth+1):        "nested deeper",
	} {
		r := New([]byte(in))
		err := func() error {
			if _, err := r.Root(); err != nil {
				return err
			}
			for {
				_, ok, err := r.Child("r")
				if err != nil {
					return err
				}
				if !ok {
					return r.Finish()
				}
			}
		}()
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", in, err, want)
		}
	}
	r := New([]byte("<r><a>x<b/></a></r>"))
	if _, err := r.Root(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Child("r"); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := r.Text("a"); err == nil || !strings.Contains(err.Error(), "<b> in <a>, expected text") {
		t.Error(err)
	}
}
