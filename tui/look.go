package tui

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"telltale/capture"
	"telltale/capture/filter"
	"telltale/flow"
)

// A look goes through the capture once, beside the loop, and tells what it has found
// so far now and then.
type look struct {
	ctx        context.Context
	store      *capture.Store
	filter     *filter.Filter
	only       netip.Addr // as in search
	quiet      bool       // likewise
	after      flow.ID
	again      []flow.ID
	generation int
	words      [][]flow.ID // as in search; nil: ask the index
	newest     flow.ID     // when the look began

	parts chan searchMsg // at most one: it grows until it is taken
	told  time.Time
	msg   searchMsg
}

// run is the look. All that it has to say goes through parts, in order.
func (l *look) run() tea.Msg {
	defer close(l.parts)
	l.told, l.newest = time.Now(), l.store.LastID()
	l.begin(l.after)
	err := l.search()
	select {
	case former := <-l.parts: // nobody has taken it yet
		l.msg = former.with(l.msg)
	default:
	}
	l.msg.err, l.msg.more = err, nil
	l.parts <- l.msg
	return nil
}

// next waits for a part.
func (l *look) next() tea.Msg {
	if part, ok := <-l.parts; ok {
		return part
	}
	return nil
}

// begin begins another part.
func (l *look) begin(at flow.ID) {
	l.msg = searchMsg{generation: l.generation, found: newFound(), words: l.words, next: at, more: l.next}
}

// tell hands out what was found, when it is time and nobody is still busy with the
// part before.
func (l *look) tell() {
	if time.Since(l.told) < slice {
		return
	}
	select {
	case l.parts <- l.msg:
		l.begin(l.msg.next)
		l.told = time.Now()
	default:
	}
}

// with joins two parts.
func (m searchMsg) with(later searchMsg) searchMsg {
	m.found.add(later.found)
	later.found, later.again, later.open = m.found, m.again, append(m.open, later.open...)
	return later
}

func (l *look) search() error {
	if err := l.askIndex(); err != nil {
		return err
	}
	if err := l.lookAgain(); err != nil {
		return err
	}
	if host, ok := l.filter.Host(); ok {
		return l.searchHost(host)
	}
	opts := capture.ScanOptions{
		After: l.after, Judge: true, Headers: l.filter.Words() != nil || l.filter.Names("headers") || l.filter.Names("app") || l.filter.Names("attributed"),
		Bodies: l.filter.Names("body"),
	}
	return l.store.Scan(l.ctx, opts, func(batch []capture.Recorded) error {
		defer l.tell()
		return l.matchNew(batch)
	})
}

// matchNew looks at flows above all that were looked at.
func (l *look) matchNew(batch []capture.Recorded) error {
	for _, r := range batch {
		l.noteLate(r.Flow.ID)
		if err := l.match([]capture.Recorded{r}); err != nil {
			return err
		}
	}
	return nil
}

// maxLate is how many of the newest numbers may still be late: flows get theirs when
// they begin and are written a moment later, not always in order.
const maxLate = 256

// late reports whether a flow that is not there may still come.
func (l *look) late(id flow.ID) bool { return id > l.newest-maxLate }

// noteLate notes the numbers below a flow that were passed over, to look again.
func (l *look) noteLate(id flow.ID) {
	for passed := max(l.msg.next, l.newest-maxLate) + 1; passed < id; passed++ {
		l.msg.open = append(l.msg.open, passed)
	}
}

// askIndex finds the words in bodies and messages, which flows do not bring along.
func (l *look) askIndex() error {
	if l.words != nil {
		return nil
	}
	for _, word := range l.filter.Words() {
		ids, err := l.store.Search(l.ctx, word)
		if err != nil {
			return err
		}
		l.words = append(l.words, ids)
	}
	l.msg.words = l.words
	return nil
}

// searchHost looks at the flows of one host only, which the capture has an index of.
func (l *look) searchHost(host string) error {
	for {
		page, err := l.store.Flows(l.ctx, capture.Query{Host: host, After: l.msg.next, Before: l.newest + 1, Limit: 500})
		if err != nil {
			return err
		}
		if err := l.matchNew(page); err != nil || len(page) < 500 {
			return err
		}
		l.tell()
	}
}

// lookAgain looks at flows that had not ended when they were looked at, or were not
// there yet.
func (l *look) lookAgain() error {
	for part := range slices.Chunk(l.again, 500) {
		page, err := l.store.Flows(l.ctx, capture.Query{IDs: part, Limit: len(part)})
		if err != nil {
			return err
		}
		if err := l.loadBodies(page); err != nil {
			return err
		}
		for _, id := range part {
			if !has(page, id) && l.late(id) {
				l.msg.open = append(l.msg.open, id)
			}
		}
		next := l.msg.next
		if err := l.match(page); err != nil {
			return err
		}
		l.msg.next = next
	}
	l.msg.again = l.again
	return nil
}

// has reports whether a flow is on a page.
func has(page []capture.Recorded, id flow.ID) bool {
	_, found := slices.BinarySearchFunc(page, id, func(r capture.Recorded, id flow.ID) int { return cmp.Compare(r.Flow.ID, id) })
	return found
}

// loadBodies fills in what the filter reads and pages leave out.
func (l *look) loadBodies(page []capture.Recorded) error {
	if !l.filter.Names("body") {
		return nil
	}
	from := loader{l.ctx, l.store, nil}
	for i, r := range page {
		whole, frames, err := from.flow(r.Flow.ID)
		if err != nil {
			return err
		}
		f := *whole.Flow
		f.Frames = frames
		page[i].Flow = &f
	}
	return nil
}

func (l *look) match(batch []capture.Recorded) error {
	for _, r := range batch {
		ok, err := l.picks(r)
		if err != nil {
			return err
		}
		l.msg.next = r.Flow.ID
		sender := deviceOf(r.Flow)
		if ok && r.Flow.Ended() {
			l.msg.found.devices[sender]++
		}
		ok = ok && (!l.only.IsValid() || sender == l.only) && !(l.quiet && r.Flow.Kind == flow.DNS)
		if !r.Flow.Ended() {
			l.msg.open = append(l.msg.open, r.Flow.ID)
			if ok { // shown from now on, counted at its end
				l.msg.found.ids = append(l.msg.found.ids, r.Flow.ID)
			}
			continue
		}
		if ok {
			l.msg.found.take(r)
		}
	}
	return nil
}

func (l *look) picks(r capture.Recorded) (bool, error) {
	if l.filter.Words() == nil {
		return l.filter.Match(r.Flow, r.Judgement)
	}
	return l.filter.MatchWords(r.Flow, r.Judgement, func(word int) bool {
		_, ok := slices.BinarySearch(l.words[word], r.Flow.ID)
		return ok
	}), nil
}
