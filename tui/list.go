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
	settle bool // the person changed the sequence: all of it may move
}

// replace takes over a changed sequence. A held item keeps its line on the screen,
// and what is new above stays above; when it is gone, the one in its place has the
// cursor.
func (l *list) replace(keys []string) {
	line, fresh := l.cursor-l.top, 0
	if l.held && l.cursor < len(l.keys) {
		if i := slices.Index(keys, l.keys[l.cursor]); i >= 0 {
			l.cursor, fresh = i, l.fresh(keys[:i])
		}
	}
	if l.above += fresh; l.settle {
		l.above = 0
	}
	l.keys = keys
	l.top = min(l.cursor-line, max(l.above, len(keys)-l.height))
	l.clamp()
}

// fresh counts the keys that the list does not have yet.
func (l *list) fresh(keys []string) (n int) {
	known := make(map[string]bool, len(l.keys))
	for _, key := range l.keys {
		known[key] = true
	}
	for _, key := range keys {
		if !known[key] {
			n++
		}
	}
	return n
}

// resize takes over the number of lines on the screen and leaves none of them empty.
func (l *list) resize(height int) {
	if height = max(1, height); height != l.height {
		l.height = height
		l.top = min(l.top, max(l.above, len(l.keys)-l.height))
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

// head adds to the titles of the table what came above the screen.
func (l *list) head(t *theme, titles string, screen int) string {
	if l.above == 0 {
		return titles
	}
	place := t.warning.Render("↑ " + count(l.above) + " new (g)")
	return sides(cut(titles, screen-width(place)-1), place, screen)
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
