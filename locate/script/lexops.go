package script

// punct reads a mark, and keeps the brackets.
func (l *lexer) punct(c byte) {
	l.take(punct, l.pos+1)
	l.tok.op = c
	// Properties may be called so: {class: "x", function: 1}.
	if l.before.op == kwClass && c != '{' {
		l.class = false
	}
	if l.before.op == kwFunction && c != '(' && c != '*' {
		l.function = false
	}
	switch c {
	case '(', '[', '{':
		l.open(c)
		return
	case ')', ']', '}':
		l.close(c)
		return
	}
	l.mark(c)
	value := l.tok.op == opStep && l.operand // a++ is a value, as a was
	l.operand = value
}

// mark reads the rest of a mark that is no bracket, and notes what it does to names.
func (l *lexer) mark(c byte) {
	f := l.top()
	switch c {
	case '=':
		switch {
		case l.follows("=>"):
			l.long(opArrow, 2)
		case l.follows("=="):
			l.long(opCompare, 2)
			l.more('=')
		case f != nil && l.before.kind == word && l.before.op == noKeyword:
			f.key = span{l.before.start, l.before.end}
		}
	case ',', ';':
		if f != nil {
			f.key = span{}
			if c == ';' {
				f.choices = 0
			}
		}
	case ':':
		l.colon(f)
	case '?':
		switch {
		case l.follows("??"):
			l.long(opNullish, 2)
			l.assigns()
		case l.follows("?.") && !(l.pos+1 < len(l.src) && classes[l.src[l.pos+1]] == isDigit):
			l.long(opOptional, 2)
		case f != nil && f.choices < 1<<15:
			f.choices++
		}
	case '.':
		if l.follows("...") {
			l.long(opSpread, 3)
		}
	case '+', '-':
		if l.pos < len(l.src) && l.src[l.pos] == c {
			l.long(opStep, 2)
			return
		}
		l.assigns()
	case '!', '<', '>':
		if l.more('=') {
			l.tok.op = opCompare
			l.more('=')
		}
	case '*', '/', '%', '&', '|', '^':
		l.more(c)
		l.assigns()
	}
}

// follows reports whether the code at the token reads so.
func (l *lexer) follows(s string) bool {
	at := int(l.tok.start)
	return len(l.src)-at >= len(s) && string(l.src[at:at+len(s)]) == s
}

// long makes the token one of n bytes.
func (l *lexer) long(op byte, n int) {
	l.tok.op = op
	l.pos = int(l.tok.start) + n
}

// more takes one further byte, if it is c.
func (l *lexer) more(c byte) bool {
	if l.pos < len(l.src) && l.src[l.pos] == c {
		l.pos++
		return true
	}
	return false
}

// assigns takes a = that makes an operator an assignment.
func (l *lexer) assigns() {
	if l.more('=') {
		l.tok.op = opUpdate
	}
}

// colon tells the : of a property, of a choice and of a label apart.
func (l *lexer) colon(f *frame) {
	switch {
	case f == nil:
		l.tok.op = opLabel
	case f.choices > 0:
		f.choices--
	case f.kind == '{':
		f.key = span{}
		if k := l.before.kind; k == word || k == str || k == number {
			f.key = span{l.before.start, l.before.end}
		}
	case f.kind == 'b' || f.kind == 'f' || f.kind == 0:
		l.tok.op = opLabel
	}
}

// open pushes a bracket.
func (l *lexer) open(c byte) {
	f := frame{kind: c, start: l.tok.start}
	if l.before.kind == punct {
		f.after = l.before.op
	}
	switch c {
	case '(':
		l.openParenthesis(&f)
	case '{':
		f.kind = l.brace()
		if f.kind == 'f' && f.after == ')' {
			f.name = l.closed.name
		}
		if f.kind == 'c' {
			l.class = false
		}
	}
	l.push(f)
	l.operand = false
}

// openParenthesis notes whose it is: of a statement, a function or a call.
func (l *lexer) openParenthesis(f *frame) {
	switch {
	case l.before.kind == word:
		switch l.before.op {
		case kwHead:
			f.head = true
		case noKeyword:
			f.name = span{l.before.start, l.before.end}
		}
	case f.after == ')':
		// (0, a.configure)(…)
		f.name = l.closed.key
	}
	f.params = l.function
	l.function = false
}

// brace tells what a { opens.
func (l *lexer) brace() byte {
	if l.class {
		return 'c'
	}
	switch l.before.kind {
	case word:
		switch l.before.op {
		case kwOperator, kwBetween, kwDeclare:
			return '{'
		}
		return 'b'
	case punct:
		return l.braceAfter(l.before.op)
	}
	return 'b'
}

func (l *lexer) braceAfter(op byte) byte {
	switch op {
	case ')':
		if l.closed.head {
			return 'b'
		}
		return 'f'
	case opArrow:
		return 'f'
	case ';', '}', ']', opLabel:
		return 'b'
	case '{':
		if f := l.top(); f != nil && f.kind != '{' {
			return 'b'
		}
	}
	return '{'
}

// push opens a bracket.
func (l *lexer) push(f frame) {
	if len(l.frames) >= maxDepth {
		l.deeper++
		return
	}
	l.frames = append(l.frames, f)
}

// pop closes the last bracket.
func (l *lexer) pop() {
	l.closed = l.frames[len(l.frames)-1]
	l.frames = l.frames[:len(l.frames)-1]
}

// top returns the innermost bracket, or what stands in none; nil where it is not known.
func (l *lexer) top() *frame {
	if l.deeper > 0 {
		return nil
	}
	if len(l.frames) == 0 {
		return &l.root
	}
	return &l.frames[len(l.frames)-1]
}

// close closes the bracket that c fits, and those inside of it that were left open.
func (l *lexer) close(c byte) {
	l.operand = true
	if l.deeper > 0 {
		l.deeper--
		l.closed = frame{}
		return
	}
	last := len(l.frames) - 1
	for i := last; i >= 0 && i > last-maxRepair; i-- {
		if !fits(l.frames[i].kind, c) {
			continue
		}
		l.frames = l.frames[:i+1]
		l.pop()
		switch c {
		case ')':
			l.operand = !l.closed.head
			// Who is called by what stood last in it.
			l.closed.key = span{}
			if l.before.kind == word {
				l.closed.key = span{l.before.start, l.before.end}
			}
		case '}':
			l.operand = l.closed.kind == '{'
		}
		return
	}
	l.closed = frame{}
}

// fits reports whether a closing bracket belongs to a frame.
func fits(kind, c byte) bool {
	switch c {
	case ')':
		return kind == '('
	case ']':
		return kind == '['
	}
	return kind != '(' && kind != '['
}
