package dex

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"telltale/locate/reading"
)

const (
	stringBuilder = "Ljava/lang/StringBuilder;"
	intrinsics    = "Lkotlin/jvm/internal/Intrinsics;"
)

// builder is code that appends registers to a builder in register 0, which it makes first.
type builder struct {
	p    *pool
	code []uint16
}

func newBuilder(p *pool) *builder {
	b := &builder{p: p}
	return b.do(newInstance(0, p.typ(stringBuilder)), invoke(0x70, p.method(stringBuilder, "<init>", "V"), 0))
}

func (b *builder) do(parts ...[]uint16) *builder {
	b.code = append(b.code, join(parts...)...)
	return b
}

func (b *builder) text(s string) *builder {
	return b.do(constString(1, b.p.str(s))).register("LL")
}

// register appends register 1, by a method with a shorty.
func (b *builder) register(shorty string) *builder {
	return b.do(invoke(opInvokeVirtual, b.p.method(stringBuilder, "append", shorty), 0, 1), moveResult(0))
}

func (b *builder) end() []uint16 {
	return b.do(invoke(opInvokeVirtual, b.p.method(stringBuilder, "toString", "L"), 0), moveResult(2), returnVoid).code
}

// unknownText makes register 1 something that is not known.
func (b *builder) unknownText() *builder {
	return b.do(invoke(opInvokeStatic, b.p.method("Lcom/x/Y;", "get", "L")), moveResult(1))
}

