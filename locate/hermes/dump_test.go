package hermes

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"telltale/guard/raced"
	"telltale/locate/reading"
)

// artefacts is where `make artefacts` puts what the compilers of npm make.
const artefacts = "../../bin/artefacts/hermes"

// artefact reads a file that `make artefacts` made.
func artefact(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(artefacts, name))
	if err != nil {
		t.Skipf("run `make artefacts` first: %v", err)
	}
	return data
}

func open(t testing.TB, data []byte) *Bytecode {
	t.Helper()
	d, err := Open("main.jsbundle", data)
	if err != nil {
		t.Fatal(err)
	}
	return d.(*Bytecode)
}

// TestCompilersDump compares strings, instructions and debug information of every file with
// what the compiler that made it says of it.
func TestCompilersDump(t *testing.T) {
	t.Parallel()
	dumps, err := filepath.Glob(filepath.Join(artefacts, "*.txt"))
	if err != nil || len(dumps) == 0 {
		t.Skip("run `make artefacts` first: there are no dumps of Hermes bytecode")
	}
	for _, dump := range dumps {
		name := strings.TrimSuffix(filepath.Base(dump), ".txt")
		if raced.Detector && name != "v96" && !strings.HasPrefix(name, "strings-") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := os.Open(dump)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			d := newDump(t, open(t, artefact(t, name+".hbc")))
			d.compare(f)
			t.Log(d)
		})
	}
}

// A dump is what `hermesc -dump-bytecode` says, compared line by line.
type dump struct {
	t                         *testing.T
	b                         *Bytecode
	strings, names            int
	instructions, operands    int
	located                   int
	function                  int
	at                        int // in the function's code
	inFunction, inDebug, quit bool
	inText                    bool
	debugFunction             int
}

func newDump(t *testing.T, b *Bytecode) *dump { return &dump{t: t, b: b, function: -1} }

func (d *dump) String() string {
	return fmt.Sprintf("version %d: %d strings, %d functions, %d instructions, %d operands and %d places in the source agree",
		d.b.version, d.strings, d.names, d.instructions, d.operands, d.located)
}

var (
	stringRow  = regexp.MustCompile(`^[sip](\d+)\[(ASCII|UTF-16), (\d+)\.\.(-?\d+)\](?: #[0-9A-F]+| @\d+)?: ?(.*)$`)
	nameRow    = regexp.MustCompile(`^(?:NC|Constructor|Class)?Function<(.*)>\d*\(\d+ params`)
	debugStart = regexp.MustCompile(`^  0x[0-9a-f]+  function idx (\d+), starts at`)
)

func (d *dump) compare(from *os.File) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() && !d.quit {
		line := lines.Text()
		switch {
		case d.inText: // of a string with line ends
			d.inText = !strings.Contains(line, `"`)
		case strings.HasPrefix(line, "Debug source table"):
			d.endFunction()
			d.inDebug = true
		case d.inDebug:
			d.debugLine(line)
		case d.inFunction && strings.HasPrefix(line, "[@ "):
			at, rest, _ := strings.Cut(line[len("[@ "):], "] ")
			name, operands, _ := strings.Cut(rest, " ")
			d.instruction(at, name, operands)
		case d.inFunction && strings.HasPrefix(line, "    "):
			name, operands, _ := strings.Cut(line[len("    "):], " ")
			d.instruction("", name, strings.TrimLeft(operands, " "))
		case strings.Contains(line, "Function<") && nameRow.MatchString(line):
			d.endFunction()
			d.beginFunction(nameRow.FindStringSubmatch(line)[1])
		case !d.inFunction:
			if m := stringRow.FindStringSubmatch(line); m != nil {
				d.stringRow(m)
			}
		}
	}
	if err := lines.Err(); err != nil {
		d.t.Fatal(err)
	}
	if d.strings != d.b.stringCount() || d.names != len(d.b.allFunctions()) {
		d.t.Errorf("compared %d of %d strings, %d of %d functions", d.strings, d.b.stringCount(), d.names, len(d.b.functions))
	}
}

func (d *dump) fail(format string, args ...any) {
	d.t.Helper()
	d.t.Errorf(format, args...)
	if d.t.Failed() && d.names > 20 {
		d.quit = true
	}
}

func (d *dump) stringRow(m []string) {
	id, _ := strconv.Atoi(m[1])
	from, _ := strconv.Atoi(m[3])
	to, _ := strconv.Atoi(m[4])
	s, storage := d.b.string(id), d.b.layout.storage.start
	if s.start-storage != from || s.end-storage != to+1 || s.wide != (m[2] == "UTF-16") {
		d.fail("string %d is at %d..%d wide %v, want %v", id, s.start-storage, s.end-storage-1, s.wide, m)
	}
	if text := d.b.text(id); !s.wide && !strings.Contains(text, "\n") && !strings.Contains(text, "\r") && escaped(text) != m[5] {
		d.fail("string %d is %q, want %q", id, text, m[5])
	}
	d.strings++
}

