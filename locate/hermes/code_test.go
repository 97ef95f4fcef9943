package hermes

import (
	"fmt"
	"slices"
	"testing"

	"telltale/locate/reading"
)

// Ids of the strings of the program netinfo.
const (
	idGlobal = iota
	idDefine
	idURL
	idConfigure
	idReachabilityURL
	idTimeout
	idDefaults
	idScheme
	idHost
	idPath
	idConcat
	idJoin
	idEmpty
	idDynamic
)

// netinfo is a bundle of Metro's with three modules: 7 has a library's defaults, 8 sets
// something else, 9 puts addresses together.
func netinfo(t testing.TB, version int) program {
	p := program{
		version: version,
		strings: []string{
			"global", "__d", "https://clients3.google.com/generate_204", "configure", "reachabilityUrl", "reachabilityLongTimeout",
			"defaults", "https://", "clients4.", "example/x", "concat", "join", "", "dynamic",
		},
		// strings 2, 9 and 8, of 2 bytes each; then the number 60000
		arrays: []byte{0x53, idScheme, 0, idHost, 0, idPath, 0},
	}
	p.functions = []routine{
		{name: idGlobal, frame: 20, code: globalCode(t, version)},
		{name: idEmpty, frame: 12, code: emit(t, version).op("CreateClosure", 0, 0, 4).op("Ret", 0).code},
		{name: idEmpty, frame: 12, code: configureCode(t, &p), large: true},
		{name: idEmpty, frame: 12, code: joiningCode(t, version)},
		{name: idDefaults, frame: 12, code: defaultsCode(t, &p)},
	}
	return p
}

// globalCode defines the modules 7 and 8 by a call that names its registers, 9 by one that
// does not.
func globalCode(t testing.TB, version int) []byte {
	e := emit(t, version)
	e.op("GetGlobalObject", 0).op("LoadConstUndefined", 2).op("TryGetById", 1, 0, 1, idDefine)
	for i, factory := range []int{1, 2} {
		e.op("CreateClosure", 3, 0, factory).op("LoadConstUInt8", 4, 7+i).op("NewArray", 5, 0).op("Call4", 6, 1, 2, 3, 4, 5)
	}
	// The frame has 20 registers, its arguments end at 13.
	e.op("CreateClosure", 12, 0, 3).op("LoadConstUInt8", 11, 9).op("NewArray", 10, 0).op("LoadConstString", 9, idDynamic).op("Mov", 13, 2)
	return e.op("Call", 6, 1, 5).op("Ret", 2).code
}

// literalObject appends an instruction that makes an object of literals.
func (p *program) literalObject(e *emitter, register int, keys, values []byte, count int) {
	if p.version >= 98 {
		p.shapes = append(p.shapes, [2]uint32{uint32(len(p.keys)), uint32(count)})
		e.op("NewObjectWithBuffer", register, len(p.shapes)-1, len(p.arrays))
		p.arrays = append(p.arrays, values...)
	} else {
		e.op("NewObjectWithBuffer", register, count, count, len(p.keys), len(p.values))
		p.values = append(p.values, values...)
	}
	p.keys = append(p.keys, keys...)
}

// defaultsCode is {reachabilityUrl: "https://clients3…", reachabilityLongTimeout: 60000}.
func defaultsCode(t testing.TB, p *program) []byte {
	e := emit(t, p.version)
	p.literalObject(e, 0, []byte{0x52, idReachabilityURL, 0, idTimeout, 0}, []byte{0x51, idURL, 0, 0x71, 0x60, 0xea, 0, 0}, 2)
	return e.op("Ret", 0).code
}

// configureCode is NetInfo.configure({reachabilityUrl: "", reachabilityLongTimeout: f()}).
func configureCode(t testing.TB, p *program) []byte {
	e := emit(t, p.version)
	e.op("LoadParam", 1, 1).op("GetByIdShort", 2, 1, 0, idConfigure)
	p.literalObject(e, 3, []byte{0x52, idReachabilityURL, 0, idTimeout, 0}, []byte{0x51, idEmpty, 0, 0x01}, 2)
	e.op("JmpTrue", 3, 1) // over nothing: the object is known behind it
	e.op("Call1", 4, 1, 1)
	if p.version >= 98 {
		e.op("PutOwnBySlotIdx", 3, 4, 1)
	} else {
		e.op("PutById", 3, 4, 0, idTimeout)
	}
	return e.op("Call2", 4, 2, 1, 3).op("Ret", 4).code
}

