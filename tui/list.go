package tui

import "slices"

// A list is a cursor in a sequence of items that changes while a person reads it.
// It holds on to items by their keys, so that what is new above moves nothing.
type list struct {
	keys   []string
	cursor int
	top    int  // index of the first item on the screen
	height int  // items on the screen
	moved  bool // the person has moved the cursor: the list no longer follows its first item
}

// replace takes over a changed sequence. The item under the cursor keeps its line
// on the screen; when it is gone, the one in its place has the cursor.
func (l *list) replace(keys []string) {
	line := l.cursor - l.top
	if l.moved && l.cursor < len(l.keys) {
		if i := slices.Index(keys, l.keys[l.cursor]); i >= 0 {
			l.cursor = i
		}
	}
	l.keys = keys
	l.top = l.cursor - line
	l.clamp()
}

// resize takes over the number of lines on the screen.
func (l *list) resize(height int) {
	l.height = max(1, height)
	l.clamp()
}

// clamp brings the cursor into the sequence and onto the screen.
func (l *list) clamp() {
	l.cursor = max(0, min(l.cursor, len(l.keys)-1))
	l.top = max(0, min(l.top, l.cursor, len(l.keys)-l.height))
	if l.cursor >= l.top+l.height {
		l.top = l.cursor - l.height + 1
	}
}

// move moves the cursor; at the first item the list follows again.
func (l *list) move(by int) {
	l.cursor += by
	l.clamp()
	l.moved = l.cursor > 0
}

// scroll moves what is shown and takes the cursor along where it must.
func (l *list) scroll(by int) {
	l.top = max(0, min(l.top+by, len(l.keys)-l.height))
	l.cursor = max(l.top, min(l.cursor, l.top+l.height-1))
	l.clamp()
	l.moved = l.cursor > 0
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
