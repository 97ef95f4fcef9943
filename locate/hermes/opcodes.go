package hermes

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// versions are the bytecode versions whose opcodes are known, in their order.
var versions = []int{62, 71, 74, 76, 83, 84, 85, 89, 90, 94, 96, 98, 99}

//go:embed opcodes.txt
var opcodeRows string

// A meaning is what an opcode does, as far as the reader follows it.
type meaning uint8

const (
	other    meaning = iota // writes its first operand, if that is a register
	scatters                // writes several of its registers
	inert                   // writes none of them
	loadString
	loadInt
	loadZero
	loadDouble
	loadTrue
	loadFalse
	loadNull
	loadUndefined
	move
	add
	getByID    // destination, object, …, name
	putByID    // object, value, …, name
	putSlot    // object, value, number of the key in the object's shape
	putByValue // object, key, value
	newObject
	newObjectBuffer // destination, …, counts and places in the literal buffers
	newArrayBuffer  // destination, size, count, place in the literal buffer
	closure         // destination, …, function
	callArgs        // destination, callee, this and arguments in registers
	callFrame       // destination, callee, count of arguments at the end of the frame
	jump            // and does not go on
	branch          // or goes on
	ends            // does not go on
	switchStrings   // …, …, place of its table behind the code, …, count; does not go on
	catches         // is where an exception goes on
)

// meanings are those of the opcodes that are followed, by their names without "Long",
// "LongIndex", "Short" and "L" at the end, and without "Loose" and "Strict".
var meanings = map[string]meaning{
	"LoadConstString": loadString, "LoadConstUInt8": loadInt, "LoadConstInt": loadInt,
	"LoadConstZero": loadZero, "LoadConstDouble": loadDouble, "LoadConstTrue": loadTrue,
	"LoadConstFalse": loadFalse, "LoadConstNull": loadNull, "LoadConstUndefined": loadUndefined,
	"Mov": move, "AddEmptyString": move, "Add": add, "AddN": add, "AddS": add,
	"GetById": getByID, "TryGetById": getByID,
	"PutById": putByID, "PutNewOwnById": putByID, "DefineOwnById": putByID,
	"PutNewOwnNEById": inert, "TryPutById": inert, "PutOwnBySlotIdx": putSlot, "PutByVal": putByValue,
	"NewObject": newObject, "NewObjectWithBuffer": newObjectBuffer,
	"NewObjectWithBufferAndParent": newObjectBuffer, "NewTypedObjectWithBuffer": newObjectBuffer,
	"NewArrayWithBuffer": newArrayBuffer,
	"CreateClosure":      closure, "CreateGeneratorClosure": closure, "CreateAsyncClosure": closure,
	"Call1": callArgs, "Call2": callArgs, "Call3": callArgs, "Call4": callArgs,
	"Call": callFrame, "Jmp": jump, "Ret": ends, "Throw": ends, "Unreachable": ends,
	"SwitchImm": ends, "UIntSwitchImm": ends, "StringSwitchImm": switchStrings, "Catch": catches,
	"SaveGenerator": branch, "GetPNameList": scatters, "GetNextPName": scatters,
	"IteratorBegin": scatters, "IteratorNext": scatters, "ResumeGenerator": scatters,
	"StoreToEnvironment": inert, "StoreNPToEnvironment": inert, "PutOwnByIndex": inert,
	"DefineOwnByIndex": inert, "DefineOwnInDenseArray": inert,
	"PutOwnByVal": inert, "DefineOwnByVal": inert,
}

// An opcode is how one kind of instruction is laid out. Its zero value is no opcode.
type opcode struct {
	name     string
	operands string // as in opcodes.txt
	means    meaning
	size     uint8    // of the instruction in bytes, with the opcode itself
	at       [7]uint8 // where each operand stands in it, and where the last one ends
	str, fn  uint8    // where the id of a string and of a function stands; 0 without
	strWide  uint8    // and how many bytes it takes
	fnWide   uint8
}

// operandWidths are the sizes of operands in bytes.
var operandWidths = map[rune]uint8{
	'r': 1, 'R': 4, 'b': 1, 'h': 2, 'w': 4, 's': 1, 'S': 2, 'Z': 4, 'f': 2, 'F': 4, 'j': 1, 'J': 4, 'i': 4, 'd': 8,
}

// An instructionSet is the opcodes of a version, by their numbers.
type instructionSet [256]opcode

var instructionSets sync.Map // of *instructionSet, by version

// instructionsOf returns the opcodes of a version; nil where they are not known.
func instructionsOf(version int) *instructionSet {
	if !slices.Contains(versions, version) {
		return nil
	}
	if s, ok := instructionSets.Load(version); ok {
		return s.(*instructionSet)
	}
	s, _ := instructionSets.LoadOrStore(version, parseOpcodes(version))
	return s.(*instructionSet)
}

// nearestVersions returns the known versions that a file of another is most like: the one
// before it, then the one behind it.
func nearestVersions(version int) []int {
	i, _ := slices.BinarySearch(versions, version)
	return versions[max(i-1, 0):min(i+1, len(versions))]
}

// parseOpcodes reads the rows of a version. The rows are our own: a mistake in them panics.
func parseOpcodes(version int) *instructionSet {
	set := new(instructionSet)
	number := 0
	for row := range strings.Lines(opcodeRows) {
		fields := strings.Fields(row)
		if len(fields) < 2 || fields[0] == "#" || len(fields) == 3 && !hasVersion(fields[2], version) {
			continue
		}
		set[number] = newOpcode(fields[0], strings.Trim(fields[1], "-"))
		number++
	}
	return set
}

// hasVersion reports whether a span such as "83-", "-96" or "98-98" has a version.
func hasVersion(span string, version int) bool {
	first, last, _ := strings.Cut(span, "-")
	from, errFrom := strconv.Atoi("0" + first)
	to, errTo := strconv.Atoi("0" + last)
	if errFrom != nil || errTo != nil {
		panic(fmt.Sprintf("hermes: opcodes.txt has the span %q", span))
	}
	return version >= from && (last == "" || version <= to)
}

func newOpcode(name, operands string) opcode {
	o := opcode{name: name, operands: operands, size: 1, means: meaningOf(name)}
	for i, kind := range operands {
		o.at[i] = o.size
		width := operandWidths[kind]
		switch {
		case strings.ContainsRune("sSZ", kind) && o.str == 0:
			o.str, o.strWide = o.size, width
		case strings.ContainsRune("fF", kind):
			o.fn, o.fnWide = o.size, width
		}
		o.size += width
		o.at[i+1] = o.size
	}
	return o
}

func meaningOf(name string) meaning {
	for _, end := range []string{"LongIndex", "Long", "Short", "L"} {
		if base, cut := strings.CutSuffix(name, end); cut {
			name = base
			break
		}
	}
	name = strings.TrimSuffix(strings.TrimSuffix(name, "Loose"), "Strict")
	if m, ok := meanings[name]; ok {
		return m
	}
	if len(name) > 1 && name[0] == 'J' {
		return branch
	}
	return other
}
