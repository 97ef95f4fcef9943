package delivery_test

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"telltale/event"
	"telltale/guard/raced"
	"telltale/notify"
	"telltale/notify/delivery"
	"telltale/notify/outbox"
	"telltale/notify/transport"
)

// sleep lets the time of a bubble pass and everybody do what is due by then.
func sleep(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestBurstsGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := &room{name: "lab"}
		r := newRig(t, lab)
		r.start()
		r.observe("v0")
		sleep(time.Second)
		r.observe("v1")
		sleep(2 * time.Second)
		r.observe("v2")
		for range 5 {
			sleep(5 * time.Second)
			r.observe("v3")
		}
		sleep(10 * time.Second)
		sleep(time.Hour)
		r.observe("v4")
		r.stop(time.Second)
		posts, _ := lab.got()
		want := []struct {
			at         time.Duration
			violations []string
		}{
			{2 * time.Second, []string{"v0", "v1"}},
			{32 * time.Second, []string{"v2", "v3"}},
			{time.Hour + 38*time.Second, []string{"v4"}},
		}
		if len(posts) != len(want) {
			t.Fatalf("%d messages: %+v", len(posts), posts)
		}
		for i, w := range want {
			got := slices.Sorted(slices.Values(posts[i].violations()))
			if !slices.Equal(got, w.violations) || posts[i].at != w.at {
				t.Errorf("message %d: %v at %v, not %v at %v", i, got, posts[i].at, w.violations, w.at)
			}
		}
		if first := posts[0].message.Items; first[0].Count != 7 || first[0].AtLeast || !first[1].AtLeast {
			t.Errorf("counts: %+v", first)
		}
		if r.audit.told != int64(len(r.audit.events)) {
			t.Errorf("told %d of %d events", r.audit.told, len(r.audit.events))
		}
	})
}

func TestManyEventsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := &room{name: "lab"}
		r := newRig(t, lab)
		r.audit.add(names(2500)...)
		r.start()
		sleep(time.Second)
		if posts, _ := lab.got(); len(posts) != 2 {
			t.Errorf("%d messages before the burst has gathered, of what is too much to gather", len(posts))
		}
		r.audit.add(names(2600)[2500:]...)
		r.stop(time.Minute)
		posts, _ := lab.got()
		var told []int
		for _, p := range posts {
			told = append(told, p.message.More+len(p.message.Items))
		}
		if !slices.Equal(told, []int{1000, 1000, 600}) {
			t.Errorf("messages of %v violations", told)
		}
	})
}

func TestAPoisonedMessageHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := &room{name: "lab", each: true, answer: func(p post, _ int) transport.Outcome {
			switch p.violations()[0] {
			case "v0":
				return again
			case "v1":
				return rejected
			case "v2":
				panic("poison")
			}
			return delivered
		}}
		r := newRig(t, lab)
		r.start()
		r.observe(names(50)...)
		sleep(delivery.Lead)
		_, violations := lab.got()
		if !slices.Equal(violations, names(50)[3:]) {
			t.Errorf("arrived at once, in order: %q", violations)
		}
		if dead := r.messages(outbox.Dead); len(dead) != 2 || dead[0].Reason != rejected.Reason || !strings.Contains(dead[1].Reason, "failed to write") {
			t.Errorf("dead: %+v", dead)
		}
		sleep(time.Second)
		if s := r.Status(); s.Waiting != 1 || s.Dead != 2 || s.Trouble == "" {
			t.Errorf("status: %+v", s)
		}
		sleep(delivery.GiveUp + time.Hour)
		dead := r.messages(outbox.Dead)
		if len(dead) != 3 || !strings.Contains(dead[0].Reason, "given up after") || !strings.Contains(dead[0].Reason, again.Reason) {
			t.Errorf("after a day: %+v", dead)
		}
		if n := dead[0].Attempts; n < 60 || n > 250 {
			t.Errorf("%d attempts in a day", n)
		}
		r.stop(time.Second)
	})
}

func TestAReceiverThatIsDownForAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const up = time.Hour
		lab := &room{name: "lab", each: true, answer: func(p post, _ int) transport.Outcome {
			if p.at < up {
				return again
			}
			return delivered
		}}
		r := newRig(t, lab)
		r.start()
		r.observe(names(raced.Size(300, 30))...)
		sleep(time.Hour)
		posts, _ := lab.got()
		if len(posts) > 50 {
			t.Errorf("%d attempts at a receiver that is down", len(posts))
		}
		sleep(20 * time.Minute)
		all, violations := lab.got()
		equal(t, "after the hour", violations, names(raced.Size(300, 30)))
		if len(all)-len(posts) != raced.Size(300, 30) {
			t.Errorf("%d attempts for %d messages", len(all)-len(posts), raced.Size(300, 30))
		}
		r.stop(time.Second)
	})
}

func TestReceiversThatAskForTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := transport.Outcome{Status: transport.Again, After: 20 * time.Second, Reason: "the receiver answered 429"}
		lab := &room{name: "lab", each: true, answer: func(_ post, nth int) transport.Outcome {
			if nth == 1 {
				return asked
			}
			return delivered
		}}
		r := newRig(t, lab)
		r.start()
		r.observe("v0")
		sleep(time.Hour)
		posts, _ := lab.got()
		if len(posts) != 2 || posts[1].at-posts[0].at < asked.After {
			t.Errorf("attempts: %+v", posts)
		}
		lab.answer = func(p post, nth int) transport.Outcome { // a hostile one
			if p.message.Items[0].ID == "v1" {
				return transport.Outcome{Status: transport.Again, After: time.Hour, Reason: "later"}
			}
			return delivered
		}
		r.observe("v1", "v2")
		sleep(2 * time.Minute)
		if _, violations := lab.got(); !slices.Contains(violations, "v2") {
			t.Error("one message that is to wait for an hour stops those behind it")
		}
		r.stop(time.Second)
	})
}

func TestADestinationThatHangsHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := &room{name: "lab", each: true}
		r := newRig(t, lab, &room{name: "hangs", each: true})
		attempts := 0
		r.start(func(c *delivery.Config) {
			c.Destinations[1].Send = func(ctx context.Context, _ notify.Message) transport.Outcome {
				attempts++
				ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
				defer cancel()
				<-ctx.Done()
				return transport.Outcome{Status: transport.Again, Reason: "it did not answer"}
			}
		})
		r.observe(names(100)...)
		sleep(delivery.Lead)
		_, violations := lab.got()
		equal(t, "beside one that hangs", violations, names(100))
		before := time.Now()
		r.observe("last")
		r.stop(5 * time.Second)
		if took := time.Since(before); took > 5*time.Second {
			t.Errorf("the end took %v", took)
		}
		if waiting := r.messages(outbox.Waiting); len(waiting) != 101 {
			t.Errorf("%d wait for the one that hangs", len(waiting))
		}
		if attempts > 5 {
			t.Errorf("%d attempts", attempts)
		}
	})
}

func TestTheEndWaitsForWhatIsSoonTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := &room{name: "lab", answer: func(_ post, nth int) transport.Outcome {
			if nth < 3 {
				return again
			}
			return delivered
		}}
		r := newRig(t, lab)
		r.start()
		r.observe("v0")
		r.stop(10 * time.Second)
		if _, violations := lab.got(); !slices.Equal(violations, []string{"v0"}) {
			t.Errorf("arrived: %q", violations)
		}
		before := time.Now()
		r.start()
		r.stop(time.Minute)
		if time.Since(before) != 0 {
			t.Error("with nothing to send, the end takes time")
		}
	})
}

func TestNothingIsSentAgainAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := &room{name: "lab", answer: func(post, int) transport.Outcome { return again }}
		r := newRig(t, lab)
		r.start()
		r.observe("v0")
		r.stop(time.Millisecond)
		waiting := r.messages(outbox.Waiting)
		if len(waiting) != 1 || waiting[0].Reason != again.Reason {
			t.Fatalf("waiting: %+v", waiting)
		}
		lab.answer = nil
		for range 3 {
			r.start()
			r.observe("v1")
			r.stop(time.Minute)
		}
		posts, violations := lab.got()
		equal(t, "in all", violations, []string{"v0", "v1", "v1", "v1"})
		if last := posts[len(posts)-1]; posts[0].message.ID == last.message.ID {
			t.Error("two messages have one ID")
		}
		for _, p := range posts {
			if p.violations()[0] == "v0" && p.message.ID != waiting[0].ID {
				t.Errorf("an attempt had the ID %s", p.message.ID)
			}
		}
	})
}

func TestCapturesThatWereLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := &room{name: "lab", each: true}
		r := newRig(t, lab)
		left := map[string]*audit{}
		for _, name := range []string{"killed", "live", "gone", "replaced", "broken"} {
			left[name] = &audit{id: name}
			left[name].add(name+"1", name+"2")
			r.inbox(func(box *outbox.Outbox) {
				if _, err := box.Register(name, name); err != nil {
					t.Fatal(err)
				}
			})
		}
		left["killed"].addRow("{")
		left["killed"].add("killed3")
		left["replaced"].id = "another"
		left["broken"].err = errors.New("disk error")
		config := func(c *delivery.Config) {
			c.Source = nil
			c.Left = func(path string) (delivery.Left, error) {
				if !filepath.IsAbs(path) {
					t.Errorf("%q is not to be found from another folder", path)
				}
				path = filepath.Base(path)
				switch path {
				case "live":
					return nil, delivery.ErrLive
				case "gone":
					return nil, fs.ErrNotExist
				}
				return left[path], nil
			}
		}
		for range 2 {
			r.start(config)
			r.stop(time.Minute)
		}
		_, violations := lab.got()
		equal(t, "from captures", violations, []string{"killed1", "killed2", "killed3"})
		if !left["killed"].closed || !left["broken"].closed {
			t.Error("a capture was left open")
		}
		r.inbox(func(box *outbox.Outbox) {
			sources, err := box.Sources()
			if err != nil || len(sources) != 2 || sources[0].Audit != "broken" || sources[1].Audit != "live" {
				t.Errorf("sources: %+v, %v", sources, err)
			}
		})
		left["broken"].err = nil
		r.start(config)
		sleep(time.Second)
		_, violations = lab.got()
		equal(t, "when it can be read", violations[3:], []string{"broken1", "broken2"})
		r.stop(time.Minute)
	})
}

func TestEscalation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab, desk := &room{name: "lab"}, &room{name: "desk"}
		r := newRig(t, lab, desk)
		start := func() {
			r.start(func(c *delivery.Config) {
				c.Recipients = func(event.Event) []notify.Recipient {
					return []notify.Recipient{{Destination: "lab", Escalations: []notify.Escalation{{After: 30 * time.Minute, Destination: "desk"}, {After: time.Hour, Destination: "nobody"}}}}
				}
				c.Settled = func(_, violation string) bool { return violation == "waived" }
			})
		}
		start()
		r.observe("forgotten", "acknowledged", "waived")
		sleep(10 * time.Minute)
		r.inbox(func(box *outbox.Outbox) {
			if _, err := box.Acknowledge(outbox.Acknowledgement{Audit: "audit", Violation: "acknow", By: "link"}); err != nil {
				t.Error(err)
			}
		})
		r.observe("forgotten") // ten times as often
		r.stop(time.Second)
		sleep(10 * time.Minute)
		start()
		sleep(9 * time.Minute)
		if posts, _ := desk.got(); len(posts) != 0 {
			t.Errorf("too early: %+v", posts)
		}
		sleep(2 * time.Minute)
		posts, violations := desk.got()
		equal(t, "escalated", violations, []string{"forgotten"})
		if len(posts) == 1 && posts[0].message.Escalated != "Nobody acknowledged it within 30 minutes." {
			t.Errorf("why: %q", posts[0].message.Escalated)
		}
		r.stop(time.Second)
		start()
		r.observe("forgotten", "acknowledged")
		sleep(3 * time.Hour)
		_, violations = desk.got()
		equal(t, "hours later", violations, []string{"forgotten"})
		r.stop(time.Second)
	})
}

func TestLinksAreMadeWhenAMessageIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := &room{name: "lab", answer: func(_ post, nth int) transport.Outcome {
			if nth == 1 {
				return again
			}
			return delivered
		}}
		r := newRig(t, lab)
		links := 0
		r.start(func(c *delivery.Config) {
			c.Link = func(audit, violation string) string { links++; return "https://lab.example/" + audit + "/" + violation }
		})
		r.observe("v0")
		sleep(time.Minute)
		posts, _ := lab.got()
		if len(posts) != 2 || links != 2 || posts[1].message.Items[0].Acknowledge != "https://lab.example/audit/v0" {
			t.Errorf("%d links, %+v", links, posts)
		}
		r.stop(time.Second)
	})
}

func TestADestinationThatCannotBeTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := &room{name: "lab"}
		r := newRig(t, lab)
		r.start(func(c *delivery.Config) { c.Destinations[0].Send = nil })
		r.observe("v0")
		r.stop(time.Minute)
		if waiting := r.messages(outbox.Waiting); len(waiting) != 1 {
			t.Fatalf("waiting: %+v", waiting)
		}
		r.start(func(c *delivery.Config) { c.Destinations[0].Identity = "the same name in another project" })
		r.stop(time.Minute)
		if posts, _ := lab.got(); len(posts) != 0 {
			t.Errorf("sent elsewhere: %+v", posts)
		}
		r.start()
		r.stop(time.Minute)
		_, violations := lab.got()
		equal(t, "when it is configured", violations, []string{"v0"})
	})
}

func TestWakeNeverWaits(t *testing.T) {
	r := newRig(t, &room{name: "lab"})
	r.start()
	r.audit.mutex.Lock() // whoever asks for events waits
	for range 1000 {
		r.Wake()
	}
	r.audit.mutex.Unlock()
	r.stop(time.Second)
}
