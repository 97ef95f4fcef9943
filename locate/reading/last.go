package reading

import "sync"

// A Last remembers what was said of the bytes that were asked for last. Places of a file are asked
// for in its order, and a text as long as the file may hold thousands of them: a reader that
// takes it apart once for each would need time by its square. The zero Last remembers
// nothing. It is safe for concurrent use; what it holds is shared, and must not be changed.
type Last[T any] struct {
	mu         sync.Mutex
	start, end int
	said       T
}

// At returns what was said of a byte, if it was of those that were asked for last.
func (l *Last[T]) At(at int) (said T, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at < l.start || at >= l.end {
		return said, false
	}
	return l.said, true
}

// Keep remembers what is said of the bytes from start to end.
func (l *Last[T]) Keep(start, end int, said T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.start, l.end, l.said = start, end, said
}
