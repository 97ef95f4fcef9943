package resources

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

var update = flag.Bool("update", false, "rewrite testdata/aapt2.txt with what aapt2 says")

const artefacts = "../../bin/artefacts"

// artefact returns the path of a file that `make artefacts` makes. An app bundle takes aapt2,
// which not every machine has: it is made by itself.
func artefact(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(artefacts, name)
	if _, err := os.Stat(path); err != nil {
		if filepath.Ext(name) == ".aab" {
			t.Skip("run `locate/artefacts/make.sh android` first, which needs aapt2: " + err.Error())
		}
		t.Skip("run `make artefacts` first: " + err.Error())
	}
	return path
}

// archives are the files of archives that were read.
var archives sync.Map

// unpacked reads the resources of an archive: all files but its code, by their names.
func unpacked(t testing.TB, archive string) map[string][]byte {
	t.Helper()
	if files, ok := archives.Load(archive); ok {
		return files.(map[string][]byte)
	}
	z, err := zip.OpenReader(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	files := map[string][]byte{}
	for _, f := range z.File {
		if name := filepath.Ext(f.Name); name != ".xml" && name != ".arsc" && name != ".pb" {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	archives.Store(archive, files)
	return files
}

// member returns a file of an archive.
func member(t testing.TB, archive, name string) []byte {
	t.Helper()
	data, ok := unpacked(t, archive)[name]
	if !ok {
		t.Fatalf("%s has no %s", archive, name)
	}
	return data
}

// members are the names of the compiled XML of an archive.
func members(t testing.TB, archive string) (names []string) {
	t.Helper()
	for name := range unpacked(t, archive) {
		if filepath.Ext(name) == ".xml" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// measure is a number with a unit.
var measure = regexp.MustCompile(`^(-?[0-9.]+(?:e[-+]?[0-9]+)?)(dp|sp|px|pt|in|mm|%p?)?$`)

// plainValue writes values of aapt2 and of ours alike: numbers without zeros, words apart by one space.
func plainValue(s string) string {
	if m := measure.FindStringSubmatch(s); m != nil {
		if n, err := strconv.ParseFloat(m[1], 64); err == nil {
			return strconv.FormatFloat(n, 'g', 4, 64) + m[2]
		}
	}
	if n, ok := strings.CutPrefix(s, "0x"); ok {
		if v, err := strconv.ParseUint(n, 16, 32); err == nil {
			return fmt.Sprintf("0x%x", v)
		}
	}
	return strings.Join(strings.Fields(s), " ")
}

// oracleValue is plainValue of what aapt2 writes: measures below zero without their sign, and
// fractions of one as percents.
func oracleValue(s string) string {
	if m := measure.FindStringSubmatch(s); m != nil && m[2] != "" {
		n, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			return s
		}
		if n >= 1<<23 {
			n -= 1 << 24
		}
		if m[2][0] == '%' {
			if n > 1 { // it is below zero; no real one is above
				n -= 2
			}
			n *= 100
		}
		s = strconv.FormatFloat(n, 'g', -1, 64) + m[2]
	}
	return plainValue(s)
}

// treeLines is a tree as the oracle's lines are made: an element or an attribute each.
func treeLines(x *tree) (lines []string) {
	for i := range x.nodes {
		n := &x.nodes[i]
		if n.isText {
			lines = append(lines, "T "+strings.Join(strings.Fields(n.value.text), " "))
			continue
		}
		lines = append(lines, fmt.Sprintf("E %s %d", n.name, n.line))
		for j := range n.attrs {
			a := &n.attrs[j]
			name := a.name
			if a.space != "" {
				name = a.space + ":" + name
			}
			lines = append(lines, "A "+name+"="+plainValue(a.value.write(nil)))
		}
	}
	return lines
}

// oracleTree takes the lines of `aapt2 dump xmltree`.
func oracleTree(out string) (lines []string) {
	element := regexp.MustCompile(`^E: (?:.*:)?(\S+) \(line=(\d+)\)$`)
	attr := regexp.MustCompile(`(?s)^A: (.*?)(\(0x[0-9a-f]{8}\))?=(.*)$`)
	raw := regexp.MustCompile(`(?s)^"(.*)" \(Raw: "(.*)"\)$`)
	for _, line := range joinLines(out, regexp.MustCompile(`^ *[NEAT]: `)) {
		line = strings.TrimLeft(line, " ")
		if m := element.FindStringSubmatch(line); m != nil {
			lines = append(lines, "E "+m[1]+" "+m[2])
		} else if m := attr.FindStringSubmatch(line); m != nil {
			value := m[3]
			if r := raw.FindStringSubmatch(value); r != nil {
				value = plainValue(r[1])
			} else if q, ok := strings.CutPrefix(value, `"`); ok {
				value = plainValue(strings.TrimSuffix(q, `"`))
			} else {
				value = oracleValue(value)
			}
			lines = append(lines, "A "+m[1]+"="+value)
		} else if text, ok := strings.CutPrefix(line, "T: "); ok {
			lines = append(lines, "T "+strings.Join(strings.Fields(strings.Trim(text, "'")), " "))
		}
	}
	return lines
}

// joinLines puts lines of a text that has some in it together again.
func joinLines(out string, start *regexp.Regexp) (lines []string) {
	for _, line := range strings.Split(strings.TrimSuffix(out, "\n"), "\n") {
		if start.MatchString(line) || len(lines) == 0 {
			lines = append(lines, line)
		} else {
			lines[len(lines)-1] += "\n" + line
		}
	}
	return lines
}

// tableLines are the resources of a table: names, plain values, items of styles, sizes of bags.
func tableLines(t *table) (lines []string) {
	sizes := map[string]int{}
	var order []string
	t.visit(func(r *resource) bool {
		id := fmt.Sprintf("%08x", t.id(r))
		name := t.name(r)
		c := &t.packages[r.pack].chunks[r.chunk]
		config := "(" + configName(t.data[c.chunk.at+20:c.chunk.at+c.header]) + ")"
		if r.value.kind == typeString {
			r.value.text = t.pool.text(r.value.data)
		}
		v := plainValue(r.value.write(t.resolve))
		switch kind, _, _ := strings.Cut(name, "/"); {
		case kind == "id":
		case r.nth < 0:
			lines = append(lines, id+" "+config+" "+v)
		case kind == "attr":
		default:
			at := id + " " + config
			if sizes[at]++; sizes[at] == 1 {
				order = append(order, at)
			}
			if kind == "style" {
				lines = append(lines, fmt.Sprintf("%s %08x=%s", at, r.item, v))
			}
		}
		return true
	})
	for p := range t.packages {
		pack := &t.packages[p]
		for c := range pack.chunks {
			in := &pack.chunks[c]
			for n := range in.count {
				if _, index, ok := in.at(t.data, n); ok {
					key, _ := in.key(t.data, index)
					lines = append(lines, fmt.Sprintf("%08x %s/%s", pack.id<<24|uint32(in.id)<<16|uint32(index), pack.typeName(in.id), pack.keys.peek(key)))
				}
			}
		}
	}
	for _, at := range order {
		lines = append(lines, fmt.Sprintf("%s size=%d", at, sizes[at]))
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// oracleTable takes the lines of `aapt2 dump resources`.
func oracleTable(out string) (lines []string) {
	start := regexp.MustCompile(`^(Binary|Package|  type |    resource 0x|      \([^)]*\) |        \S+=|        \[)`)
	res := regexp.MustCompile(`^    resource 0x([0-9a-f]{8}) (\S+)`)
	val := regexp.MustCompile(`(?s)^      \(([^)]*)\) (.*)$`)
	item := regexp.MustCompile(`(?s)^        (?:\S*\()?0x([0-9a-f]{8})\)?=(.*)$`)
	id, at, inStyle := "", "", false
	for _, line := range joinLines(out, start) {
		if m := res.FindStringSubmatch(line); m != nil {
			id = m[1]
			lines = append(lines, id+" "+m[2])
		} else if m := val.FindStringSubmatch(line); m != nil {
			at, inStyle = id+" ("+m[1]+")", strings.HasPrefix(m[2], "(style)")
			v := m[2]
			kind, rest, _ := strings.Cut(v, ") ")
			switch {
			case v == "(id)" || kind == "(attr":
				continue
			case kind == "(style" || kind == "(array" || kind == "(plurals":
				if v = strings.Fields(rest)[0]; v == "size=0" {
					continue
				}
			case kind == "(file":
				v = strings.Fields(rest)[0]
			case kind == "(styled string":
				v = rest[1:strings.LastIndex(rest, `"`)]
			case strings.HasPrefix(v, `"`):
				v = v[1 : len(v)-1]
			default:
				v = oracleValue(v)
			}
			lines = append(lines, at+" "+plainValue(v))
		} else if m := item.FindStringSubmatch(line); m != nil && inStyle {
			v := oracleValue(m[2])
			if strings.HasPrefix(v, `"`) {
				v = v[1 : len(v)-1]
			}
			lines = append(lines, fmt.Sprintf("%s %s=%s", at, m[1], plainValue(v)))
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// digest is a line of the golden file.
func digest(lines []string) string {
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return fmt.Sprintf("%d lines %s", len(lines), hex.EncodeToString(sum[:8]))
}

// aapt2 runs the oracle.
func aapt2(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("aapt2", args...).Output() //nolint:gosec // the oracle, by hand alone
	if err != nil {
		t.Fatalf("aapt2 %q: %v", args, err)
	}
	return string(out)
}

// differ shows the first lines in which ours and the oracle's differ.
func differ(t *testing.T, what string, ours, theirs []string) {
	t.Helper()
	shown := 0
	for _, side := range []struct {
		name       string
		some, rest []string
	}{{"only ours", ours, theirs}, {"only aapt2's", theirs, ours}} {
		has := map[string]bool{}
		for _, l := range side.rest {
			has[l] = true
		}
		for _, l := range side.some {
			if !has[l] && shown < 20 {
				shown++
				t.Errorf("%s: %s: %q", what, side.name, l)
			}
		}
	}
}

// TestAgreesWithAapt2 holds every element, attribute, name and plain value of real APKs against
// aapt2: what it said is in testdata, and is written anew with -update, where it has to be
// installed.
func TestAgreesWithAapt2(t *testing.T) {
	const golden = "testdata/aapt2.txt"
	file, _ := os.ReadFile(golden)
	want := map[string]string{}
	for _, line := range strings.Split(string(file), "\n") {
		key, value, _ := strings.Cut(line, ": ")
		want[key] = value
	}
	var out []string
	for _, name := range []string{"settings", "api-demos", "selendroid-test-app", "contact-manager"} {
		apk := artefact(t, "apk/"+name+".apk")
		check := func(what string, ours []string, theirs func() []string) {
			if *update {
				said := theirs()
				differ(t, what, ours, said)
				want[what] = digest(said)
			}
			if got := digest(ours); got != want[what] {
				t.Errorf("%s: %s, aapt2 has %s", what, got, want[what])
			}
			out = append(out, what+": "+want[what])
		}
		resources, err := readTable(member(t, apk, "resources.arsc"))
		if err != nil {
			t.Fatal(err)
		}
		if notes := resources.Notes(); notes != nil {
			t.Errorf("%s: %q", name, notes)
		}
		check(name+" resources.arsc", tableLines(resources), func() []string { return oracleTable(aapt2(t, "dump", "resources", apk)) })
		var ours, theirs []string
		for _, in := range members(t, apk) {
			data := member(t, apk, in)
			if !isBinaryXML("", data) {
				continue
			}
			c, err := openBinaryXML(data)
			if err != nil {
				t.Fatal(in, err)
			}
			if notes := c.Notes(); notes != nil {
				t.Errorf("%s: %q", in, notes)
			}
			ours = append(ours, treeLines(c.open())...)
			if *update {
				theirs = append(theirs, oracleTree(aapt2(t, "dump", "xmltree", "--file", in, apk))...)
			}
		}
		check(name+" XML", ours, func() []string { return theirs })
	}
	if *update {
		if err := os.WriteFile(golden, []byte(strings.Join(out, "\n")+"\n"), 0o644); err != nil { //nolint:gosec // a golden
			t.Fatal(err)
		}
	}
}
