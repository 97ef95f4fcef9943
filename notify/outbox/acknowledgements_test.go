package outbox_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"telltale/notify"
	"telltale/notify/outbox"
)

// about is a message that names violations.
func about(id, audit string, violations ...string) outbox.Draft {
	m := notify.Message{ID: id, Audit: audit}
	for _, v := range violations {
		m.Items = append(m.Items, notify.Item{ID: v, Rule: "tracker", Host: v + ".example"})
	}
	return outbox.Draft{To: lab, Message: m}
}

func TestWhatSomebodyWasToldOfCanBeAcknowledged(t *testing.T) {
	path, c := newPath(t), newClock()
	box := open(t, path, c)
	must(t, box.Add([]outbox.Draft{about("m1", "one", "ab1", "ab12", "c3"), about("m2", "two", "c3")}, nil))
	for range 2 {
		m, _ := claim(t, box, lab)
		must(t, box.Delivered(m, "")) // the text of a message goes, and what it named stays
	}
	list, err := box.Unacknowledged()
	must(t, err)
	if len(list) != 4 || list[0] != (outbox.Told{Audit: "one", Violation: "ab1", Rule: "tracker", Host: "ab1.example"}) {
		t.Errorf("unacknowledged: %+v", list)
	}
	var ambiguous *outbox.AmbiguousError
	if _, err := box.Acknowledge(outbox.Acknowledgement{Violation: "ab"}); !errors.As(err, &ambiguous) {
		t.Errorf("an ambiguous start: %v", err)
	}
	var unknown *outbox.NotToldError
	if _, err := box.Acknowledge(outbox.Acknowledgement{Violation: "d"}); !errors.As(err, &unknown) {
		t.Errorf("an unknown violation: %v", err)
	}
	for _, want := range []struct {
		id, whole string
		audits    []string
		before    bool
	}{{"ab1", "ab1", []string{"one"}, false}, {"c", "c3", []string{"one", "two"}, false}, {"c3", "c3", []string{"one", "two"}, true}} {
		done, err := box.Acknowledge(outbox.Acknowledgement{Violation: want.id, By: "command line"})
		must(t, err)
		var audits []string
		for _, a := range done {
			audits = append(audits, a.Audit)
			if a.Violation != want.whole || a.Before != want.before || a.By != "command line" || !a.Time.Equal(c.now()) {
				t.Errorf("%s: %+v", want.id, a)
			}
		}
		if !slices.Equal(audits, want.audits) {
			t.Errorf("%s: of audits %q", want.id, audits)
		}
	}
	if list, err := box.Unacknowledged(); err != nil || len(list) != 1 || list[0].Violation != "ab12" {
		t.Errorf("unacknowledged: %+v, %v", list, err)
	}
	c.add(8 * 24 * time.Hour)
	must(t, box.Sweep(nil, func(string) bool { return true }))
	if list, err := box.Unacknowledged(); err != nil || len(list) != 0 {
		t.Errorf("after their messages: %+v, %v", list, err)
	}
	if done, err := box.Acknowledge(outbox.Acknowledgement{Violation: "c3"}); err != nil || len(done) != 2 || !done[0].Before {
		t.Errorf("a second time, later: %+v, %v", done, err)
	}
}

func TestAcknowledgementsOfAnAudit(t *testing.T) {
	path, c := newPath(t), newClock()
	a, b := open(t, path, c), open(t, path, c) // as two processes would
	must(t, a.Add([]outbox.Draft{about("m1", "one", "v1", "v2", "v3"), about("m2", "two", "w1")}, nil))
	var at int64
	for _, step := range [][]string{{"v1", "w1"}, {}, {"v3", "v2", "v1"}} {
		for _, v := range step {
			_, err := b.Acknowledge(outbox.Acknowledgement{Violation: v, By: "command line"})
			must(t, err)
		}
		list, last, err := a.Acknowledgements("one", at)
		must(t, err)
		at = last
		var got, want []string
		for _, x := range list {
			got = append(got, x.Violation)
		}
		for _, v := range step {
			if v[0] == 'v' && (v != "v1" || len(step) == 2) {
				want = append(want, v)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q acknowledged: %q came", step, got)
		}
	}
}

func TestNothingOfADeliveredMessageStaysInTheFiles(t *testing.T) {
	path, c := newPath(t), newClock()
	box := open(t, path, c)
	secret := []byte("who reads this knows of a host")
	d := drafts(lab, "m1")[0]
	d.Message.Text = string(bytes.Repeat(secret, 400)) // of several pages
	must(t, box.Add([]outbox.Draft{d}, nil))
	found := func() bool {
		t.Helper()
		files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
		must(t, err)
		for _, file := range append(files, path) {
			content, err := os.ReadFile(file)
			must(t, err)
			if bytes.Contains(content, secret) {
				return true
			}
		}
		return false
	}
	if !found() {
		t.Error("the test looks at the wrong place")
	}
	m, _ := claim(t, box, lab)
	must(t, box.Delivered(m, ""))
	must(t, box.Sweep(nil, func(string) bool { return true }))
	if found() {
		t.Error("the text of a delivered message can be read")
	}
}

func TestBallastMakesRoomOnce(t *testing.T) {
	path, c := newPath(t), newClock()
	box := open(t, path, c)
	if info, err := os.Stat(path + ".ballast"); err != nil || info.Size() < 100<<10 {
		t.Errorf("no ballast: %v, %v", info, err)
	}
	if !box.DropBallast() || box.DropBallast() {
		t.Error("ballast is dropped once")
	}
	open(t, path, c)
	if _, err := os.Stat(path + ".ballast"); err != nil {
		t.Error("no new ballast")
	}
}

func TestWhatNobodyDeliversIsNotKept(t *testing.T) {
	c := newClock()
	box := open(t, newPath(t), c)
	must(t, box.Add(drafts(lab, "m1"), nil))
	there := func(string) bool { return true }
	c.add(29 * 24 * time.Hour)
	must(t, box.Sweep(nil, there)) // by who does not know whether it is configured
	if m := one(t, box, "m1"); m.State != outbox.Waiting {
		t.Errorf("too early: %+v", m)
	}
	c.add(2 * 24 * time.Hour)
	must(t, box.Sweep(nil, there))
	if m := one(t, box, "m1"); m.State != outbox.Dead || m.Document.Title != "" {
		t.Errorf("after thirty days: %+v", m)
	}
}
