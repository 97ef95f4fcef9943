package simulator

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"telltale/flow/plain"
	"telltale/setup/drive"
)

var update = flag.Bool("update", false, "rewrite the goldens")

const (
	first  = "11111111-1111-1111-1111-111111111111"
	second = "22222222-2222-2222-2222-222222222222"
)

func TestParse(t *testing.T) {
	row := func(udid, name, state string) string {
		return fmt.Sprintf(`{"udid":%q,"name":%q,"state":%q}`, udid, name, state)
	}
	list := func(runtime string, rows ...string) string {
		return fmt.Sprintf(`{"devices":{"com.apple.CoreSimulator.SimRuntime.%s":[%s]}}`, runtime, strings.Join(rows, ","))
	}
	for _, test := range []struct {
		output, want string
	}{
		{list("iOS-17-2", row(first, "iPhone 15", "Booted")), "[iPhone 15, iOS 17.2 (" + first + ")]"},
		{"warning: old Xcode\n" + list("iOS-17-2", row(first, "", "Booted")), "[simulator, iOS 17.2 (" + first + ")]"},
		{list("iOS-17-2", row(first, "a", "Shutdown"), row("booted; rm", "b", "Booted")), "[]"},
		{list("watchOS-10-0", row(first, "a", "Booted")), "[]"},
		{`{"devices":{}}`, "[]"},
		{list("iOS-17-2", row(first, "\u202eevil", "Booted")), `[\u{202e}evil, iOS 17.2 (` + first + ")]"},
	} {
		devices, err := Parse(test.output)
		if got := fmt.Sprint(devices); err != nil || got != test.want {
			t.Errorf("%s: %s, %v", test.output, got, err)
		}
	}
	for _, output := range []string{"", "xcrun: error: unable to find utility \x1b", `{"devices":`, `{"devices":[]}`} {
		if devices, err := Parse(output); err == nil || !plain.Is(strings.ReplaceAll(err.Error(), `\`, "")) {
			t.Errorf("%q: %v, %v", output, devices, err)
		}
	}
}

func TestChoose(t *testing.T) {
	devices := []Device{{first, "a", "iOS 17.2"}, {second, "b", "iOS 18.0"}}
	for _, test := range []struct {
		devices      []Device
		wanted, want string
	}{
		{devices[:1], "", first},
		{devices, strings.ToLower(second), second},
		{devices, "", "several simulators are booted: a, iOS 17.2 (" + first + "); b, iOS 18.0 (" + second + ")"},
		{nil, "", "no simulator is booted"},
		{nil, "\x1b", `no simulator \x1b is booted; booted are: none`},
	} {
		d, err := Choose(test.devices, test.wanted)
		got := d.UDID
		var choice *drive.ChoiceError
		if errors.As(err, &choice) {
			got = err.Error()
			if choice.Hint() == "" {
				t.Errorf("%s: no hint", got)
			}
		}
		if got != test.want {
			t.Errorf("%q: %s", test.wanted, got)
		}
	}
}

func TestParseProxy(t *testing.T) {
	if got := ParseProxy("Enabled: Yes\nServer: fd00::1\nPort: 8080\nAuthenticated Proxy Enabled: 0\n"); got != (Proxy{true, "fd00::1", "8080"}) {
		t.Errorf("%+v", got)
	}
	if got := ParseProxy("** Error: The parameters were not valid.\n"); got != (Proxy{}) {
		t.Errorf("%+v", got)
	}
}

// The plans, as commands.
func TestPlans(t *testing.T) {
	device := Device{first, "iPhone 15", "iOS 17.2"}
	ours, off := Proxy{true, "127.0.0.1", "8080"}, Proxy{false, "127.0.0.1", "8080"}
	other := Proxy{true, "proxy\x1b.example", "3128"}
	for name, o := range map[string]Options{
		"alone":             {},
		"mac":               {Service: "Wi-Fi 2"},
		"mac-again":         {Service: "Wi-Fi", Proxies: [2]Proxy{ours, off}},
		"undo-alone":        {},
		"undo-reset":        {Reset: true},
		"undo-mac":          {Service: "Wi-Fi", Proxies: [2]Proxy{ours, ours}, Reset: true},
		"undo-mac-twice":    {Service: "Wi-Fi", Proxies: [2]Proxy{off, off}, Reset: true},
		"undo-mac-of-other": {Service: "Wi-Fi", Proxies: [2]Proxy{ours, other}},
		"undo-mac-by-port":  {Service: "Wi-Fi", Proxies: [2]Proxy{{true, "127.0.0.1", "9000"}, off}, Reset: true},
	} {
		o.Certificate, o.Port = "telltale-ca.pem", 8080
		var got bytes.Buffer
		if strings.HasPrefix(name, "undo") {
			p, whole := Undo(device, o)
			p.Print(&got)
			if whole != o.Reset {
				t.Errorf("%s: whole is %v", name, whole)
			}
		} else {
			p, err := Install(device, o)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			p.Print(&got)
		}
		file := filepath.Join("testdata", name+".sh")
		if *update {
			if err := os.WriteFile(file, got.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(file); err != nil || got.String() != string(want) {
			t.Errorf("%s: %v; it is now\n%s", name, err, got.String())
		}
	}
	_, err := Install(device, Options{Service: "Wi-Fi", Port: 8080, Proxies: [2]Proxy{off, other}})
	var choice *drive.ChoiceError
	if !errors.As(err, &choice) || !strings.Contains(err.Error(), `proxy\x1b.example:3128`) || !strings.HasSuffix(choice.Hint(), "networksetup -setsecurewebproxystate Wi-Fi off") {
		t.Errorf("a proxy of somebody else: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"devices":{"com.apple.CoreSimulator.SimRuntime.iOS-17-2":[{"udid":"` + first + `","name":"x","state":"Booted"}]}}`)
	f.Add("warning\n{}")
	f.Fuzz(func(t *testing.T, output string) {
		devices, _ := Parse(output)
		for _, d := range devices {
			if !udid.MatchString(d.UDID) || plain.Text(strings.ReplaceAll(d.Name, `\`, "")) != strings.ReplaceAll(d.Name, `\`, "") {
				t.Errorf("%+v", d)
			}
		}
	})
}
