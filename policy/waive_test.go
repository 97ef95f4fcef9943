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
	host, err := ParsePattern("tracker.example")
	if err != nil {
		t.Fatal(err)
	}
	f := flowtest.Get("https://tracker.example/x")
	before := p.Judge(f)
	if before.Verdict != Violation {
		t.Fatalf("verdict %s", before.Verdict)
	}
	until := f.Times.Start.Add(time.Nanosecond)
	w := Waiver{Rule: before.Rule(), Host: host, Reason: "known", Until: until, By: "./triage.py"}
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
	if j.Verdict != Waived || !strings.Contains(j.Source.Text, "waiver by ./triage.py: "+string(w.Rule)+" at tracker.example until "+until.UTC().Format(time.RFC3339)+": known") {
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
	if two := own.WithWaiver(Waiver{Rule: Cleartext, Host: host, Until: until}); two.Judge(f).Verdict != Waived || len(two.waivers) != len(own.waivers)+1 {
		t.Error("a second waiver loses the first")
	}
}

// A device with entries of its own has the waiver, too.
func TestWithWaiverForDevices(t *testing.T) {
	p := parse(t, devicePolicy)
	host, _ := ParsePattern("*")
	f := from("192.168.1.20:1", "https://nowhere.example/")
	before := p.Judge(f)
	if before.Verdict != Violation || p.of(f) == p {
		t.Fatalf("verdict %s", before.Verdict)
	}
	own := p.WithWaiver(Waiver{Rule: before.Rule(), Host: host, Until: f.Times.Start.Add(time.Hour), By: "x"})
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
never-send: [{name: n, value: abcdefgh}]
identifiers: {e-mail: never}
waivers: [{rule: cleartext, host: a.example, reason: x, until: 2027-01-01}]
devices: [{name: d, address: 192.0.2.1}]
notify: {to: [{name: x, slack: "https://h.example/"}]}
on: [{run: [x]}]
record: {bodies: none}
`