// joiningCode puts addresses together in each way, and some that cannot be known.
func joiningCode(t testing.TB, version int) []byte {
	e := emit(t, version)
	e.op("LoadConstString", 0, idScheme).op("LoadConstString", 1, idHost).op("LoadConstString", 2, idPath)
	e.op("Add", 3, 0, 1).op("Add", 3, 3, 2)                                    // added
	e.op("GetByIdShort", 4, 0, 0, idConcat).op("Call3", 5, 4, 0, 2, 1)         // concat
	e.op("NewArrayWithBuffer", 6, 3, 3, 0).op("GetByIdShort", 4, 6, 0, idJoin) // join
	e.op("LoadConstString", 7, idEmpty).op("Call2", 5, 4, 6, 7)
	e.op("LoadConstUInt8", 8, 80).op("Add", 3, 1, 8)       // a number
	e.op("LoadParam", 9, 1).op("Add", 3, 9, 1)             // unknown
	e.op("JmpTrue", 7, 9).op("LoadConstString", 0, idHost) // set on one of two ways
	e.op("Add", 3, 0, 2).op("Add", 3, 1, 2).op("Catch", 3) // so only the second is known
	return e.op("Add", 3, 1, 2).op("Ret", 3).code          // nothing is known in a handler
}

func TestModules(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		b := open(t, netinfo(t, version).bytes())
		p := b.Place(b.string(idURL).start+8, b.string(idURL).start+27)
		if p.Module == nil || p.Module.ID != "7" || len(p.Users) != 1 || p.More != 0 {
			t.Fatalf("version %d: %+v", version, p)
		}
		f := b.functions[4]
		if u := p.Users[0]; u.Name != "defaults" || u.Offset != f.address || !slices.Equal(u.Strings, []string{"reachabilityUrl", "reachabilityLongTimeout"}) {
			t.Errorf("version %d: %+v, want the offset %d", version, u, f.address)
		}
		p = b.Place(b.string(idHost).start, b.string(idHost).end)
		if p.Module == nil || p.Module.ID != "9" || p.Module.Name != "dynamic" || p.Users[0].Name != "function 3 of module 9" {
			t.Errorf("version %d: %+v", version, p)
		}
		if p = b.Place(b.string(idDynamic).start, b.string(idDynamic).end); p.Module != nil || p.Users[0].Name != "global" {
			t.Errorf("version %d: %+v", version, p)
		}
		code := b.functions[2].code
		if p = b.Place(code.start, code.start+1); p.Section != "code" || len(p.Users) != 1 || p.Users[0].Name != "function 2 of module 8" {
			t.Errorf("version %d: %+v", version, p)
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		b := open(t, netinfo(t, version).bytes())
		got := ""
		for _, s := range b.Settings([]string{"reachabilityUrl", "reachabilityLongTimeout", "absent", ""}) {
			got += fmt.Sprintf("%s=%q %v %s; ", s.Name, s.Value, s.Known, s.Call)
			if s.Value == "https://clients3.google.com/generate_204" && string(b.data[s.Start:s.End]) != s.Value {
				t.Errorf("version %d: the value stands at %d", version, s.Start)
			}
		}
		want := `reachabilityUrl="" true configure; reachabilityLongTimeout="" false configure; ` +
			`reachabilityUrl="https://clients3.google.com/generate_204" true ; reachabilityLongTimeout="60000" true ; `
		if got != want {
			t.Errorf("version %d: %s, want %s", version, got, want)
		}
		if b.Settings(nil) != nil || b.Settings([]string{"absent"}) != nil {
			t.Errorf("version %d: settings of names that it does not have", version)
		}
	}
}

// TestAssignments has constants that are assigned to a property of something unknown.
func TestAssignments(t *testing.T) {
	t.Parallel()
	p := program{version: 90, strings: []string{"url", "key", "https://a.example/", "run"}}
	e := emit(t, 90)
	e.op("LoadParam", 0, 1).op("LoadConstString", 1, 2).op("PutById", 0, 1, 0, 0)
	e.op("LoadParam", 2, 2).op("PutById", 0, 2, 0, 0) // of a value that is not known
	e.op("NewObject", 3).op("LoadConstFalse", 4).op("PutNewOwnByIdShort", 3, 4, 0)
	e.op("LoadConstString", 5, 1).op("LoadConstInt", 6, -2).op("PutByVal", 3, 5, 6)
	e.op("GetByIdShort", 7, 0, 0, 3).op("Call2", 8, 7, 0, 3).op("Ret", 8)
	p.functions = []routine{{code: e.code}}
	got := ""
	for _, s := range open(t, p.bytes()).Settings([]string{"url", "key"}) {
		got += fmt.Sprintf("%s=%q %v %s; ", s.Name, s.Value, s.Known, s.Call)
	}
	if want := `url="https://a.example/" true ; url="false" true run; key="-2" true run; `; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestJoined(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		data := netinfo(t, version).bytes()
		var got []string
		open(t, data).Joined(func(j reading.Joined) bool {
			got = append(got, fmt.Sprintf("%v %s: %s", j.Sure, j.How, j.Value))
			for i, p := range j.Parts {
				end := len(j.Value)
				if i+1 < len(j.Parts) {
					end = j.Parts[i+1].At
				}
				if text := string(j.Value[p.At:end]); text != "80" && text != string(data[p.Start:p.End]) {
					t.Errorf("version %d: part %q stands at %d", version, text, p.Start)
				}
			}
			return true
		})
		want := []string{
			"true strings added up: https://clients4.example/x",
			"true strings put together by concat: https://example/xclients4.",
			"true strings of an array, put together by join: https://clients4.example/x",
			"true strings added up: clients4.80",
			"true strings added up: clients4.example/x",
			"false strings of one function, in their order: https://clients4.example/xhttps://clients4.example/xclients4.",
		}
		if !slices.Equal(got, want) {
			t.Errorf("version %d:\n%q\nwant\n%q", version, got, want)
		}
	}
}

