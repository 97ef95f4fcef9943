package resources

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"telltale/locate/reading"
)

// TestBundleAgreesWithAPK holds an app bundle against the APK from which aapt2 made it:
// the same elements, attributes, resources and configurations.
func TestBundleAgreesWithAPK(t *testing.T) {
	bundle, apk := artefact(t, "apk/rn.aab"), artefact(t, "apk/settings.apk")
	names, files, attrs := members(t, bundle), 0, 0
	for _, name := range names {
		inAPK := strings.TrimPrefix(strings.Replace(name, "base/manifest/", "", 1), "base/")
		data := member(t, bundle, name)
		if !Is(name, data[:min(len(data), 4096)]) || !isProtoXML(data) {
			t.Errorf("%s is not recognised", name)
			continue
		}
		ours := openProtoXML(data)
		theirs, err := openBinaryXML(member(t, apk, inAPK))
		if err != nil {
			t.Fatal(err)
		}
		if ours.Notes() != nil {
			t.Errorf("%s: %q", name, ours.Notes())
		}
		one, other := treeLines(ours.open()), treeLines(theirs.open())
		for i := range one { // lines are not kept
			one[i] = withoutLine(one[i])
		}
		for i := range other {
			other[i] = withoutLine(other[i])
		}
		if !slices.Equal(one, other) {
			differ(t, name, one, other)
		}
		files, attrs = files+1, attrs+len(one)
		if ours.Identity() != theirs.Identity() {
			t.Errorf("%s: %+v, %+v", name, ours.Identity(), theirs.Identity())
		}
	}
	if files < 20 || attrs < 500 {
		t.Errorf("%d files with %d lines were compared", files, attrs)
	}
	inAPK, err := readTable(member(t, apk, "resources.arsc"))
	if err != nil {
		t.Fatal(err)
	}
	inBundle := &protoTable{data: member(t, bundle, "base/resources.pb")}
	if inBundle.Notes() != nil {
		t.Errorf("%q", inBundle.Notes())
	}
	one, other := bundleStrings(t, inBundle), tableStrings(inAPK)
	if !slices.Equal(one, other) || len(one) < 500 {
		differ(t, "resources", one, other)
	}
	resolve := protoNames(inBundle.data)
	inAPK.visit(func(r *resource) bool {
		if id := inAPK.id(r); inAPK.name(r) != resolve(id) || inAPK.resolve(id) != inAPK.name(r) {
			t.Errorf("%08x is %s, %s, %s", id, inAPK.name(r), resolve(id), inAPK.resolve(id))
		}
		return true
	})
}

func withoutLine(s string) string {
	if strings.HasPrefix(s, "E ") {
		s = s[:strings.LastIndexByte(s, ' ')]
	}
	return s
}

// tableStrings are the strings of a table with what holds them; file names differ.
func tableStrings(x *table) (lines []string) {
	x.visit(func(r *resource) bool {
		if text := x.pool.text(r.value.data); r.value.kind == typeString && text != "" && !strings.HasPrefix(text, "res/") {
			lines = append(lines, x.section(r)+" "+x.pool.text(r.value.data))
		}
		return true
	})
	slices.Sort(lines)
	return lines
}

// bundleStrings are the same of a bundle's, by the places of its texts.
func bundleStrings(t *testing.T, x *protoTable) (lines []string) {
	x.Texts(func(text reading.Text) bool {
		p := x.Place(text.Start, text.End)
		if p.LiteralStart != text.Start || p.LiteralEnd != text.End {
			t.Errorf("%q has wrong bounds: %+v", text.Value, p)
		}
		if !bytes.HasPrefix(text.Value, []byte("res/")) {
			lines = append(lines, p.Section+" "+string(text.Value))
		}
		return true
	})
	slices.Sort(lines)
	return lines
}

// TestTextIsXML reads what Text makes of every compiled XML with the standard reader.
func TestTextIsXML(t *testing.T) {
	for _, name := range []string{"settings", "api-demos"} {
		apk := artefact(t, "apk/"+name+".apk")
		resolve, err := Names(member(t, apk, "resources.arsc"))
		if err != nil {
			t.Fatal(err)
		}
		named := 0
		for _, in := range members(t, apk) {
			data := member(t, apk, in)
			if !isBinaryXML("", data) {
				continue
			}
			text, err := TextWith(data, resolve)
			if err != nil {
				t.Fatal(in, err)
			}
			d := xml.NewDecoder(bytes.NewReader(text))
			for {
				if _, err := d.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("%s: %v\n%s", in, err, text)
				}
			}
			named += bytes.Count(text, []byte(`"@string/`))
			if bytes.Contains(text, []byte(`"@0x7f`)) {
				t.Errorf("%s: a reference has no name", in)
			}
		}
		if named == 0 && name != "settings" {
			t.Errorf("%s: no reference was resolved", name)
		}
	}
}