func TestWhatCodeAddsUp(t *testing.T) {
	for name, c := range map[string]struct {
		code func(p *pool) []uint16
		want []string
	}{
		"a chain": {func(p *pool) []uint16 {
			return newBuilder(p).text("https://").text("clients3.").text("google.com").end()
		}, []string{"https://clients3.google.com"}},
		"a character and a number": {func(p *pool) []uint16 {
			b := newBuilder(p).text("host").do([]uint16{0x0113, ':'}).register("LC")
			return b.do([]uint16{0x0113, 8080}).register("LI").text("/x").end()
		}, []string{"host:8080/x"}},
		"a gap": {func(p *pool) []uint16 {
			return newBuilder(p).text("a.").text("b").unknownText().register("LL").text("c.").text("d").end()
		}, []string{"a.b", "c.d"}},
		"an unknown number": {func(p *pool) []uint16 {
			return newBuilder(p).text("a.").text("b").unknownText().register("LI").text("c").end()
		}, []string{"a.b"}},
		"a text given to the constructor": {func(p *pool) []uint16 {
			b := &builder{p: p}
			b.do(newInstance(0, p.typ(stringBuilder)), constString(1, p.str("x.")), invoke(0x70, p.method(stringBuilder, "<init>", "VL"), 0, 1))
			return b.text("example").end()
		}, []string{"x.example"}},
		"String.concat": {func(p *pool) []uint16 {
			return join(constString(0, p.str("one.")), constString(1, p.str("two")), invoke(opInvokeVirtual, p.method("Ljava/lang/String;", "concat", "LL"), 0, 1), moveResult(0),
				constString(1, p.str(".three")), invoke(opInvokeVirtual, p.method("Ljava/lang/String;", "concat", "LL"), 0, 1), moveResult(0), returnVoid)
		}, []string{"one.two.three"}},
		"Kotlin's plus": {func(p *pool) []uint16 {
			return join(constString(0, p.str("k.")), constString(1, p.str("plus")), invoke(opInvokeStatic, p.method(intrinsics, "stringPlus", "LLL"), 0, 1), moveResult(0), returnVoid)
		}, []string{"k.plus"}},
		"a constant of another class": {func(p *pool) []uint16 {
			return newBuilder(p).do([]uint16{0x0100 | opSgetObject, p.field("Lcom/x/Config;", "Ljava/lang/String;", "BASE")}).register("LL").text("/up").end()
		}, []string{"base.example/up"}},
		"a variable of another class": {func(p *pool) []uint16 {
			return newBuilder(p).do([]uint16{0x0100 | opSgetObject, p.field("Lcom/x/Config;", "Ljava/lang/String;", "VAR")}).register("LL").text("/up").end()
		}, nil},
		"a branch between": {func(p *pool) []uint16 {
			b := newBuilder(p).text("before.")
			b.do([]uint16{0x0338, 2}) // if-eqz v3, to the next instruction
			return b.text("after.").text("all").end()
		}, []string{"after.all"}},
		"a builder that others get": {func(p *pool) []uint16 {
			b := newBuilder(p).text("a.").text("b")
			b.do(invoke(opInvokeStatic, p.method("Lcom/x/Y;", "take", "VL"), 0))
			return b.text("c").end()
		}, []string{"a.b"}},
		"a register that was overwritten": {func(p *pool) []uint16 {
			b := newBuilder(p).text("a.").do(constString(1, p.str("b")), []uint16{0x017b}) // neg-int v1, v0
			return b.register("LL").text("c.").text("d").end()
		}, []string{"c.d"}},
		"behind a throw": {func(p *pool) []uint16 {
			return newBuilder(p).text("a.").do([]uint16{0x0300 | opThrow}).text("b").end()
		}, nil},
		"a builder that a field gets": {func(p *pool) []uint16 {
			b := newBuilder(p).text("a.").do([]uint16{opSputObject, p.field("Lcom/x/Config;", "Ljava/lang/Object;", "SINK")})
			return b.text("b").end()
		}, nil},
		"a wide value over a register": {func(p *pool) []uint16 {
			b := newBuilder(p).text("a.").do([]uint16{0x0307 | 2<<12}) // keep register 2 out of it
			return b.do(constString(5, p.str("b")), []uint16{0x0416, 7}, []uint16{0x5107}).register("LL").text("c.").text("d").end()
		}, []string{"c.d"}},
		"a case of a switch": {func(p *pool) []uint16 {
			b := newBuilder(p).text("a.")
			// sparse-switch v3 with one case: the instruction behind it; its table is at the end.
			at := len(b.code)
			b.do([]uint16{0x032c, 0, 0}).text("b").end()
			if len(b.code)%2 == 1 {
				b.do([]uint16{opNop})
			}
			b.code[at+1] = uint16(len(b.code) - at)
			return b.do([]uint16{0x0200, 1, 9, 0, 3, 0}).code
		}, nil},
		"an inner sum": {func(p *pool) []uint16 {
			b := newBuilder(p).text("in.").text("ner")
			b.do(invoke(opInvokeVirtual, p.method(stringBuilder, "toString", "L"), 0), moveResult(1))
			b.do(newInstance(0, p.typ(stringBuilder)), invoke(0x70, p.method(stringBuilder, "<init>", "V"), 0)).register("LL")
			return b.text(".outer").end()
		}, []string{"in.ner.outer"}},
		"doubling": {func(p *pool) []uint16 {
			b := newBuilder(p).text("x")
			for range 100 {
				b.do(invoke(opInvokeVirtual, p.method(stringBuilder, "toString", "L"), 0), moveResult(1)).register("LL")
			}
			return b.end()
		}, nil}, // told apart below
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, write("035", 0, nil,
				classSpec{name: "Lcom/x/Config;", statics: []staticSpec{{"BASE", "base.example", true}, {"VAR", "var.example", false}}},
				classSpec{name: "Lcom/x/Main;", methods: []methodSpec{{name: "run", code: c.code}}}))
			var got []string
			d.Joined(func(j reading.Joined) bool {
				if j.Sure {
					got = append(got, string(j.Value))
					checkParts(t, d, j)
				}
				return true
			})
			if name == "doubling" {
				if len(got) != 1 || len(got[0]) > maxPieces {
					t.Errorf("%d sums", len(got))
				}
				return
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// checkParts compares the parts of a joined text with the file.
func checkParts(t *testing.T, d *document, j reading.Joined) {
	t.Helper()
	for _, part := range j.Parts {
		if in := d.data[part.Start:part.End]; !slices.Equal(in, j.Value[part.At:part.At+len(in)]) {
			t.Errorf("part %v of %q is %q", part, j.Value, in)
		}
	}
}

func TestNeighboursOfAMethodAndAClass(t *testing.T) {
	d := open(t, write("035", 0, nil, classSpec{
		name:    "Lcom/x/Main;",
		statics: []staticSpec{{"A", "static.", true}, {"B", "host", false}},
		methods: []methodSpec{loading("m", "https://", "clients3.", "google.com"), loading("n", "alone"), loading("o", "cut.", strings.Repeat("long", maxJoinPart), "off")},
	}))
	var got []string
	d.Joined(func(j reading.Joined) bool {
		got = append(got, fmt.Sprintf("%s: %s, %v", j.How, j.Value, j.Sure))
		checkParts(t, d, j)
		return true
	})
	want := []string{"values of one class's static fields, in their order: static.host, false", "strings of one method, in their order: https://clients3.google.com, false"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	n := 0
	d.Joined(func(reading.Joined) bool { n++; return false })
	if n != 1 {
		t.Errorf("visited %d after it was told to stop", n)
	}
}

func TestSettings(t *testing.T) {
	const options = "Lcom/x/Options$Builder;"
	d := open(t, write("035", 0, nil, classSpec{
		name:    "Lcom/x/Main;",
		statics: []staticSpec{{"reachabilityUrl", "https://static.example", true}},
		methods: []methodSpec{{name: "run", code: func(p *pool) []uint16 {
			b := &builder{p: p}
			return b.do(
				constString(1, p.str("https://own.example")), invoke(opInvokeVirtual, p.method(options, "reachabilityUrl", "LL"), 0, 1),
				const4(1, 0), invoke(opInvokeVirtual, p.method(options, "setEnabled", "VZ"), 0, 1),
				const4(1, 7), invoke(opInvokeStatic, p.method(options, "setEnabled", "VI"), 1),
				const4(1, 0), const4(2, 0), invoke(opInvokeStatic, p.method(options, "setEnabled", "VJ"), 1, 2),
				const4(1, 0), invoke(opInvokeVirtual, p.method(options, "reachabilityUrl", "LL"), 0, 1),
				constString(1, p.str("enabled")), const4(2, 1), invoke(opInvokeInterface, p.method("Ljava/util/Map;", "put", "LLZ"), 0, 1, 2),
				constString(1, p.str("field")), []uint16{0x0100 | opSputObject, p.field("Lcom/x/Z;", "Ljava/lang/String;", "reachabilityUrl")},
			).unknownText().do(invoke(opInvokeVirtual, p.method(options, "reachabilityUrl", "LL"), 0, 1), returnVoid).code
		}}},
	}))
	want := []string{
		"reachabilityUrl=https://static.example true com.x.Main.reachabilityUrl",
		"reachabilityUrl=https://own.example true com.x.Options$Builder.reachabilityUrl",
		"enabled=false true com.x.Options$Builder.setEnabled",
		"enabled=7 true com.x.Options$Builder.setEnabled",
		"reachabilityUrl=null true com.x.Options$Builder.reachabilityUrl",
		"enabled=true true java.util.Map.put",
		"reachabilityUrl=field true com.x.Z.reachabilityUrl",
		"reachabilityUrl= false com.x.Options$Builder.reachabilityUrl",
	}
	var got []string
	for _, s := range d.Settings([]string{"reachabilityUrl", "enabled", "missing", ""}) {
		got = append(got, fmt.Sprintf("%s=%s %v %s", s.Name, s.Value, s.Known, s.Call))
		if s.Known && s.Value == "field" && string(d.data[s.Start:s.End]) != "field" {
			t.Errorf("%+v is not where the value stands", s)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if s := d.Settings([]string{"missing"}); s != nil {
		t.Error(s)
	}
}
