package wireguard

import (
	"net/netip"
	"sync"
	"time"
)

// Bounds of the fragments that wait for the rest of their packet, for one device.
const (
	maxPartials  = 64
	maxFragments = 256              // of one packet
	fragmentWait = 30 * time.Second // RFC 791's 15 s are few on a radio link, RFC 8200's 60 many
)

// reassembler puts the fragments of one device together (RFC 791, section 3.2; RFC
// 8200, section 4.5). Fragments that overlap lose their packet (RFC 5722), those that
// come twice do no harm. What becomes of none is handed to lose.
type reassembler struct {
	lose func(partialSize int)

	mu       sync.Mutex
	partials map[fragmentKey]*partial
}

type fragmentKey struct {
	src, dst netip.Addr
	id       uint32
	protocol byte
}

// partial is a packet of which fragments have come.
type partial struct {
	pieces []piece // by offset
	size   int     // of the pieces
	total  int     // of the whole; -1 until the last fragment came
	began  time.Time
	first  packet // the fragment at offset 0
}

type piece struct {
	offset int
	data   []byte
}

// add takes a fragment and returns the whole packet when nothing is missing any more.
// Its plain is false and its whole nil: the headers were those of fragments.
func (r *reassembler) add(p *packet, now time.Time) (packet, bool) {
	key := fragmentKey{p.src, p.dst, p.id, p.protocol}
	if p.src.Is6() {
		key.protocol = 0 // RFC 8200: those of later fragments need not agree
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	waiting := r.partials[key]
	if waiting == nil {
		waiting = r.begin(key, now)
	}
	if !waiting.take(p) {
		r.drop(key, waiting)
		return packet{}, false
	}
	if waiting.size != waiting.total {
		return packet{}, false
	}
	delete(r.partials, key)
	return waiting.join(), true
}

// begin makes room for another packet, if need be at the cost of the oldest.
func (r *reassembler) begin(key fragmentKey, now time.Time) *partial {
	if r.partials == nil {
		r.partials = map[fragmentKey]*partial{}
	}
	if len(r.partials) >= maxPartials {
		var oldest fragmentKey
		var began time.Time
		for k, w := range r.partials {
			if began.IsZero() || w.began.Before(began) {
				oldest, began = k, w.began
			}
		}
		r.drop(oldest, r.partials[oldest])
	}
	waiting := &partial{total: -1, began: now}
	r.partials[key] = waiting
	return waiting
}

func (r *reassembler) drop(key fragmentKey, w *partial) {
	delete(r.partials, key)
	r.lose(w.size)
}

// expire drops what began before a time.
func (r *reassembler) expire(before time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, w := range r.partials {
		if w.began.Before(before) {
			r.drop(key, w)
		}
	}
}

// take adds a fragment. False says that the packet is lost.
func (w *partial) take(p *packet) bool {
	end := p.offset + len(p.payload)
	at := 0
	for at < len(w.pieces) && w.pieces[at].offset < p.offset {
		at++
	}
	if at < len(w.pieces) && w.pieces[at].offset == p.offset && len(w.pieces[at].data) == len(p.payload) {
		return true // again
	}
	switch {
	case at > 0 && w.pieces[at-1].offset+len(w.pieces[at-1].data) > p.offset,
		at < len(w.pieces) && w.pieces[at].offset < end,
		w.total >= 0 && (end > w.total || !p.more),
		!p.more && len(w.pieces) > at,
		len(w.pieces) >= maxFragments:
		w.size += len(p.payload)
		return false
	}
	w.pieces = append(w.pieces, piece{})
	copy(w.pieces[at+1:], w.pieces[at:])
	w.pieces[at] = piece{p.offset, append([]byte(nil), p.payload...)}
	w.size += len(p.payload)
	if !p.more {
		w.total = end
	}
	if p.offset == 0 {
		w.first = *p
	}
	return true
}

func (w *partial) join() packet {
	whole := w.first
	whole.fragmented, whole.more, whole.plain, whole.whole = false, false, false, nil
	whole.payload = make([]byte, 0, w.total)
	for _, piece := range w.pieces {
		whole.payload = append(whole.payload, piece.data...)
	}
	return whole
}
