//go:build unix

package cmd

import (
	"strings"
	"testing"
)

// TestWatchNamesADevice: the name that a person gives a device on the screen stands in
// the capture, for every command that reads it afterwards.
func TestWatchNamesADevice(t *testing.T) {
	s := newStory(t)
	s.startsWatching("--save", "audit.telltale", "--report", "audit.json")
	s.connects()
	s.visits("https://api.weather.example/")
	s.presses("4")
	s.sees("127.0.0.1", "read")
	s.presses("N")
	s.sees("Name the device at 127.0.0.1")
	s.types("Phone of the lab")
	s.presses("Enter")
	s.sees("127.0.0.1 is called Phone of the lab from now on")
	s.presses("q")
	s.ends(ExitClean)
	if report := s.read("audit.json"); !strings.Contains(report, `"Phone of the lab"`) {
		t.Errorf("the report of the audit does not name the device:\n%s", report)
	}

	s.starts("doctor", "audit.telltale")
	if said := s.ends(ExitClean); !strings.Contains(said, "Phone of the lab") {
		t.Errorf("the doctor does not name the device:\n%s", said)
	}
	s.starts("report", "audit.telltale", "--policy", "telltale.yaml", "--report", "later.json")
	s.ends(ExitClean)
	if report := s.read("later.json"); !strings.Contains(report, `"Phone of the lab"`) {
		t.Errorf("a later report does not name the device:\n%s", report)
	}
}
