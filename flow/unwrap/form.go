package unwrap

import (
	"bytes"

	"telltale/flow"
)

// form takes a urlencoded form apart (WHATWG URL, 5.1).
func (w *walk) form(text []byte) {
	n := len(w.steps)
	w.push(step{kind: atFormat, label: "form"})
	w.pairs(bytes.TrimRight(text, "\r\n"), step{kind: atName})
	w.pop(n)
}

// pairs takes the pairs of a form or query apart. Each is at a step with its name.
func (w *walk) pairs(text []byte, at step) {
	for len(text) > 0 && !w.over {
		var pair []byte
		pair, text, _ = bytes.Cut(text, []byte("&"))
		name, value, has := bytes.Cut(pair, []byte("="))
		n := len(w.steps)
		if at.kind == atPart {
			w.push(step{kind: atPart, label: at.label})
		}
		w.push(step{kind: atKey})
		w.formText(name)
		w.pop(n)
		if !has || len(value) == 0 {
			continue
		}
		at.name = w.plainName(name)
		w.push(at)
		w.formText(value)
		w.pop(n)
	}
}

// plainName returns the name of a pair without its encoding.
func (w *walk) plainName(name []byte) []byte {
	if w.value == nil || bytes.IndexByte(name, '%') < 0 {
		return name
	}
	text, _ := decodeAll(w.room(len(name)), name, '%', percentStep)
	return w.keep(text)
}

// formText shows a text in which a plus sign may stand for a space.
func (w *walk) formText(text []byte) {
	if bytes.IndexByte(text, '+') < 0 {
		w.leaf(text)
		return
	}
	w.show(text)
	if w.exhausted() {
		return
	}
	// An encoder that forgot to escape base64 leaves its plus signs.
	if classify(text)&notBase64 == 0 {
		w.runs(text)
	}
	spaced := w.room(len(text))
	for _, c := range text {
		if c == '+' {
			c = ' '
		}
		spaced = append(spaced, c)
	}
	w.decoded(layerPlus, w.keep(spaced), w.leaf)
}

// isForm reports whether a text looks like a form: pairs of simple names.
func isForm(text []byte) bool {
	eq := bytes.IndexByte(text, '=')
	if eq <= 0 || eq+1 >= len(text) || text[eq+1] == '=' || eq > maxNameShown {
		return false
	}
	for i, c := range text[:eq] {
		if c == '%' { // brackets and dots only: other text in percent-encoding has "=" as well
			c, _ = flow.PercentByte(text, i)
		} else if isWordByte(c) {
			continue
		}
		if bytes.IndexByte([]byte(".-[]$"), c) < 0 {
			return false
		}
	}
	return !bytes.ContainsAny(text, " \n<{\"") && !hasEntities(text)
}

// hasEntities reports whether ampersands start entities in a text rather than pairs.
func hasEntities(text []byte) bool {
	return bytes.Contains(text, []byte("&#")) || bytes.Contains(text, []byte("&amp;"))
}

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}
