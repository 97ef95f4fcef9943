package script

import "bytes"

// A kind is what a token is.
type kind uint8

const (
	ended   kind = iota
	word         // a name or a keyword
	number       //
	str          // with its quotes
	chunk        // of a template: from ` or } to ${ or `, with both
	pattern      // a regular expression
	punct        // see the ops
	remark       // a comment, with its marks
)

// An op of a punct is its first byte, but for these of several bytes, which mean
// something else than their first.
const (
	opArrow    byte = iota + 1 // =>
	opCompare                  // == === != !== <= >=
	opUpdate                   // += -= *= … ||= ??=
	opSpread                   // ...
	opStep                     // ++ --
	opOptional                 // ?.
	opNullish                  // ??
	opLabel                    // the : of a label or a case
)

// A token is one piece of code. Its fields are apart from those of their size, and are copied one by
// one in next: a processor waits where bytes that were just written in pieces are read as one.
type token struct {
	kind  kind
	start int32
	op    byte // of a punct: which; of a word: which keyword
	end   int32
}

// A span is bytes of the file.
type span struct{ start, end int32 }

func (s span) empty() bool { return s.start == s.end }

// A frame is an open bracket.
type frame struct {
	kind    byte   // ( [ { of an object, b lock, f unction, c lass, $ of a template; 0 for the file
	head    bool   // ( of an if, while, for …: a statement follows
	params  bool   // ( of a function's parameters
	after   byte   // the op before it; 0 for no punct
	choices uint16 // ? that wait for their :
	start   int32
	name    span // of the function that is called or written
	key     span // of the property or variable that is given a value here
}

// maxDepth is how many open brackets are known apart. Code that people or tools write has less
// than a hundred; beyond it, brackets are only counted.
const maxDepth = 512

// maxRepair is how many open brackets a closing one may skip that does not fit the last:
// code that is broken is read on.
const maxRepair = 8

// state is all that reading on from a place needs, but for the frames.
type state struct {
	pos      int
	tok      token // the one that was read last
	before   token // that before it, comments left out
	operand  bool  // a value has ended: a slash divides
	function bool  // "function" was read, and its parameters were not
	class    bool  // "class" was read, and its body was not
	closed   frame // the bracket that was closed last
	root     frame // what stands in no bracket
	deeper   int   // open brackets beyond maxDepth
	// Where a line, or the file, ends in which something did not end: nothing of that kind begins
	// before. Without it, broken code would take time by its square.
	noRegexp, noDouble, noSingle, noTemplate int
}

// A lexer takes code apart (ECMA-262, "ECMAScript Language: Lexical Grammar"). It has no grammar
// of statements: whether a slash divides, and what a brace opens, it tells by what stands
// before. Broken code is taken apart as well as can be; every byte is looked at a
// bounded number of times.
type lexer struct {
	state

	src    []byte
	frames []frame
	parts  bool // a NUL byte ends a text of its own: a RAM bundle
}

// next reads a token. It is ended at the end.
func (l *lexer) next() kind {
	if l.tok.kind != remark && l.tok.kind != ended {
		l.before.kind, l.before.start = l.tok.kind, l.tok.start
		l.before.op, l.before.end = l.tok.op, l.tok.end
	}
	if l.pos < len(l.src) && spaces[l.src[l.pos]] {
		l.space()
	}
	start := l.pos
	l.tok.kind, l.tok.op = ended, 0
	l.tok.start, l.tok.end = int32(start), int32(start)
	if start >= len(l.src) {
		return ended
	}
	switch c := l.src[start]; classes[c] {
	case isName:
		l.name()
	case isDigit:
		l.number()
	case isQuote:
		l.quoted(c)
	default:
		l.other(c)
	}
	l.tok.end = int32(l.pos)
	return l.tok.kind
}

// other reads what begins with a mark.
func (l *lexer) other(c byte) {
	start := l.pos
	switch c {
	case '`':
		l.template()
		return
	case '/':
		l.slash()
		return
	case '.':
		if start+1 < len(l.src) && classes[l.src[start+1]] == isDigit {
			l.number()
			return
		}
	case '#':
		if start == 0 && bytes.HasPrefix(l.src, []byte("#!")) {
			l.take(remark, lineEnd(l.src, start))
			return
		}
	case '}':
		if top := l.top(); top != nil && top.kind == '$' {
			l.pop()
			l.template()
			return
		}
	}
	l.punct(c)
}

// take makes the bytes up to end the token.
func (l *lexer) take(k kind, end int) {
	l.tok.kind = k
	l.pos = end
}

// space skips what separates.
func (l *lexer) space() {
	src, i := l.src, l.pos
	for i < len(src) {
		c := src[i]
		if classes[c] == isSpace {
			if c == 0 && l.parts {
				l.frames, l.deeper, l.operand = l.frames[:0], 0, false
				l.before, l.closed, l.root = token{}, frame{}, frame{}
			}
			i++
			continue
		}
		wide := 0
		if c >= 0x80 {
			wide = wideSpace(src[i:])
		}
		if wide == 0 {
			break
		}
		i += wide
	}
	l.pos = i
}

// wideSpaces are the spaces and line ends beyond ASCII that minifiers and editors leave.
var wideSpaces = [...]string{"\u00a0", "\u2028", "\u2029", "\ufeff"}

