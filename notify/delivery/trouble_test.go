package delivery_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"telltale/event"
	"telltale/notify"
	"telltale/notify/delivery"
	"telltale/notify/outbox"
	"telltale/notify/transport"
)

func TestEventsThatNobodyTakesAreSaidToBeLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &room{name: "lab"})
		r.start(func(c *delivery.Config) { c.Capture = "" })
		r.observe("v0")
		sleep(time.Second)
		r.audit.err = errors.New("disk error")
		if err := r.Close(context.Background()); err == nil || !strings.Contains(err.Error(), "1 events") || !strings.Contains(err.Error(), "disk error") {
			t.Errorf("close: %v", err)
		}
		if n := strings.Count(r.log.String(), "level=WARN"); n != 0 && n > 2 {
			t.Errorf("%d warnings", n)
		}
	})
}

func TestOneTroubleFillsNoLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := &room{name: "lab"}
		r := newRig(t, lab)
		r.audit.err = errors.New("disk error")
		r.start()
		sleep(time.Hour)
		if n := strings.Count(r.log.String(), "level=WARN"); n != 1 {
			t.Errorf("%d warnings", n)
		}
		r.audit.mutex.Lock()
		r.audit.err = nil
		r.audit.mutex.Unlock()
		r.audit.add("v0")
		r.stop(time.Minute)
		_, violations := lab.got()
		equal(t, "after the trouble", violations, []string{"v0"})
	})
}

func TestAcknowledgedWhileTheDiskIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		desk := &room{name: "desk"}
		r := newRig(t, desk)
		r.start(func(c *delivery.Config) {
			c.Recipients = func(event.Event) []notify.Recipient {
				return []notify.Recipient{{Destination: "elsewhere", Escalations: []notify.Escalation{{After: time.Hour, Destination: "desk"}}}}
			}
		})
		sleep(time.Second)
		r.fail("BEFORE UPDATE ON sources WHEN NEW.seq > OLD.seq")
		r.observe("aa", "bb")
		sleep(time.Minute)
		if done, err := r.Acknowledge(outbox.Acknowledgement{Audit: "audit", Violation: "a", By: "screen"}); err != nil || len(done) != 1 || done[0].Violation != "aa" {
			t.Errorf("acknowledged %+v, %v", done, err)
		}
		sleep(time.Hour)
		_, violations := desk.got()
		equal(t, "escalated from memory", violations, []string{"bb"})
		r.heal()
		r.stop(time.Second)
	})
}

func TestADamagedOutboxIsNoReasonToBeSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := &room{name: "lab", each: true}
		r := newRig(t, lab)
		damaged := []byte(strings.Repeat("no database ", 1000))
		if err := os.WriteFile(r.path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		r.start()
		r.observe(names(20)...)
		sleep(time.Minute)
		_, violations := lab.got()
		equal(t, "from memory", violations, names(20))
		if s := r.Status(); !strings.Contains(s.Trouble, "memory") || !strings.Contains(r.log.String(), "damaged") {
			t.Errorf("nobody says so: %+v, %s", s, r.log)
		}
		lab.answer = func(post, int) transport.Outcome { return again }
		r.observe("lost1", "lost2")
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		if err := r.Close(ctx); err == nil || !strings.Contains(err.Error(), "2 messages") || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("close: %v", err)
		}
		if content, err := os.ReadFile(r.path); err != nil || !slices.Equal(content, damaged) {
			t.Error("the file was changed")
		}
	})
}

func TestAFullDiskIsNoReasonToBeSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := &room{name: "lab", each: true}
		r := newRig(t, lab)
		r.start()
		r.observe("v0")
		sleep(time.Minute)
		r.fail("BEFORE UPDATE ON sources WHEN NEW.seq > OLD.seq")
		r.observe("v1", "v2")
		sleep(time.Minute)
		r.observe("v3")
		sleep(time.Minute)
		_, violations := lab.got()
		equal(t, "while the disk is full", violations, names(4))
		if s := r.Status(); !strings.Contains(s.Trouble, "disk is full") {
			t.Errorf("status: %+v", s)
		}
		r.heal()
		r.observe("v4")
		sleep(time.Minute)
		if s := r.Status(); s.Trouble != "" {
			t.Errorf("status when it works again: %+v", s)
		}
		r.fail("BEFORE UPDATE ON sources WHEN NEW.seq > OLD.seq")
		lab.answer = func(post, int) transport.Outcome { return again }
		r.observe("v5")
		sleep(time.Minute)
		r.heal()
		r.stop(time.Millisecond) // what waits in memory moves to the file
		if waiting := r.messages(outbox.Waiting); len(waiting) != 1 {
			t.Errorf("waiting: %+v", waiting)
		}
		lab.answer = nil
		r.start()
		r.stop(time.Minute)
		_, violations = lab.got()
		equal(t, "in all", violations, names(6))
	})
}

func TestWhatCannotBeNotedIsNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := &room{name: "lab", each: true}
		r := newRig(t, lab)
		r.start()
		sleep(time.Second)
		r.fail("BEFORE UPDATE ON messages WHEN NEW.state = 'delivered'")
		r.observe(names(3)...)
		sleep(10 * time.Minute)
		posts, _ := lab.got()
		if len(posts) != 3 {
			t.Errorf("%d posts of 3 messages", len(posts))
		}
		r.heal()
		sleep(10 * time.Minute)
		r.stop(time.Second)
		posts, violations := lab.got()
		equal(t, "in all", violations, names(3))
		if done := r.messages(outbox.Delivered); len(posts) != 3 || len(done) != 3 {
			t.Errorf("%d posts, %d noted", len(posts), len(done))
		}
	})
}
