package script

import (
	"bytes"
	"strconv"
)

// A finder finds modules and clues in the tokens that a lexer has just read.
type finder struct {
	*lexer
	out *index

	metro metroCall
	calls bool // there are calls of Metro
	box   box
	boxes bool // the file has the signs of a bundler that keeps modules in an object
	path  int  // state of the pattern dependencyMap[1], "name"
	dep   int  // the number in it
}

func newFinder(l *lexer, out *index) *finder {
	f := &finder{lexer: l, out: out}
	// The runtime of these bundlers makes a module's object; the parts of a bundle that
	// has none of its own name webpack.
	for _, sign := range []string{"exports:{}", "exports: {}", "webpack", "__commonJS"} {
		f.boxes = f.boxes || bytes.Contains(l.src[l.pos:], []byte(sign))
	}
	return f
}

// A metroCall is a call __d(function(…){…}, id, [dependencies], "name") that has not ended
// (metro, src/lib/... "wrapModule"): the name is there in development alone.
type metroCall struct {
	module
	depth int // of its parenthesis; 0 without one
	arg   int
}

// A box is an object or array that holds modules: {123: function(e, t, n) {…}, "./a.js": (e) => {…}}
// of webpack, {1: [function(require, module, exports) {…}, {…}]} of Browserify, {"a.js"(exports) {…}}
// of esbuild, [function(e, t, n) {…}] of older webpack.
type box struct {
	module
	depth int  // of its bracket; 0 without one
	list  bool // an array: modules are numbered
	sure  bool // its first value was a function
	code  bool // the value that is read now is one
	count int32
}

// maxBoxDepth is how many open brackets a box is in, at most: it is the outermost layer of a bundle.
const maxBoxDepth = 12

// token looks at the token that was read last.
func (f *finder) token() {
	depth := len(f.frames)
	if f.tok.kind == punct && f.tok.op == '(' && f.before.kind == word && f.deeper == 0 {
		f.startMetro(depth)
		depth = len(f.frames)
	}
	if f.metro.depth > 0 {
		f.inMetro(depth)
	} else if f.boxes {
		f.inBox(depth)
	}
	f.clue(depth)
}

// startMetro begins a module where a call of __d does. In a line that begins so, the one before has
// ended, however broken it is.
func (f *finder) startMetro(depth int) {
	name := f.text(f.before)
	if !bytes.HasSuffix(name, []byte("__d")) || f.top().params {
		return
	}
	if f.metro.depth > 0 {
		if start := f.before.start; start == 0 || f.src[start-1] != '\n' {
			return
		}
		f.endMetro(f.before.start)
		f.frames = append(f.frames[:0], *f.top())
		depth = 1
	}
	f.box = box{}
	f.metro = metroCall{module: module{span: span{start: f.before.start}}, depth: depth, arg: -1}
}

// inMetro reads the arguments of a call of __d.
func (f *finder) inMetro(depth int) {
	c := &f.metro
	t := f.tok
	switch {
	case depth < c.depth:
		f.endMetro(t.end)
	case c.arg < 0:
		c.arg = 0 // the parenthesis itself
	case depth == c.depth && t.kind == punct && t.op == ',':
		c.arg++
	case c.arg == 1 && depth == c.depth && t.kind == number:
		c.id = span{t.start, t.end}
	case c.arg == 1 && depth == c.depth && t.kind == str:
		c.id = inside(f.src, t)
	case c.arg == 2 && depth == c.depth+1 && t.kind == punct && (t.op == '[' || t.op == '{') && c.deps.empty():
		c.deps = span{t.start, t.start}
	case c.arg == 2 && depth == c.depth && t.kind == punct && (t.op == ']' || t.op == '}'):
		c.deps.end = t.end
	case c.arg == 3 && depth == c.depth && t.kind == str:
		c.name = inside(f.src, t)
	}
}

// endMetro keeps the module, if it was one.
func (f *finder) endMetro(end int32) {
	m := f.metro.module
	m.end = end
	if m.deps.end < m.deps.start {
		m.deps = span{}
	}
	if f.metro.arg > 0 && !m.id.empty() {
		f.calls = true
		f.out.modules = append(f.out.modules, m)
	}
	f.metro = metroCall{}
}

