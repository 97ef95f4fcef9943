package capture

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"runtime"
	"sync"
	"sync/atomic"

	"telltale/exposure"
	"telltale/flow"
)

// Identifiers are looked for once, when a flow has ended and its contents are at hand, and
// kept in the file: judging again needs no contents for their sake. Flows of older files
// are examined whenever they are judged. A flow's list is a row of exposures, shared by
// the flows that have the same: most of those that an app sends again and again.

// storedExposure is a [flow.Exposure] in the column found.
type storedExposure struct {
	Kind   string   `json:"kind"`
	Name   string   `json:"name,omitempty"`
	Where  string   `json:"where"`
	Layers []string `json:"layers,omitempty"`
	Masked string   `json:"masked,omitempty"`
	Digest string   `json:"digest,omitempty"`
}

// joinExposures returns a list with those of another that it lacks: what stands in several
// messages of a WebSocket counts where it stood first. Of each kind it keeps as many as one
// look at all messages would find. It changes neither.
func joinExposures(list, found []flow.Exposure) []flow.Exposure {
	list = list[:len(list):len(list)]
next:
	for i := range found {
		same := 0
		for j := range list {
			a, b := &list[j], &found[i]
			if a.Kind != b.Kind {
				continue
			}
			if same++; same == exposure.MaxOfKind || a.Digest == b.Digest && a.Name == b.Name {
				continue next
			}
		}
		list = append(list, found[i])
	}
	return list
}

// examine looks for identifiers in a state of a flow that nobody examined, given those
// that were found in the states before. It returns a copy where there is news.
func examine(f *flow.Flow, before []flow.Exposure) *flow.Flow {
	if f.Examined != 0 {
		return f
	}
	found := exposure.Known(f)
	if f.Kind == flow.WebSocket {
		found = joinExposures(before, found)
	}
	if len(found) == 0 && !f.Ended() {
		return f
	}
	c := *f
	c.Exposures = found
	if f.Ended() {
		c.Examined = exposure.Version
	}
	return &c
}

// examineTogether is how many flows are worth a second goroutine.
const examineTogether = 16

// examine does so for a batch, on several cores where there is much of it.
func (k *worker) examine(batch []*entry) {
	one := func(e *entry) {
		e.flow = examine(e.flow, e.exposures)
		e.exposures = e.flow.Exposures
	}
	var next atomic.Int64
	some := func() {
		for i := next.Add(1) - 1; i < int64(len(batch)); i = next.Add(1) - 1 {
			one(batch[i])
		}
	}
	var others sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0)-1, len(batch)/examineTogether) {
		others.Go(some)
	}
	some()
	others.Wait()
}

// exposures returns the row of a flow's list, nil for none.
func (w *writer) exposures(found []flow.Exposure) (driver.Value, error) {
	if len(found) == 0 {
		return nil, nil
	}
	list := make([]storedExposure, len(found))
	for i, x := range found {
		list[i] = storedExposure(x)
	}
	text, err := json.Marshal(list)
	if err != nil {
		return nil, err
	}
	key := textKey{maphash.Bytes(w.seeds[0], text), maphash.Bytes(w.seeds[1], text)}
	if id, ok := w.exposed.get(key); ok {
		return id, nil
	}
	id := w.nextExposures
	if err := w.insertExposures.add(w.conn, id, string(text)); err != nil {
		return nil, err
	}
	w.nextExposures++
	w.exposed.put(key, id)
	return id, nil
}

// exposures reads a row of exposures; 0 is none. Flows share what it returns.
func (l *loader) exposures(id int64) ([]flow.Exposure, error) {
	if id == 0 {
		return nil, nil
	}
	if found, ok := l.exposed.get(id); ok {
		return found, nil
	}
	var list []storedExposure
	known := false
	err := l.findExposures.each(func(r []driver.Value) error {
		known = true
		return columns(r).array(0, &list)
	}, id)
	if err == nil && !known {
		err = fmt.Errorf("%w: its exposures are missing", errRow)
	}
	if err != nil {
		return nil, err
	}
	found := make([]flow.Exposure, len(list))
	for i, x := range list {
		found[i] = flow.Exposure(x)
	}
	l.exposed.put(id, found)
	return found, nil
}
