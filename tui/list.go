package tui

import "slices"

// A list is a cursor in a sequence of items that changes while a person reads it.
// Until the person does something in it, the first item has the cursor, whatever
// comes above it; from then on the list holds on to the item and to its line on
// the screen.
type list struct {
	keys   []string
	cursor int
	top    int  // index of the first item on the screen
	height int  // items on the screen
	held   bool // the person reads: the cursor stays with its item
	above  int  // items that came above the screen while it was held
}

// replace takes over a changed sequence. A held item keeps its line on the screen;
// when it is gone, the one in its place has the cursor.
func (l *list) replace(keys []string) {
	line, before := l.cursor-l.top, l.cursor
	if l.held && l.cursor < len(l.keys) {
		if i := slices.Index(keys, l.keys[l.cursor]); i >= 0 {
			l.cursor = i
		}
	}
	l.above += max(0, l.cursor-before)
	l.keys = keys
	l.top = l.cursor - line
	l.clamp()
}

// resize takes over the number of lines on the screen and leaves none of them empty.
func (l *list) resize(height int) {
	if height = max(1, height); height != l.height {
		l.height = height
		l.top = min(l.top, len(l.keys)-l.height)
	}
	l.clamp()
}

// clamp brings the cursor into the sequence and onto the screen.
func (l *list) clamp() {
	l.cursor = max(0, min(l.cursor, len(l.keys)-1))
	l.top = max(0, min(l.top, l.cursor))
	if l.cursor >= l.top+l.height {
		l.top = l.cursor - l.height + 1
	}
	l.above = min(l.above, l.top)
}

// hold keeps the cursor with its item from now on.
func (l *list) hold() { l.held = true }

// move moves the cursor.
func (l *list) move(by int) {
	l.hold()
	l.cursor += by
	l.clamp()
}

// first goes to the first item and follows it again.
func (l *list) first() {
	l.cursor, l.held = 0, false
	l.clamp()
}

// scroll moves what is shown and takes the cursor along where it must.
func (l *list) scroll(by int) {
	l.hold()
	l.top = max(0, min(l.top+by, len(l.keys)-l.height))
	l.cursor = max(l.top, min(l.cursor, l.top+l.height-1))
	l.clamp()
}

// place says what came above the screen, "" when nothing did.
func (l *list) place(t *theme) string {
	if l.above == 0 {
		return ""
	}
	return t.warning.Render("↑ " + count(l.above) + " new (g)")
}

// key returns the key under the cursor, "" in an empty list.
func (l *list) key() string {
	if l.cursor < 0 || l.cursor >= len(l.keys) {
		return ""
	}
	return l.keys[l.cursor]
}

// visible returns the part of the sequence that is on the screen.
func (l *list) visible() (from, to int) { return l.top, min(len(l.keys), l.top+l.height) }
