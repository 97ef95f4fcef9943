package unwrap

import "bytes"

// leaf shows a text and what is in it.
func (w *walk) leaf(text []byte) {
	if len(text) == 0 || w.over {
		return
	}
	w.show(text)
	w.undo(text, classify(text))
}

// name shows a text that is a name.
func (w *walk) name(text []byte) {
	if len(text) == 0 || w.over {
		return
	}
	n := len(w.steps)
	w.push(step{kind: atKey})
	w.show(text)
	if flags := classify(text); flags&special != 0 || len(text) >= minRun {
		w.undo(text, flags)
	}
	w.pop(n)
}

// undo looks for formats and encodings in a text that was shown. One that covers the
// whole text goes first: what is below is then found below it.
func (w *walk) undo(text []byte, flags class) {
	if flags&(special|structure) == 0 && len(text) < minRun || w.exhausted() {
		return
	}
	switch {
	case flags&structure != 0 && w.structured(text):
		return
	case flags&(hasControl|hasHigh) != 0 && w.binary(text):
		return
	case flags&hasColon != 0 && isURL(text):
		w.within("", func() { w.url(text) })
		return
	case flags&hasPercent != 0 && w.whole(layerPercent, text, '%', percentStep):
		return
	case flags&hasBackslash != 0 && w.whole(layerEscapes, text, '\\', escapeStep):
		return
	case flags&hasAmpersand != 0 && w.whole(layerEntities, text, '&', entityStep):
		return
	}
	if len(text) >= minRun {
		w.runs(text)
	}
}

// structured takes apart a value that is a format of its own.
func (w *walk) structured(text []byte) bool {
	switch trimmed := bytes.TrimSpace(text); {
	case isJSON(trimmed), isJSONString(trimmed):
		layer := ""
		if w.inJSON() {
			layer = layerString
		}
		w.within(layer, func() { w.json(trimmed) })
	case isMarkup(trimmed):
		w.within("", func() { w.markup(trimmed, "xml") })
	case isForm(trimmed):
		w.within("", func() { w.form(trimmed) })
	default:
		return false
	}
	return true
}

// isURL reports whether a text is an absolute URL with more than a host.
func isURL(text []byte) bool {
	scheme := bytes.Index(text[:min(len(text), 32)], []byte("://"))
	if scheme <= 0 || bytes.IndexByte(text, ' ') >= 0 {
		return false
	}
	for _, c := range text[:scheme] {
		if !isWordByte(c) && c != '+' && c != '-' && c != '.' {
			return false
		}
	}
	return len(text) > scheme+3 && !hasEntities(text)
}

// whole undoes an encoding of a whole text, and reports whether it had it.
func (w *walk) whole(layer string, text []byte, mark byte, decode decodeStep) bool {
	if len(text) > w.left {
		return false
	}
	plain, changed := decodeAll(w.room(len(text)), text, mark, decode)
	if !changed {
		return false
	}
	w.decoded(layer, w.keep(plain), w.leaf)
	return true
}

// inJSON reports whether the place is a value in JSON.
func (w *walk) inJSON() bool {
	if len(w.steps) == 0 {
		return false
	}
	kind := w.steps[len(w.steps)-1].kind
	return kind == atJSON || kind == atMember || kind == atElement
}
