package script

import "bytes"

// constants are names that stand for a literal, the innermost scope last. A name is
// believed in from where it was given the literal to where its block ends, or it is given
// something else. Parameters and declarations of the same name hide it.
type constants struct {
	bound  []constant
	target span // of the assignment that is read
	wait   int  // 1: behind its =, 2: behind a literal
	fresh  bool // the target is declared here
	given  span

	word    span   // a name that is declared, until it is clear whether it is given something
	params  []span // names in the parenthesis that was read last, which are bound
	pattern int    // how many brackets are open in a pattern that declares names; 0 outside
	arrow   bool   // the token before is =>
}

// A constant is a name and its literal; a dead one hides those of its name before it.
type constant struct {
	name, literal span
	depth         int // brackets that are open where it is known
	dead          bool
}

const (
	mostConstants = 64  // names that are known at once
	longestNeeded = 256 // of a literal that a name stands for, in bytes: a URL
	longestName   = 64  // of such a name, in bytes
)

// find returns what a name stands for.
func (c *constants) find(src, name []byte) (span, bool) {
	if k := c.known(src, name); k != nil && !k.dead {
		return k.literal, true
	}
	return span{}, false
}

// known returns the innermost constant of a name, nil without one.
func (c *constants) known(src, name []byte) *constant {
	if len(name) > longestName {
		return nil
	}
	for i := len(c.bound) - 1; i >= 0; i-- {
		k := &c.bound[i]
		if int(k.name.end-k.name.start) == len(name) && bytes.Equal(src[k.name.start:k.name.end], name) {
			return k
		}
	}
	return nil
}

// see looks at the token that was read last.
func (c *constants) see(j *joiner) {
	depth := len(j.frames)
	for len(c.bound) > 0 && c.bound[len(c.bound)-1].depth > depth {
		c.bound = c.bound[:len(c.bound)-1]
	}
	if depth < c.pattern {
		c.pattern = 0
	}
	if c.wait > 0 {
		c.assignment(j, depth)
	}
	if c.arrow || len(c.params) > 0 {
		c.parameters(j, depth)
	}
	switch j.tok.kind {
	case word:
		c.name(j, j.tok, depth)
	case punct:
		switch j.tok.op {
		case ')', ']', '}', '.', ':', '?', '+', '!':
			if c.word.empty() {
				return // nothing that names mind
			}
		}
		c.mark(j, j.tok, depth)
	}
}

// assignment goes on with NAME = "literal", and sees that nothing else is part of it.
func (c *constants) assignment(j *joiner, depth int) {
	t := j.tok
	switch c.wait {
	case 1:
		if t.kind == str || t.kind == chunk && j.src[t.start] == '`' && j.src[t.end-1] == '`' && t.end-t.start > 1 {
			c.given, c.wait = inside(j.src, t), 2
			return
		}
		c.hide(j, c.target, depth, c.fresh)
	case 2:
		if t.kind == punct && (t.op == ',' || t.op == ';') || t.kind == word && bytes.IndexByte(j.src[j.before.end:t.start], '\n') >= 0 {
			if !c.fresh {
				c.hide(j, c.target, depth, false)
			}
			c.bind(constant{name: c.target, literal: c.given, depth: depth})
		} else {
			c.hide(j, c.target, depth, c.fresh)
		}
	}
	c.wait = 0
}

// bind makes a constant known.
func (c *constants) bind(k constant) {
	if len(c.bound) < mostConstants && (k.dead || k.literal.end-k.literal.start <= longestNeeded) {
		c.bound = append(c.bound, k)
	}
}

// hide makes a name stand for nothing: here and inside where it is declared, from now on otherwise.
func (c *constants) hide(j *joiner, name span, depth int, fresh bool) {
	k := c.known(j.src, j.src[name.start:name.end])
	switch {
	case k == nil:
	case fresh && len(c.bound) < mostConstants:
		c.bind(constant{name: name, depth: depth, dead: true})
	default:
		k.dead = true
	}
}

// parameters hides the names of parameters in the body of their function.
func (c *constants) parameters(j *joiner, depth int) {
	t := j.tok
	body := t.kind == punct && t.op == '{' && j.top() != nil && j.top().kind == 'f'
	switch {
	case body:
		for _, p := range c.params {
			c.hide(j, p, depth, true)
		}
		c.params = c.params[:0]
	case c.arrow: // a body without braces
		for _, p := range c.params {
			c.hide(j, p, depth, false)
		}
		c.params = c.params[:0]
	}
	c.arrow = false
}

// name looks at a word: a declaration, a parameter, part of a pattern.
func (c *constants) name(j *joiner, t token, depth int) {
	if t.op == kwDeclare {
		j.declared = depth
	}
	before := j.before
	j.member = before.kind == punct && (before.op == '.' || before.op == opOptional)
	if t.op != noKeyword || j.member {
		return
	}
	s := span{t.start, t.end}
	list := before.kind == punct && before.op == ','
	if before.op == kwDeclare || list && j.declared == depth {
		c.word = s
	}
	if len(c.bound) == 0 {
		return
	}
	switch {
	case c.pattern > 0:
		c.hide(j, s, depth, false)
	case list || before.kind == punct && (before.op == '(' || before.op == opSpread):
		if c.known(j.src, j.text(t)) != nil {
			c.params = append(c.params, s)
		}
	}
}

// mark looks at what follows a word, and at brackets.
func (c *constants) mark(j *joiner, t token, depth int) {
	own := j.before.kind == word && !j.member
	name := span{j.before.start, j.before.end}
	switch t.op {
	case '=':
		if own && j.before.op == noKeyword {
			c.target, c.wait, c.fresh = name, 1, c.word == name
			c.word = span{}
			return
		}
	case opUpdate, opStep:
		if own {
			c.hide(j, name, depth, false)
		}
	case opArrow:
		if own {
			c.params = append(c.params[:0], name)
		}
		c.arrow = true
	case '(':
		c.params = c.params[:0]
	case '{', '[':
		if j.before.op == kwDeclare {
			c.pattern = depth
		}
	case ';':
		if j.declared == depth {
			j.declared = -1
		}
	}
	if !c.word.empty() { // declared, and given nothing
		c.hide(j, c.word, depth, true)
		c.word = span{}
	}
}