// plain reports whether a dump has a text as it is.
func plain(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' })
}

// escaped writes a text as the dump does.
func escaped(text string) string {
	var out strings.Builder
	for _, c := range []byte(text) {
		if c < ' ' || c == 0x7f {
			fmt.Fprintf(&out, "\\x%02X", c)
		} else {
			out.WriteByte(c)
		}
	}
	return out.String()
}

func (d *dump) beginFunction(name string) {
	d.function++
	if d.function >= len(d.b.allFunctions()) {
		d.fail("function %d of %d", d.function, len(d.b.functions))
		return
	}
	f := &d.b.functions[d.function]
	d.inFunction, d.at = true, f.code.start
	if own := d.b.text(int(f.name)); !strings.HasPrefix(own, strings.TrimSuffix(name, "...")) && !d.b.string(int(f.name)).wide {
		d.fail("function %d is %q, want %q", d.function, own, name)
	}
	d.names++
}

// endFunction checks that the code was compared to its end.
func (d *dump) endFunction() {
	if !d.inFunction {
		return
	}
	d.inFunction = false
	if f := &d.b.functions[d.function]; d.at != f.code.end {
		// Tables of a switch stand behind the code.
		left := d.b.data[d.at:f.code.end]
		if !bytes.Contains(d.b.data[f.code.start:f.code.end], []byte{d.number("SwitchImm"), 0}) && len(left) >= 4 {
			d.fail("function %d: compared up to %d of %d", d.function, d.at-f.code.start, f.code.len())
		}
	}
}

func (d *dump) number(suffix string) byte {
	for i := range d.b.set {
		if strings.HasSuffix(d.b.set[i].name, suffix) {
			return byte(i)
		}
	}
	return 0
}

// instruction compares one instruction. Its offset is "" in a dump that is made pretty.
func (d *dump) instruction(offset, name, operands string) {
	f := &d.b.functions[d.function]
	o := &d.b.set[d.b.data[d.at]]
	if o.size == 0 || o.name != name || offset != "" && strconv.Itoa(d.at-f.code.start) != offset {
		d.fail("function %d at %d: %q, want %q at %s", d.function, d.at-f.code.start, o.name, name, offset)
		d.inFunction = false
		return
	}
	code := d.b.data[d.at:]
	if offset != "" {
		d.rawOperands(o, code, operands)
	} else if o.str != 0 && strings.Contains(operands, `"`) {
		_, want, _ := strings.Cut(operands, `"`)
		if end := strings.LastIndex(want, `"`); end >= 0 {
			want = want[:end]
		} else {
			d.inText = true
		}
		if own := d.b.text(o.stringID(code)); o.name != "CreateRegExp" && plain(own) && !strings.HasPrefix(own, want) {
			d.fail("function %d at %d: %s of %q, want %q", d.function, d.at-f.code.start, o.name, own, want)
		}
		d.operands++
	}
	d.instructions++
	d.at += int(o.size)
}

func (d *dump) rawOperands(o *opcode, code []byte, row string) {
	wants := strings.Split(row, ", ")
	if row == "" {
		wants = nil
	}
	if len(wants) != len(o.operands) {
		d.fail("%s has %d operands, want %q", o.name, len(o.operands), row)
		return
	}
	for i, kind := range o.operands {
		want, _, _ := strings.Cut(wants[i], "<")
		if strings.ContainsRune("jJid", kind) {
			continue
		}
		if got := strconv.Itoa(o.operand(code, i)); got != want {
			d.fail("function %d: operand %d of %s is %s, want %q", d.function, i, o.name, got, row)
		}
		d.operands++
	}
}

func (d *dump) debugLine(line string) {
	if strings.HasPrefix(line, "  0x") {
		if m := debugStart.FindStringSubmatch(line); m != nil {
			d.debugFunction, _ = strconv.Atoi(m[1])
		}
		return
	}
	// "    bc 149: line 3 col 1"
	fields := strings.Fields(line)
	if len(fields) < 6 || fields[0] != "bc" || fields[2] != "line" || d.debugFunction >= len(d.b.functions) {
		return
	}
	offset, _ := strconv.Atoi(strings.TrimSuffix(fields[1], ":"))
	l, ok := d.b.locate(&d.b.functions[d.debugFunction], uint32(offset))
	if !ok || strconv.Itoa(l.line) != fields[3] || strconv.Itoa(l.column) != fields[5] {
		d.fail("function %d at %d stood at %+v (%v), want %s", d.debugFunction, offset, l, ok, line)
	}
	d.located++
}

var _ interface {
	reading.Document
	reading.Joiner
	reading.Setter
} = (*Bytecode)(nil)