func TestJoinedStops(t *testing.T) {
	t.Parallel()
	for stop := range 5 {
		seen := 0
		open(t, netinfo(t, 96).bytes()).Joined(func(reading.Joined) bool { seen++; return seen <= stop })
		if seen != stop+1 {
			t.Errorf("visited %d, want %d", seen, stop+1)
		}
	}
}

// TestSharedCode has two functions with the same code: both use a string, and what it joins is
// told once.
func TestSharedCode(t *testing.T) {
	t.Parallel()
	p := program{version: 96, strings: []string{"one", "two", "https://", "host.example"}}
	code := emit(t, 96).op("LoadConstString", 0, 2).op("LoadConstString", 1, 3).op("Add", 0, 0, 1).op("Ret", 0).code
	p.functions = []routine{{name: 0, code: code}, {name: 1, code: code}}
	data := p.bytes()
	copy(data[headerSize+16:headerSize+19], data[headerSize:headerSize+3]) // the start of the code
	b := open(t, data)
	names := []string{}
	for _, u := range b.Place(b.string(3).start, b.string(3).end).Users {
		names = append(names, fmt.Sprint(u.Name, u.Offset))
	}
	if want := []string{"one4", fmt.Sprint("two", 4+len(code))}; !slices.Equal(names, want) {
		t.Errorf("users %q, want %q", names, want)
	}
	count := 0
	b.Joined(func(reading.Joined) bool { count++; return true })
	if count != 2 {
		t.Errorf("joined %d", count)
	}
}

// TestSwitchOverStrings has strings that are nothing but the cases of a switch.
func TestSwitchOverStrings(t *testing.T) {
	t.Parallel()
	for _, version := range []int{98, 99} {
		p := program{version: version, strings: []string{"choose", "one.example", "two.example", "three.example"}}
		e := emit(t, version).op("LoadParam", 0, 1)
		at := len(e.code)
		e.op("StringSwitchImm", 0, 0, 0, 8, 2).op("Ret", 0)
		behind := len(e.code) - at
		e.code = emit(t, version).op("LoadParam", 0, 1).op("StringSwitchImm", 0, 0, behind, 8, 2).op("Ret", 0).code
		p.functions = []routine{{name: 0, code: e.code, table: []uint32{1, 4, 3, 8, 2, 8}}}
		b := open(t, p.bytes())
		for id, want := range []int{0, 1, 0, 1} {
			if got := len(b.usesOf(id)); got != want {
				t.Errorf("version %d: %q has %d users, want %d", version, b.text(id), got, want)
			}
		}
	}
}

// TestAssign has an object whose settings go into another one before it is handed over.
func TestAssign(t *testing.T) {
	t.Parallel()
	p := program{version: 94, strings: []string{"url", "assign", "configure", ""}}
	e := emit(t, 94)
	e.op("LoadParam", 0, 1).op("NewObject", 1).op("LoadConstString", 2, 3).op("PutNewOwnByIdShort", 1, 2, 0)
	e.op("NewObject", 3).op("GetByIdShort", 4, 0, 0, 1).op("Call4", 5, 4, 0, 3, 0, 1) // Object.assign({}, x, {url: ""})
	e.op("GetByIdShort", 6, 0, 0, 2).op("Call2", 7, 6, 0, 5).op("Ret", 7)
	p.functions = []routine{{code: e.code}}
	got := open(t, p.bytes()).Settings([]string{"url"})
	if len(got) != 1 || got[0].Call != "configure" || !got[0].Known || got[0].Value != "" {
		t.Errorf("%+v", got)
	}
}
