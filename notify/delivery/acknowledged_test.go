package delivery_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"telltale/event"
	"telltale/notify"
	"telltale/notify/delivery"
	"telltale/notify/outbox"
)

// escalating says that the lab is told, and the desk unless somebody acknowledges.
func escalating(c *delivery.Config) {
	c.Recipients = func(event.Event) []notify.Recipient {
		return []notify.Recipient{{Destination: "lab", Escalations: []notify.Escalation{{After: time.Hour, Destination: "desk"}}}}
	}
}

func TestWhatFallsDueTogetherIsOneMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab, desk := &room{name: "lab"}, &room{name: "desk"}
		r := newRig(t, lab, desk)
		r.start(escalating)
		r.observe(names(300)...)
		sleep(30 * time.Minute)
		done, err := r.Acknowledge(outbox.Acknowledgement{Violation: "v7", By: "screen"})
		if err != nil || len(done) != 1 || done[0].Audit != "audit" {
			t.Fatalf("acknowledged: %+v, %v", done, err)
		}
		sleep(time.Hour)
		posts, violations := desk.got()
		if len(posts) != 1 || len(violations) != 299 {
			t.Fatalf("%d messages of %d violations", len(posts), len(violations))
		}
		if m := posts[0].message; m.Escalated != "Nobody acknowledged them within 1 hour." {
			t.Errorf("why: %q", m.Escalated)
		}
		r.stop(time.Second)
	})
}

func TestIssuesEscalateApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab, desk := &room{name: "lab"}, &room{name: "desk", each: true}
		r := newRig(t, lab, desk)
		r.start(escalating)
		r.observe(names(3)...)
		sleep(2 * time.Hour)
		posts, violations := desk.got()
		if len(posts) != 3 {
			t.Errorf("%d issues", len(posts))
		}
		equal(t, "escalated", violations, names(3))
		r.stop(time.Second)
	})
}

func TestTheAuditHearsOfAcknowledgements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &room{name: "lab"})
		r.start()
		r.observe("v0", "v1")
		sleep(time.Minute)
		r.inbox(func(box *outbox.Outbox) { // of another process
			if _, err := box.Acknowledge(outbox.Acknowledgement{Violation: "v1", By: "command line"}); err != nil {
				t.Error(err)
			}
		})
		list, last, err := r.Acknowledgements(0)
		if err != nil || len(list) != 1 || list[0].Violation != "v1" || list[0].By != "command line" || list[0].Time.IsZero() {
			t.Errorf("acknowledged: %+v, %v", list, err)
		}
		if list, again, err := r.Acknowledgements(last); err != nil || len(list) != 0 || again != last {
			t.Errorf("after that: %+v, %v", list, err)
		}
		r.stop(time.Second)
	})
}

func TestWhereLinksDoNotBelong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab, tracker := &room{name: "lab"}, &room{name: "tracker", each: true}
		r := newRig(t, lab, tracker)
		earlier := &audit{id: "earlier"}
		earlier.add("old")
		r.inbox(func(box *outbox.Outbox) {
			if _, err := box.Register("earlier", "earlier"); err != nil {
				t.Fatal(err)
			}
		})
		r.start(func(c *delivery.Config) {
			c.Left = func(string) (delivery.Left, error) { return earlier, nil }
			c.Link = func(_, violation string) string { return "https://lab.example/" + violation }
		})
		r.observe("v0")
		sleep(time.Minute)
		for _, room := range r.rooms {
			posts, violations := room.got()
			equal(t, room.name, violations, []string{"old", "v0"})
			for _, p := range posts {
				item := p.message.Items[0]
				if want := room == lab && item.ID == "v0"; (item.Acknowledge != "") != want {
					t.Errorf("%s: link of %s: %q", room.name, item.ID, item.Acknowledge)
				}
			}
		}
		r.stop(time.Second)
	})
}

func TestAllIsTakenWhenNoTimeIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &room{name: "lab"})
		r.start()
		sleep(time.Second)
		r.audit.add(names(1700)...) // of which nobody said anything
		over, cancel := context.WithCancel(context.Background())
		cancel()
		if err := r.Close(over); err != nil {
			t.Errorf("close: %v", err)
		}
		n := 0
		for _, m := range r.messages(outbox.Waiting, outbox.Delivered) {
			n += len(m.Document.Items) + m.Document.More
		}
		r.inbox(func(box *outbox.Outbox) {
			if sources, err := box.Sources(); err != nil || len(sources) != 0 || n != 1700 {
				t.Errorf("%d of 1700 are messages; left: %+v, %v", n, sources, err)
			}
		})
	})
}

func TestWhatIsToldAgainIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := &room{name: "lab"}
		r := newRig(t, lab)
		r.start()
		sleep(time.Second)
		r.fail("BEFORE UPDATE ON sources WHEN NEW.seq > OLD.seq")
		r.observe("v0")
		sleep(time.Minute)
		if _, violations := lab.got(); len(violations) != 1 {
			t.Fatalf("told: %q", violations)
		}
		if err := r.Close(context.Background()); err == nil || !strings.Contains(err.Error(), "1 events are told again") {
			t.Errorf("close: %v", err)
		}
	})
}

func TestADiscardedCaptureIsNotSpokenOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := &room{name: "lab"}
		r := newRig(t, lab)
		r.start(func(c *delivery.Config) { c.Discarded = true })
		r.observe("v0")
		sleep(time.Minute)
		if posts, _ := lab.got(); len(posts) != 1 || strings.Contains(posts[0].message.Next, "watch") {
			t.Errorf("told: %+v", posts)
		}
		r.stop(time.Second)
	})
}
