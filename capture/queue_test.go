package capture

import (
	"runtime"
	"testing"

	"telltale/flow"
)

func TestQueueKeepsOrderAndCountsBytes(t *testing.T) {
	q := newQueue(10, 100)
	for i := range 5 {
		q.put(observation{flow: &flow.Flow{ID: flow.ID(i + 1)}, size: 10})
	}
	<-q.ready
	items := q.take(nil)
	if len(items) != 5 || items[0].flow.ID != 1 || items[4].flow.ID != 5 {
		t.Fatalf("%v", items)
	}
	if q.pressed() {
		t.Error("50 of 100 bytes press")
	}
	q.put(observation{flow: &flow.Flow{ID: 6}, size: 10})
	if !q.pressed() {
		t.Error("taken bytes do not count until they are released")
	}
	q.release(50)
	if q.pressed() {
		t.Error("released bytes count")
	}
	if items = q.take(items); len(items) != 1 || items[0].flow.ID != 6 {
		t.Errorf("%v", items)
	}
}

// blocked starts a put and reports when it came through.
func blocked(t *testing.T, q *queue, size int64) <-chan bool {
	t.Helper()
	done := make(chan bool, 1)
	started := make(chan struct{})
	go func() {
		close(started)
		done <- q.put(observation{flow: &flow.Flow{}, size: size})
	}()
	<-started
	for range 100 {
		runtime.Gosched()
	}
	select {
	case <-done:
		t.Error("put did not wait")
	default:
	}
	return done
}

func TestFullQueueMakesProducersWait(t *testing.T) {
	q := newQueue(2, 100)
	q.put(observation{size: 1})
	q.put(observation{size: 1})
	done := blocked(t, q, 1) // by count
	q.take(nil)
	if !<-done {
		t.Error("refused")
	}
	q.take(nil)
	q.release(3)
	if !q.put(observation{size: 1000}) { // too large for the bound: passes alone
		t.Error("refused")
	}
	q.take(nil)
	done = blocked(t, q, 1) // by bytes that the worker still holds
	q.release(1000)
	if !<-done {
		t.Error("refused")
	}
	q.put(observation{size: 1})
	done = blocked(t, q, 1)
	q.close()
	if <-done || q.put(observation{}) {
		t.Error("a closed queue takes flows")
	}
	if got := q.take(nil); len(got) != 2 {
		t.Errorf("%d of what was queued before", len(got))
	}
}

// The worker is woken from sleep, and when much has gathered; not for each flow.
func TestQueueWakesSeldom(t *testing.T) {
	woken := func(q *queue) bool {
		select {
		case <-q.ready:
			return true
		default:
			return false
		}
	}
	q := newQueue(10, 8000)
	q.put(observation{size: 1})
	if !woken(q) {
		t.Error("asleep and not woken")
	}
	q.put(observation{size: 1})
	if woken(q) {
		t.Error("woken although awake")
	}
	q.sleep()
	if !woken(q) {
		t.Error("sleeps on what waits")
	}
	q.take(nil)
	q.sleep()
	if woken(q) {
		t.Error("woken by nothing")
	}
	q.put(observation{size: 1})
	q.take(nil)
	<-q.ready
	for range 5 {
		q.put(observation{size: 1})
	}
	if woken(q) {
		t.Error("woken by half")
	}
	q.put(observation{size: 1})
	if !woken(q) {
		t.Error("not woken by more than half")
	}
	q.take(nil)
	q.put(observation{size: 1001})
	if !woken(q) {
		t.Error("not woken by many bytes")
	}
}

func TestRecentForgetsTheOld(t *testing.T) {
	r := newRecent[int, string](2)
	r.put(1, "a")
	r.put(2, "b")
	r.put(3, "c") // 1 and 2 are old now
	if v, ok := r.get(1); !ok || v != "a" {
		t.Error("an old entry is lost")
	}
	r.put(4, "d") // 3 and 1 are old now
	if _, ok := r.get(2); ok {
		t.Error("an entry that nobody used is kept")
	}
	if _, ok := r.get(1); !ok {
		t.Error("an entry that was used is lost")
	}
}

func TestIDSet(t *testing.T) {
	s := idSet{}
	for _, id := range []uint64{1, 63, 64, 4095, 4096, 1 << 40} {
		if s.has(id) {
			t.Errorf("%d before it is added", id)
		}
		s.add(id)
		if !s.has(id) || s.has(id+1) && id != 63 && id != 4095 {
			t.Errorf("%d", id)
		}
	}
}
