package script

import (
	"encoding/binary"
	"strings"
	"testing"
)

// ram writes a RAM bundle: the code that starts, and modules by number; an empty one is none.
func ram(startup string, modules ...string) []byte {
	var code []byte
	table := make([]byte, ramHeader, ramHeader+8*len(modules))
	binary.LittleEndian.PutUint32(table, ramMagic)
	binary.LittleEndian.PutUint32(table[4:], uint32(len(modules)))
	binary.LittleEndian.PutUint32(table[8:], uint32(len(startup)+1))
	code = append(code, startup+"\x00"...)
	for _, m := range modules {
		at, length := 0, 0
		if m != "" {
			at, length = len(code), len(m)+1
			code = append(code, m+"\x00"...)
		}
		table = binary.LittleEndian.AppendUint32(table, uint32(at))
		table = binary.LittleEndian.AppendUint32(table, uint32(length))
	}
	return append(table, code...)
}

// TestRAMBundle reads modules by the table, and counts lines in each.
func TestRAMBundle(t *testing.T) {
	t.Parallel()
	data := ram("start('s');\n", "__d(function(){\n  é='zero'},0,[2],'node_modules/a/b.js');", "", "__d(function(){ if( 'two")
	d, err := open("main.jsbundle", data)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]struct {
		id, name     string
		line, column int
	}{
		"'s'":   {"", "", 1, 7},
		"'zero": {"0", "node_modules/a/b.js", 2, 5},
		"'two":  {"2", "", 1, 21},
	} {
		i := strings.Index(string(data), text)
		p := d.Place(i, i+1)
		if p.Line != want.line || p.Column != want.column {
			t.Errorf("%s: line %d, column %d; want %d, %d", text, p.Line, p.Column, want.line, want.column)
		}
		switch {
		case (p.Module == nil) != (want.id == ""):
			t.Errorf("%s: module %+v", text, p.Module)
		case p.Module != nil && (p.Module.ID != want.id || p.Module.Name != want.name || data[p.Module.Start] != '_' || data[p.Module.End] != 0):
			t.Errorf("%s: module %+v, %q", text, p.Module, data[p.Module.Start:p.Module.End])
		}
	}
	if p := d.Place(4, 8); p.Line < 1 {
		t.Errorf("in the table: %+v", p)
	}
}

// TestRAMBundleOfItsMap finds where a module was written: its map counts lines from an offset.
func TestRAMBundleOfItsMap(t *testing.T) {
	t.Parallel()
	data := ram("s", "__d(function(){\n'zero'},0,[]);", "__d(function(){\n'one'},1,[]);")
	m, err := OpenMap("x.map", []byte(`{"version":3,"sources":["a.js"],"mappings":";;;;;AACA;;AACA","x_facebook_offsets":[4,6]}`))
	if err != nil {
		t.Fatal(err)
	}
	d, err := open("main.jsbundle", data)
	if err != nil {
		t.Fatal(err)
	}
	i := strings.Index(string(data), "'one'")
	if p := d.WithMap(m).Place(i, i+1); p.Source == nil || p.Source.Line != 3 {
		t.Errorf("source: %+v", p.Source)
	}
}

// TestDamagedRAMBundles names what is wrong, and where.
func TestDamagedRAMBundles(t *testing.T) {
	t.Parallel()
	whole := ram("s", "__d()")
	with := func(at int, value uint32) []byte {
		data := append([]byte(nil), whole...)
		binary.LittleEndian.PutUint32(data[at:], value)
		return data
	}
	for want, data := range map[string][]byte{
		"7 bytes, its header has 12": whole[:7],
		"its table has 4294967295 modules, the file (0x1c bytes) has room for 2":           with(4, 0xffffffff),
		"the code that starts has 0xffffffff bytes, beyond the end":                        with(8, 0xffffffff),
		"module 0 stands at 0x100000013 to 0x100000019, beyond the end of the file (0x1c)": with(12, 0xffffffff),
		"module 0 stands at 0x16 to 0x100000015, beyond the end of the file (0x1c)":        with(16, 0xffffffff),
	} {
		_, err := open("a.jsbundle", data)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
