package cmd

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
)

// recorded saves flows as a capture of a proxy and returns its file.
func recorded(t *testing.T, flows ...*flow.Flow) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "devices.telltale")
	s, err := capture.Create(file, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range flows {
		f.ID, f.Mode = s.NextID(), "http"
		s.Observe(f)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return file
}

// run returns what a command prints, and fails where its exit code is another one.
func run(t *testing.T, code int, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if got := Main(args, strings.NewReader(""), &out, &errs); got != code {
		t.Fatalf("%q ends with %d, want %d\n%s%s", args, got, code, out.String(), errs.String())
	}
	return out.String()
}

const pixel = "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UD1A) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36"

// TestFlowsOfDevicesByName asks for names that a capture tells only as a whole: the first
// flow of a device has no User-Agent.
func TestFlowsOfDevicesByName(t *testing.T) {
	t.Parallel()
	file := recorded(t,
		flowtest.Get("https://first.example/", flowtest.UserAgentOf("")),
		flowtest.Get("https://second.example/", flowtest.UserAgentOf(pixel)),
		flowtest.Get("https://zone.example/", flowtest.UserAgentOf(pixel), flowtest.From("[fe80::1%eth0]:1")),
		flowtest.Get("https://other.example/", flowtest.UserAgentOf("curl/8"), flowtest.From("192.168.1.24:1")),
	)
	har := filepath.Join(t.TempDir(), "devices.har")
	run(t, 0, "report", file, "--allow", "*", "--report", har)
	for _, input := range []string{file, har} {
		for _, where := range []string{`device == "Pixel 8, Android 14"`, `"pixel 8, android 14"`} {
			got := run(t, 0, "flows", input, "--allow", "*", "--where", where)
			for _, host := range []string{"first.example", "second.example", "zone.example"} {
				if !strings.Contains(got, host) {
					t.Errorf("%s of %s lacks %s:\n%s", where, input, host, got)
				}
			}
			if strings.Contains(got, "other.example") {
				t.Errorf("%s of %s lists another device:\n%s", where, input, got)
			}
		}
	}
}

// TestDoctorOfOneAddress names a device by any form of its address.
func TestDoctorOfOneAddress(t *testing.T) {
	t.Parallel()
	file := recorded(t,
		flowtest.Get("https://a.example/"),
		flowtest.PassedThrough("bank.example"),
		flowtest.Get("https://b.example/", flowtest.UserAgentOf(pixel), flowtest.From("[fe80::ab%eth0]:1")),
	)
	for name, want := range map[string]string{
		"192.168.1.23": "Device iOS 13 (192.168.1.23)", "::ffff:192.168.1.23": "Device iOS 13 (192.168.1.23)", "ios 13": "Device iOS 13 (192.168.1.23)",
		"fe80::ab": "(fe80::ab)", "FE80::AB": "(fe80::ab)", "fe80:0::ab%wlan0": "(fe80::ab)", "PIXEL 8, android 14": "(fe80::ab)",
	} {
		got := run(t, 0, "doctor", file, "--device", name)
		if strings.Count(got, "\nDevice ") != 1 || !strings.Contains(got, want) || !strings.HasPrefix(got, "READABLE") {
			t.Errorf("--device %q:\n%s", name, got)
		}
	}
	for _, name := range []string{"192.168.1.2", "192.168.1.23 ", "fe80::1", "invalid IP", "Pixel"} {
		run(t, 2, "doctor", file, "--device", name)
	}
}

// TestReportOfAllowIsReproducible checks that the commands of a report without a policy
// file have the patterns that made its policy.
func TestReportOfAllowIsReproducible(t *testing.T) {
	t.Parallel()
	file := recorded(t, flowtest.Get("https://other.example/"))
	got := run(t, 0, "report", file, "--allow", "*.canada.ca")
	for _, want := range []string{
		"\ntelltale check " + file + " --allow '*.canada.ca'\n",
		` --where 'verdict == "violation"' --allow '*.canada.ca'` + "\n",
		"\ntelltale policy explain https://other.example/ --allow '*.canada.ca'\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the report lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "with --allow") {
		t.Errorf("the report says the patterns twice:\n%s", got)
	}
}