// inBox reads the modules of a box, or finds that one begins.
func (f *finder) inBox(depth int) {
	b := &f.box
	if b.depth > 0 && (depth < b.depth || f.deeper > 0) {
		f.endBoxed()
		f.box = box{}
	}
	if !b.sure && f.deeper == 0 && depth > 0 && depth <= maxBoxDepth {
		f.startBox(depth)
	}
	if b.depth == 0 || f.deeper > 0 {
		return
	}
	switch t := f.tok; {
	case depth == b.depth && t.kind == punct && t.op == ',':
		f.endBoxed()
		b.count++
	case depth == b.depth && t.kind == punct && t.op == opArrow:
		b.code = true
	case depth == b.depth && b.module.start < 0 && f.before.kind == punct && f.before.op == ',':
		f.startBoxed()
	case b.module.start >= 0 && t.kind == punct && t.op == '{' && f.top().kind == 'f' && f.wraps(depth):
		b.code, b.sure = true, true
	}
}

// wraps reports whether a function's body stands right in the box, or in one bracket there.
func (f *finder) wraps(depth int) bool {
	b := &f.box
	if depth == b.depth+1 {
		return true
	}
	if depth != b.depth+2 {
		return false
	}
	switch wrap := f.frames[b.depth]; wrap.kind {
	case '(':
		return wrap.after == ':' || wrap.after == ',' || wrap.after == '['
	case '[':
		return wrap.after == ':'
	}
	return false
}

// startBox notes that the first key, or the first function of an array, may begin a box.
func (f *finder) startBox(depth int) {
	if f.before.kind != punct || int(f.before.start) != int(f.top().start) {
		return // not the first token in its bracket
	}
	switch top := f.top(); {
	case top.kind == '{' && f.isKey(f.tok):
		f.box = box{depth: depth}
		f.startBoxed()
	case top.kind == '[' && depth > 1 && (f.tok.op == kwFunction || f.tok.op == '(') && f.boxedList(f.frames[depth-2]):
		f.box = box{depth: depth, list: true}
		f.startBoxed()
	}
}

// boxedList reports whether an array of functions in this bracket holds modules: it is handed to
// a function that stands before, or to push.
func (f *finder) boxedList(outer frame) bool {
	switch outer.kind {
	case '(':
		return outer.after == '}' || outer.after == ')'
	case '[':
		return outer.after == '('
	}
	return false
}

// isKey reports whether a token may be the id of a module: a number, a path, a hash.
func (f *finder) isKey(t token) bool {
	switch t.kind {
	case number:
		return true
	case str:
		in := inside(f.src, t)
		text := f.src[in.start:in.end]
		return bytes.IndexByte(text, '/') >= 0 || bytes.IndexByte(text, '.') >= 0 || len(text) == 4
	}
	return false
}

// startBoxed begins a module at the token.
func (f *finder) startBoxed() {
	b := &f.box
	b.module = module{span: span{start: f.tok.start}}
	b.code = false
	switch {
	case b.list:
		b.number = b.count
	case f.tok.kind == str:
		b.id = inside(f.src, f.tok)
	default:
		b.id = span{f.tok.start, f.tok.end}
	}
}

// endBoxed keeps the module that ends before the token, if it was one.
func (f *finder) endBoxed() {
	b := &f.box
	if b.sure && b.code && b.module.start >= 0 {
		b.end = f.before.end
		f.out.modules = append(f.out.modules, b.module)
	}
	b.module = module{span: span{start: -1}}
}

// end keeps what the end of the file has cut off.
func (f *finder) end() {
	if f.metro.depth > 0 {
		f.endMetro(int32(len(f.src)))
	}
	f.before = f.tok
	f.endBoxed()
	if f.calls { // Metro writes no such comments: these are the code's own
		f.out.paths = nil
	}
}

// A clue is something that says whose code a place is, or on whose it depends.
type clue struct {
	span
	kind clueKind
	dep  int32 // of clueDependency: its place in the array of dependencies
}

