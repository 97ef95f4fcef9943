package actions

import (
	"bytes"
	"sync"
)

// Bounds of what a program may show on standard error. A run that shows more goes on; the
// rest is read and thrown away.
const (
	maxShownLine  = 1 << 10  // bytes of a line
	maxShownBytes = 64 << 10 // of one run
	maxShownLines = 1000     // of one run
)

// An answerBuffer keeps standard output up to a limit and reports once when there is more.
type answerBuffer struct {
	limit int64
	over  func()
	kept  bytes.Buffer
}

// Write never fails: a program that cannot write would be ended by the system, for a reason
// that says less than ours.
func (b *answerBuffer) Write(p []byte) (int, error) {
	room := b.limit - int64(b.kept.Len())
	if int64(len(p)) > room {
		b.over()
	}
	b.kept.Write(p[:min(int64(len(p)), room)])
	return len(p), nil
}

// A lineWriter shows what is written to it line by line.
type lineWriter struct {
	show func(string)
	mask func(string) string

	mu    sync.Mutex // a program that is not ended in time still writes
	line  []byte     // the beginning of the line that is not complete
	long  bool       // more than its beginning came
	bytes int        // shown
	lines int        // shown
	last  []byte     // the last line that was not empty, as it came
	done  bool
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for rest := p; len(rest) > 0 && !w.done; {
		line, after, complete := bytes.Cut(rest, []byte("\n"))
		room := maxShownLine - len(w.line)
		w.line = append(w.line, line[:min(len(line), room)]...)
		w.long = w.long || len(line) > room
		if complete {
			w.end()
		}
		rest = after
	}
	return len(p), nil
}

// close shows what has no line end yet, takes nothing more, and returns the last line.
func (w *lineWriter) close() (last string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.line) > 0 && !w.done {
		w.end()
	}
	w.done = true
	return w.harmless(w.last)
}

// end ends the line. Beyond what is shown it costs no more than a copy.
func (w *lineWriter) end() {
	line, long := bytes.TrimSpace(w.line), w.long
	w.line, w.long = w.line[:0], false
	if len(line) == 0 {
		return
	}
	w.last = append(w.last[:0], line...)
	if w.lines == maxShownLines || w.bytes > maxShownBytes {
		return
	}
	text := w.harmless(line)
	if long {
		text += "…"
	}
	w.lines++
	w.bytes += len(text)
	if w.lines == maxShownLines || w.bytes > maxShownBytes {
		text = "… the rest is not shown"
	}
	w.show(text)
}

// harmless returns a line as it may be shown. An event's secrets were masked before, those of
// the environment are masked here, before characters are written out.
func (w *lineWriter) harmless(line []byte) string {
	return clean(w.mask(string(line)), maxShownLine)
}
