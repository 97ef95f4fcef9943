//go:build !windows

package dns

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestResolvConf(t *testing.T) {
	file := filepath.Join(t.TempDir(), "resolv.conf")
	s := &System{state: systemState{path: file}}
	read := func() string {
		s.read = time.Time{} // as if time had passed
		list, err := s.Resolvers()
		return fmt.Sprint(list, " ", err != nil)
	}
	write := func(text string, age time.Duration) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(); got != "[] true" {
		t.Errorf("no file: %s", got)
	}
	write("# nameserver 192.0.2.9\nsearch example\n nameserver 192.0.2.1 # the first\nnameserver\tfe80::1%eth0\nnameserver nonsense\nnameserver ::ffff:192.0.2.1\nnameservers 192.0.2.8\nnameserver 0.0.0.0\nnameserver 2001:db8::53", time.Hour)
	if got, want := read(), "[192.0.2.1:53 [fe80::1%eth0]:53 [2001:db8::53]:53] false"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	write("nameserver 192.0.2.2\n", time.Minute)
	if got := read(); got != "[192.0.2.2:53] false" {
		t.Errorf("another network: %s", got)
	}
	write("search example\n", 0)
	if got := read(); got != "[] true" {
		t.Errorf("no resolver: %s", got)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if got := read(); got != "[] true" {
		t.Errorf("the file went away: %s", got)
	}
}

func TestResolversAreRemembered(t *testing.T) {
	file := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(file, []byte("nameserver 192.0.2.1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &System{state: systemState{path: file}}
	if _, err := s.Resolvers(); err != nil {
		t.Fatal(err)
	}
	s.read = time.Now().Add(time.Hour) // fresh for long
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if list, err := s.Resolvers(); err != nil || len(list) != 1 {
		t.Errorf("%v %v", list, err)
	}
}