type clueKind uint8

const (
	clueBanner     clueKind = iota // a licence comment
	cluePath                       // a comment with the path of the file that follows
	clueName                       // the name in a package.json
	clueVersion                    // the version in it
	clueJSON                       // a package.json as a string
	clueDependency                 // the name by which a dependency is required
	clueRequire                    // a name that is required
)

func (f *finder) keep(k clueKind, s span) {
	f.out.clues = append(f.out.clues, clue{span: s, kind: k})
}

// remark looks at a comment.
func (f *finder) remark() {
	text := f.text(f.tok)
	in := inside(f.src, f.tok)
	switch {
	case bytes.HasPrefix(text, []byte("/*!")), bytes.Contains(text[:min(len(text), 512)], []byte("@license")):
		f.keep(clueBanner, in)
	case !f.calls && bytes.HasPrefix(text, []byte("//")):
		if p := pathIn(f.src[in.start:in.end]); p > 0 {
			f.out.paths = append(f.out.paths, clue{span: span{in.start + int32(p), in.end}, kind: cluePath})
		}
	}
}

// pathIn returns where in a comment the path of a file begins, 0 where it is none. esbuild writes
// "// node_modules/a/b.js", webpack ";// ./a/b.js", formerly "// CONCATENATED MODULE: ./a/b.js".
func pathIn(text []byte) int {
	start := 1
	if i := bytes.Index(text[:min(len(text), 40)], []byte("CONCATENATED MODULE: ")); i >= 0 {
		start = i + len("CONCATENATED MODULE: ")
	}
	if len(text) < 5 || len(text) > 512 || text[0] != ' ' || start >= len(text) {
		return 0
	}
	p := text[start:]
	dot := bytes.LastIndexByte(p, '.')
	if dot < 1 || bytes.ContainsAny(p, " \t\"'()") || bytes.IndexByte(p, '/') < 0 || bytes.Contains(p, []byte("://")) {
		return 0
	}
	switch string(bytes.TrimRight(p[dot+1:], "\r")) {
	case "js", "mjs", "cjs", "jsx", "ts", "tsx", "mts", "cts", "json", "vue", "svelte":
		return start
	}
	return 0
}

// clue looks at a token that may say something.
func (f *finder) clue(depth int) {
	f.dependency()
	if f.tok.kind != str || depth < 2 || f.before.kind != punct {
		return
	}
	in := inside(f.src, f.tok)
	top, outer := f.frames[depth-1], f.frames[depth-2]
	switch f.before.op {
	case ':':
		if top.kind == '{' && f.is(outer.key, "exports") {
			switch {
			case f.is(top.key, "name"), f.is(top.key, `"name"`):
				f.keep(clueName, in)
			case f.is(top.key, "version"), f.is(top.key, `"version"`):
				f.keep(clueVersion, in)
			}
		}
	case '(':
		switch {
		case f.is(top.name, "parse") && f.is(outer.key, "exports"):
			f.keep(clueJSON, in)
		case f.is(top.name, "require"):
			f.keep(clueRequire, in)
		}
	}
}

func (f *finder) is(s span, text string) bool { return string(f.src[s.start:s.end]) == text }

// dependency looks for dependencyMap[1], "name": Metro writes the name of what is required
// behind its number, in development.
func (f *finder) dependency() {
	t := f.tok
	switch {
	case t.kind == word && bytes.HasSuffix(f.text(t), []byte("ependencyMap")):
		f.path = 1
	case f.path == 1 && t.op == '[', f.path == 3 && t.op == ']', f.path == 4 && t.op == ',':
		f.path++
	case f.path == 2 && t.kind == number:
		n, err := strconv.ParseUint(string(f.text(t)), 10, 31)
		if err != nil {
			f.path = 0
			return
		}
		f.dep, f.path = int(n), 3
	case f.path == 5 && t.kind == str:
		f.out.clues = append(f.out.clues, clue{span: inside(f.src, t), kind: clueDependency, dep: int32(f.dep)})
		f.path = 0
	default:
		f.path = 0
	}
}
