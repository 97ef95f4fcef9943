package feed

import "time"

// Limits are those that a test wants smaller; zero leaves one as it is.
type Limits struct {
	Readers, Behind                 int
	Write, Beat, Notice, ReadHeader time.Duration
}

// NewWithin returns a feed with other limits.
func NewWithin(c Config, l Limits) *Server {
	s := New(c)
	set(&s.limits.readers, l.Readers)
	set(&s.limits.behind, l.Behind)
	set(&s.limits.write, l.Write)
	set(&s.limits.beat, l.Beat)
	set(&s.limits.notice, l.Notice)
	set(&s.limits.readHeader, l.ReadHeader)
	s.http = s.newHTTPServer()
	return s
}

func set[T comparable](to *T, value T) {
	if zero := *new(T); value != zero {
		*to = value
	}
}

// NewFewer is newFewer.
var NewFewer = newFewer
