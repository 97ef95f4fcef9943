package script

import (
	"testing"

	"telltale/locate/reading"
)

// everything asks a file all that can be asked.
func everything(data []byte, m *Map) {
	opened, err := Open("a.js", data)
	if err != nil {
		return
	}
	d := opened.(*Doc).WithMap(m)
	_, _, _ = d.Kind(), d.Notes(), d.MapName()
	n := 0
	d.Texts(func(t reading.Text) bool { n += len(t.Value); return true })
	d.Joined(func(j reading.Joined) bool { n += len(j.Value); return true })
	d.Settings([]string{"reachabilityUrl", "a", "x"})
	for i := range 64 {
		p := d.Place(i*len(data)/64, i*len(data)/64+1)
		d.Packages(p.Module)
		d.Requires(p.Module)
	}
}

// FuzzOpen holds that no file makes a reader panic, or point beyond its end.
func FuzzOpen(f *testing.F) {
	for _, seed := range []string{
		"var __BUNDLE_START_TIME__=1;\n__d(function(g,r,i,a,m,e,d){e.default={reachabilityUrl:'https://a.b/c'}},424,[1,\"x\"],\"node_modules/a/b.js\");",
		"\xe5\xd1\x0b\xfb\x01\x00\x00\x00\x03\x00\x00\x00\x03\x00\x00\x00\x05\x00\x00\x00a;\x00__d()\x00",
		"webpackJsonp.push([[0],{12:function(e,t){e.exports=JSON.parse('{\"name\":\"a\",\"version\":\"1.0.0\"}')},\"./a.js\":(e)=>{}}])",
		"var h=\"a.b\";x(`${h}/c${'d'}`+'e'.concat(h,'\\x63'),['a','b','com'].join('.'))",
		"/*! a v1.2.3 */ // node_modules/a/b.js\n(0,r(d[1]).configure)({a,x:!0,reachabilityUrl:`y`})",
		"//# sourceMappingURL=data:application/json;base64,e30=",
		"({[`${/]/}`]:<a>'</a>})",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		everything(data, nil)
		d, err := open("a.bundle", data)
		if err != nil {
			return
		}
		within := func(what string, start, end int) {
			if start < 0 || end < start || end > len(data) {
				t.Fatalf("%s at %d to %d, in %d bytes", what, start, end, len(data))
			}
		}
		d.Texts(func(x reading.Text) bool { within("text", x.Start, x.End); return true })
		d.Joined(func(j reading.Joined) bool {
			for _, p := range j.Parts {
				within("part", p.Start, p.End)
			}
			return true
		})
		for _, s := range d.Settings([]string{"a", "x", "reachabilityUrl"}) {
			within("setting", s.Start, s.End)
		}
		last := int32(0)
		for _, m := range d.indexed().modules {
			within("module", int(m.start), int(m.end))
			if m.start < last && d.ram == nil {
				t.Fatalf("module at %d begins in the one before, which ends at %d", m.start, last)
			}
			last = m.end
		}
	})
}

// FuzzMap holds that no source map makes the reader panic.
func FuzzMap(f *testing.F) {
	for _, seed := range []string{
		`{"version":3,"sources":["a.js",null],"sourcesContent":["b\nc"],"names":["d"],"mappings":"AAAAA;;CAAC,EAAA"}`,
		`{"version":3,"sections":[{"offset":{"line":1,"column":2},"map":{"version":3,"sources":["a"],"mappings":"AAAA"}}]}`,
		`)]}'` + "\n" + `{"version":3,"sources":["a"],"mappings":"AAAA","x_facebook_sources":[[{"names":["f"],"mappings":"AAA;CC"}]],"x_facebook_offsets":[0,null,3]}`,
		`{"mappings":"gggggggggggggggB"}`,
	} {
		f.Add([]byte(seed), 1, 0)
	}
	f.Fuzz(func(t *testing.T, data []byte, line, column int) {
		m, err := OpenMap("a.map", data)
		if err != nil {
			return
		}
		m.Files()
		for l := range 4 {
			if s := m.At(l, l*3); s != nil && (s.Line < 1 || s.Column < 1) {
				t.Fatalf("line %d, column %d", s.Line, s.Column)
			}
		}
		m.At(line, column)
		everything([]byte("a='b';\nc"), m)
	})
}
