package ca

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// lifetimes are the shortest, the longest, and what people choose.
var lifetimes = []time.Duration{MinLifetime, 7 * day, 30 * day, DefaultLifetime, 365 * day, MaxLifetime}

func TestLifetime(t *testing.T) {
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	for _, life := range lifetimes {
		a, err := Rotate(t.TempDir(), Lifetime(life), at(now))
		if err != nil {
			t.Fatal(err)
		}
		if got := a.Left() + time.Second; got != life {
			t.Errorf("asked for %v, lives %v", life, got)
		}
		if w := a.Warnings(); w != nil {
			t.Errorf("%v: a new authority warns: %q", life, w)
		}
		for _, late := range []time.Duration{0, life / 2, life - time.Minute} {
			a.now = func() time.Time { return now.Add(late) }
			leaf := parsedLeaf(t, a, "late.test")
			if leaf.NotAfter.After(a.Certificate().NotAfter) {
				t.Errorf("%v: a leaf ends %v, the root %v", life, leaf.NotAfter, a.Certificate().NotAfter)
			}
		}
	}
	for _, life := range []time.Duration{-day, 0, time.Hour, day - 1, MaxLifetime + 1, 10 * 365 * day} {
		dir := t.TempDir()
		if _, err := Rotate(dir, Lifetime(life)); err == nil || CheckLifetime(life) == nil {
			t.Errorf("%v is taken", life)
		}
		if got := contents(t, dir); len(got) > 0 {
			t.Errorf("%v left %q", life, got)
		}
	}
}

// The warning comes two weeks before the end, or in the last fifth, and names the day
// and the command.
func TestExpiryIsWarnedAbout(t *testing.T) {
	made := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		life, left time.Duration
		words      string // "": no warning
	}{
		{DefaultLifetime, 15 * day, ""},
		{DefaultLifetime, 13*day + time.Hour, "in 13 days, on 2027-03-01"},
		{365 * day, 15 * day, ""}, // one that an earlier version made
		{365 * day, 10*day + time.Hour, "in 10 days, on 2027-12-01"},
		{30 * day, 7 * day, ""},
		{30 * day, 6 * day, "in 6 days"},
		{day, 20 * time.Hour, ""},
		{day, 14 * time.Hour, "within a day, on 2026-12-02"},
		{7 * day, 36 * time.Hour, "tomorrow, on 2026-12-08"},
	} {
		dir := t.TempDir()
		a, err := Rotate(dir, Lifetime(c.life), at(made))
		if err != nil {
			t.Fatal(err)
		}
		end := a.Certificate().NotAfter
		a, err = Open(dir, at(end.Add(-c.left)))
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(a.Warnings(), "\n")
		if (got == "") != (c.words == "") || !strings.Contains(got, c.words) || got != "" && !strings.Contains(got, "`telltale ca rotate`") {
			t.Errorf("life %v, %v left: %q, want %q", c.life, c.left, got, c.words)
		}
		if a.ExpiresSoon() != (c.words != "") {
			t.Errorf("life %v, %v left: expires soon %v", c.life, c.left, a.ExpiresSoon())
		}
	}
}

// An authority that has expired signs nothing and is not renewed by itself; it can
// still be looked at.
func TestExpiredIsNotRenewed(t *testing.T) {
	dir := t.TempDir()
	made := open(t, dir)
	late := at(made.Certificate().NotAfter.Add(time.Second))
	for name, err := range map[string]error{
		"Open":     second(Open(dir, late)),
		"Load":     second(Load(dir, late)),
		"OpenRoot": second(OpenRoot(dir, late)),
	} {
		var caErr *Error
		if !errors.As(err, &caErr) || !strings.Contains(err.Error(), "expired on ") || !strings.Contains(caErr.Hint(), "telltale ca rotate") {
			t.Errorf("%s: %v", name, err)
		}
	}
	root, err := LoadRoot(dir, late)
	if err != nil {
		t.Fatal(err)
	}
	if root.Fingerprint() != made.Fingerprint() || !strings.Contains(strings.Join(root.Warnings(), "\n"), "expired on ") {
		t.Errorf("fingerprint %s, warnings %q", root.Fingerprint(), root.Warnings())
	}
}

func second[T any](_ T, err error) error { return err }
