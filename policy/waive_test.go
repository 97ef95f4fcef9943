package policy

import (
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"telltale/declarations"
	"telltale/flow/flowtest"
	"telltale/policy/lists"
)

func TestWithWaiver(t *testing.T) {
	p := parse(t, devicePolicy)
	f := flowtest.Get("https://tracker.example/x")
	before := p.Judge(f)
	if before.Verdict != Violation {
		t.Fatalf("verdict %s", before.Verdict)
	}
	until := f.Times.Start.Add(time.Nanosecond)
	w := Waiver{Violation: before.Findings[0].Fingerprint(), Reason: "known", Until: until, By: "./triage.py"}
	var wait sync.WaitGroup
	wait.Go(func() {
		for range 100 {
			if j := p.Judge(f); j.Verdict != Violation {
				t.Errorf("the policy itself has changed: %s", j.Verdict)
			}
		}
	})
	own := p.WithWaiver(w)
	wait.Wait()
	j := own.Judge(f)
	if j.Verdict != Waived || !strings.Contains(j.Source.Text, "waiver by ./triage.py until "+until.UTC().Format(time.RFC3339)+": known") {
		t.Errorf("%s, %s", j.Verdict, j.Source)
	}
	late := *f
	late.Times.Start = until
	if j := own.Judge(&late); j.Verdict != Violation {
		t.Errorf("after its end: %s", j.Verdict)
	}
	if p.Digest() != own.Digest() || p.Name() != own.Name() {
		t.Error("the digest is another one")
	}
	if w := Lint(own, today); len(w) != len(Lint(p, today)) {
		t.Errorf("lint says more: %v", w)
	}
	if two := own.WithWaiver(Waiver{Violation: "0123456789abcdef", Until: until}); two.Judge(f).Verdict != Waived || len(two.waivers) != len(own.waivers)+1 {
		t.Error("a second waiver loses the first")
	}
}

// A waiver of a violation excuses no other of the same rule at the same host, and what led up
// to it.
func TestWaiversAreOfOneViolation(t *testing.T) {
	p := parse(t, "version: 1\nallow: [a.example]\nnever-send: [{name: one, value: abcdefgh}, {name: two, value: ijklmnop}]\n")
	f := flowtest.Get("https://a.example/?x=abcdefgh&y=ijklmnop")
	before := p.Judge(f)
	if len(before.Findings) != 2 {
		t.Fatalf("%+v", before)
	}
	until := f.Times.Start.Add(time.Hour)
	own := p.WithWaiver(Waiver{Violation: before.Findings[0].Fingerprint(), Until: until, By: "x"})
	if j := own.Judge(f); j.Verdict != Violation || len(j.Findings) != 1 || j.Findings[0].Subject != before.Findings[1].Subject || len(j.Excused) != 1 {
		t.Errorf("%+v", j)
	}
	contact := p.Judge(flowtest.Get("https://evil.example/")).Findings[0]
	contact.Rule = Tracker // the question does not tell by which rule the contact will be one
	own = p.WithWaiver(Waiver{Violation: contact.Fingerprint(), Until: until, By: "x"})
	question := flowtest.DNS("evil.example")
	if j := own.Judge(question); p.Judge(question).Verdict != Violation || j.Verdict != Waived {
		t.Errorf("the question is %s", j.Verdict)
	}
}

// A device with entries of its own has the waiver, too.
func TestWithWaiverForDevices(t *testing.T) {
	p := parse(t, devicePolicy)
	f := from("192.168.1.20:1", "https://nowhere.example/")
	before := p.Judge(f)
	if before.Verdict != Violation || p.of(f) == p {
		t.Fatalf("verdict %s", before.Verdict)
	}
	own := p.WithWaiver(Waiver{Violation: before.Findings[0].Fingerprint(), Until: f.Times.Start.Add(time.Hour), By: "x"})
	if j := own.Judge(f); j.Verdict != Waived {
		t.Errorf("verdict %s", j.Verdict)
	}
	if j := p.Judge(f); j.Verdict != Violation {
		t.Errorf("the policy itself has changed: %s", j.Verdict)
	}
}

// A copy of a policy has every field but the memo and its lock.
func TestCopiedHasEveryField(t *testing.T) {
	p := &Policy{}
	v := reflect.ValueOf(p).Elem()
	full := parse(t, tellingPolicyWithAll)
	full.flags, full.deniesProbes = []string{"x"}, true
	full.declared, full.lists = make([]declarations.Declaration, 1), make([]*lists.List, 1)
	got, want := reflect.ValueOf(full.copied()).Elem(), reflect.ValueOf(full).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if name == "mu" || name == "hosts" {
			continue
		}
		if want.Field(i).IsZero() {
			t.Errorf("%s is not set by the test", name)
		}
		if got.Field(i).IsZero() {
			t.Errorf("%s is not copied", name)
		}
	}
}

// tellingPolicyWithAll has every section.
const tellingPolicyWithAll = `version: 1
name: all
app: {user-agent: "x*"}
allow: [a.example]
ignore: [b.example]
deny: [c.example]
consent: [d.example]
never-send: [{name: n, value: abcdefgh}]
identifiers: {e-mail: never}
waivers: [{rule: cleartext, host: a.example, reason: x, until: 2027-01-01}]
devices: [{name: d, address: 192.0.2.1}]
notify: {to: [{name: x, slack: "https://h.example/"}]}
on: [{run: [x]}]
record: {bodies: none}
`
