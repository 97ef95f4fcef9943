package quic

import "slices"

// stream puts the CRYPTO stream together from pieces that come in any order, some of
// them twice (RFC 9000, 2.2 and 19.6).
type stream struct {
	data   []byte  // with gaps
	pieces []piece // what of data has come, sorted, apart from each other
}

// piece is a stretch of the stream, [from, to).
type piece struct{ from, to int }

// add takes a piece. It is false where the stream grows longer, or comes in more pieces,
// than any honest client's.
func (s *stream) add(offset uint64, b []byte) bool {
	if offset > maxStream || offset+uint64(len(b)) > maxStream {
		return false
	}
	if len(b) == 0 {
		return true
	}
	p := piece{int(offset), int(offset) + len(b)}
	if grow := p.to - len(s.data); grow > 0 {
		s.data = slices.Grow(s.data, grow)[:p.to]
	}
	copy(s.data[p.from:], b)

	first, _ := slices.BinarySearchFunc(s.pieces, p.from, func(q piece, from int) int { return q.to - from })
	last := first
	for last < len(s.pieces) && s.pieces[last].from <= p.to {
		p.from, p.to = min(p.from, s.pieces[last].from), max(p.to, s.pieces[last].to)
		last++
	}
	s.pieces = slices.Replace(s.pieces, first, last, p)
	return len(s.pieces) <= maxPieces
}

// head is what has come without a gap.
func (s *stream) head() []byte {
	if len(s.pieces) == 0 || s.pieces[0].from > 0 {
		return nil
	}
	return s.data[:s.pieces[0].to]
}

// full reports whether no more can come.
func (s *stream) full() bool { return len(s.head()) == maxStream }