// wideSpace returns the length of a space or line end beyond ASCII, 0 where there is none.
func wideSpace(b []byte) int {
	for _, s := range wideSpaces {
		if bytes.HasPrefix(b, []byte(s)) {
			return len(s)
		}
	}
	return 0
}

// name reads a word.
func (l *lexer) name() {
	src, i := l.src, l.pos+1
	for i < len(src) && classes[src[i]] <= isDigit {
		i++
	}
	text := src[l.pos:i]
	l.take(word, i)
	key := noKeyword
	if !(l.before.kind == punct && (l.before.op == '.' || l.before.op == opOptional)) {
		key = keywordOf(text)
	}
	l.tok.op = key
	// Two values in a row: a new statement has begun, without a semicolon.
	if f := l.top(); f != nil && key != kwBetween && (l.operand || l.before.op == '}') && f.kind != '{' {
		f.key = span{}
	}
	switch key {
	case kwFunction:
		l.function = true
	case kwClass:
		l.class = true
	}
	l.operand = key == noKeyword
}

// number reads a number as far as it can be told from what follows.
func (l *lexer) number() {
	src, i := l.src, l.pos
	hex := src[i] == '0' && i+1 < len(src) && src[i+1]|0x20 == 'x'
	dots := 0
	for ; i < len(src); i++ {
		switch c := src[i]; {
		case classes[c] <= isDigit && c < 0x80 && c != '\\':
		case c == '.' && dots == 0 && !hex:
			dots++
		case (c == '+' || c == '-') && !hex && i > l.pos && src[i-1]|0x20 == 'e':
		default:
			l.take(number, i)
			l.operand = true
			return
		}
	}
	l.take(number, i)
	l.operand = true
}

// quoted reads a string. A quote whose string does not end in its line is taken for
// an apostrophe.
func (l *lexer) quoted(quote byte) {
	broken := &l.noDouble
	if quote == '\'' {
		broken = &l.noSingle
	}
	l.operand = true
	if l.pos < *broken {
		l.plain(quote)
		return
	}
	src, i := l.src, l.pos+1
	for i < len(src) {
		switch src[i] {
		case quote:
			l.take(str, i+1)
			return
		case '\\':
			i++
			if i+1 < len(src) && src[i] == '\r' && src[i+1] == '\n' {
				i++
			}
		case '\n', '\r':
			*broken = i
			l.plain(quote)
			return
		}
		i++
	}
	*broken = len(src)
	l.plain(quote)
}

// plain makes a punct of one byte that means nothing.
func (l *lexer) plain(op byte) {
	l.take(punct, l.pos+1)
	l.tok.op = op
}

// template reads the characters of a template, from ` or } to ` or ${.
func (l *lexer) template() {
	l.operand = true
	if l.pos < l.noTemplate {
		l.plain('`')
		return
	}
	src, i := l.src, l.pos+1
	for i < len(src) {
		switch src[i] {
		case '`':
			l.take(chunk, i+1)
			return
		case '$':
			if i+1 < len(src) && src[i+1] == '{' {
				l.take(chunk, i+2)
				l.push(frame{kind: '$', start: int32(i + 1)})
				l.operand = false
				return
			}
		case '\\':
			i++
		case 0:
			if l.parts {
				l.take(chunk, i)
				return
			}
		}
		i++
	}
	l.noTemplate = len(src)
	l.plain('`')
}

// slash reads a comment, a regular expression or a division.
func (l *lexer) slash() {
	src, i := l.src, l.pos
	if i+1 < len(src) {
		switch src[i+1] {
		case '/':
			l.take(remark, lineEnd(src, i))
			return
		case '*':
			n := bytes.Index(src[i+2:], []byte("*/"))
			if n < 0 {
				l.take(remark, len(src))
				return
			}
			l.take(remark, i+2+n+2)
			return
		}
	}
	// In JSX, </ closes an element.
	if !l.operand && l.pos >= l.noRegexp && !(l.before.kind == punct && l.before.op == '<' && int(l.before.end) == i) {
		if end := regexpEnd(src, i); end > 0 {
			l.take(pattern, end)
			l.operand = true
			return
		}
		l.noRegexp = lineEnd(src, i)
	}
	l.punct('/')
}

// regexpEnd returns where the regular expression at i ends, 0 where it does not in its line.
func regexpEnd(src []byte, i int) int {
	class := false
	for i++; i < len(src); i++ {
		switch c := src[i]; {
		case c == '\n' || c == '\r':
			return 0
		case c == '\\':
			i++
		case c == '[':
			class = true
		case c == ']':
			class = false
		case c == '/' && !class:
			for i++; i < len(src) && classes[src[i]] <= isDigit; i++ {
			}
			return i
		}
	}
	return 0
}

// lineEnd returns where the line of i ends.
func lineEnd(src []byte, i int) int {
	line := src[i:]
	if n := bytes.IndexByte(line, '\n'); n >= 0 {
		line = line[:n]
	}
	if n := bytes.IndexByte(line, '\r'); n >= 0 {
		line = line[:n]
	}
	return i + len(line)
}

// text returns the bytes of a token.
func (l *lexer) text(t token) []byte { return l.src[t.start:t.end] }
