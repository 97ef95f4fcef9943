package android

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"telltale/flow/plain"
	"telltale/setup/drive"
)

var update = flag.Bool("update", false, "rewrite the goldens")

func TestFind(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	name := "adb"
	if runtime.GOOS == "windows" {
		name = "adb.exe"
	}
	for _, place := range []struct{ variable, below string }{
		{"ANDROID_HOME", ""},
		{"ANDROID_SDK_ROOT", ""},
		{"HOME", "Library/Android/sdk"},
		{"HOME", "Android/Sdk"},
		{"LOCALAPPDATA", "Android/Sdk"},
	} {
		base := t.TempDir()
		getenv := func(variable string) string {
			if variable == place.variable {
				return base
			}
			return ""
		}
		if path, err := Find(getenv); !errors.Is(err, ErrNoADB) {
			t.Errorf("found %s, %v", path, err)
		}
		want := filepath.Join(base, place.below, "platform-tools", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(want), 0o700), os.WriteFile(want, nil, 0o700)); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
		if path, err := Find(getenv); err != nil || path != want {
			t.Errorf("%s: found %s, %v", place.variable, path, err)
		}
	}
}

func TestChoose(t *testing.T) {
	const listing = "* daemon not running; starting now at tcp:5037\n* daemon started successfully\nList of devices attached\n"
	for _, test := range []struct {
		rows, serial string
		want, hint   string // the serial number, or the error
	}{
		{"R58M\tdevice\n\n", "", "R58M", ""},
		{"R58M       device usb:1-1 product:x model:y\n", "", "R58M", ""},
		{"a\tdevice\nb\tdevice\n", "b", "b", ""},
		{"a\tdevice\nb\tunauthorized\n", "", "a", ""},
		{"a\tdevice\nb\tunauthorized\n", "b", "adb cannot use b (unauthorized)", "tap Allow"},
		{"a\tdevice\nb\tdevice\n", "", "several devices: a, b", "--serial a"},
		{"a\toffline\n", "", "adb cannot use a (offline)", "adb reconnect offline"},
		{"a\tno permissions (user in plugdev group; are your udev rules wrong?); see [http://x]\n", "", "adb cannot use a (no permissions)", "udev"},
		{"a\trecovery\n", "", "adb cannot use a (recovery)", "adb reboot"},
		{"a\tauthorizing\n", "", "adb cannot use a (authorizing)", "wait"},
		{"a\t\x1b[2J\n", "", `adb cannot use a (\x1b[2J)`, "adb devices"},
		{"\x1b[2J\tdevice\n", "", ErrNoDevice.Error(), ""},
		{"", "", ErrNoDevice.Error(), ""},
		{"", "c", "no device c; adb lists none", "adb devices"},
		{"a\tdevice\n", "\x1b", `no device \x1b; adb lists a`, "adb devices"},
	} {
		d, err := Choose(Parse(listing+test.rows), test.serial)
		got, hint := d.Serial, ""
		if err != nil {
			got = err.Error()
		}
		var choice *drive.ChoiceError
		if errors.As(err, &choice) {
			hint = choice.Hint()
		}
		if got != test.want || !strings.Contains(hint, test.hint) {
			t.Errorf("%q, serial %q: %s, hint %q", test.rows, test.serial, got, hint)
		}
	}
}

var options = Options{
	Port: 8080, Store: Auto, LAN: "192.168.1.2", Authority: "telltale CA 0D6F186D",
	Certificate: "telltale-ca.pem", Hash: "5ed36f99.0", Script: "telltale-trust.sh",
}

// The plans for every kind of device, as commands.
func TestPlans(t *testing.T) {
	phone := Facts{ADB: "adb", Serial: "R58M", Name: "Pixel 8", Release: "14", API: 34, APEX: true}
	with := func(change func(f *Facts, o *Options)) (Facts, Options) {
		f, o := phone, options
		change(&f, &o)
		return f, o
	}
	left := Left{Folder: true, Changed: true, Ports: []int{8080, 9090}, Script: true}
	for name, change := range map[string]func(f *Facts, o *Options){
		"phone":             func(*Facts, *Options) {},
		"phone-api-28":      func(f *Facts, o *Options) { f.API, f.APEX = 28, false },
		"phone-api-19":      func(f *Facts, o *Options) { f.API, f.APEX = 19, false },
		"phone-proxy-alone": func(f *Facts, o *Options) { o.Store, o.Host = None, "fd00::1" },
		"phone-own-proxy":   func(f *Facts, o *Options) { f.Proxy, o.Store = "proxy.corp.example:3128", None },
		"magisk-api-30":     func(f *Facts, o *Options) { f.API, f.APEX, f.Root = 30, false, CommandRoot },
		"emulator-su":       func(f *Facts, o *Options) { f.Kind, f.Root = Emulator, UserRoot },
		"emulator-adb-root": func(f *Facts, o *Options) { f.Kind, f.Root = Emulator, RestartRoot },
		// What adb reverse had is cut with the restart, whatever it was.
		"emulator-adb-root-again": func(f *Facts, o *Options) {
			f.Kind, f.Root, f.Left, f.Reverse = Emulator, RestartRoot, left, []string{"tcp:8080 tcp:8080"}
		},
		"emulator-adb-root-reversed": func(f *Facts, o *Options) {
			f.Kind, f.Root, f.Reverse = Emulator, RestartRoot, []string{"tcp:9000 tcp:3000"}
			o.Port = 9000
		},
		"emulator-api-19":   func(f *Facts, o *Options) { f.Kind, f.API, f.APEX, f.Root = Emulator, 19, false, ShellRoot },
		"genymotion-api-19": func(f *Facts, o *Options) { f.Kind, f.API, f.APEX, f.Root = Genymotion, 19, false, ShellRoot },
		"second-run": func(f *Facts, o *Options) {
			f.Proxy, f.Left, f.Reverse, f.Root = "localhost:8080", left, []string{"tcp:8080 tcp:8080"}, UserRoot
		},
	} {
		f, o := with(change)
		p, err := Install(f, o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		golden(t, name, f, p)
	}
	for name, change := range map[string]func(f *Facts, o *Options){
		"undo-nothing": func(*Facts, *Options) {},
		"undo-all": func(f *Facts, _ *Options) {
			f.Left, f.Reverse, f.Root = left, []string{"tcp:8080 tcp:8080", "tcp:9090 tcp:3000"}, CommandRoot
		},
		"undo-after-restart":   func(f *Facts, _ *Options) { f.Left, f.Root = left, RestartRoot; f.Left.Restarted = true },
		"undo-root-is-gone":    func(f *Facts, _ *Options) { f.Left = left },
		"undo-own-proxy":       func(f *Facts, _ *Options) { f.Left = Left{Folder: true, Changed: true, Proxy: "10.0.0.1:3128"} },
		"undo-senseless-proxy": func(f *Facts, _ *Options) { f.Left = Left{Folder: true, Changed: true, Proxy: "x:1; reboot\x1b"} },
		"undo-foreign-proxy":   func(f *Facts, _ *Options) { f.Proxy = "proxy\x1b:1" },
		"undo-download":        func(f *Facts, _ *Options) { f.Left = Left{Download: true} },
	} {
		f, _ := with(change)
		golden(t, name, f, Undo(f))
	}
}

func golden(t *testing.T, name string, f Facts, p drive.Plan) {
	t.Helper()
	var got bytes.Buffer
	fmt.Fprintf(&got, "# %s\n", f)
	p.Print(&got)
	file := filepath.Join("testdata", "plans", name+".sh")
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(file); err != nil || got.String() != string(want) {
		t.Errorf("%s: %v; it is now\n%s", name, err, got.String())
	}
}

// Every change that a plan makes can be undone: by its own command or by what Undo
// finds.
func TestEveryStepHasAnUndo(t *testing.T) {
	for _, root := range []Root{NoRoot, ShellRoot, UserRoot, CommandRoot, RestartRoot} {
		p, err := Install(Facts{ADB: "adb", API: 34, Root: root}, options)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range p.Steps {
			inFolder := strings.Contains(drive.Quote(s.Argv), folder) // which goes as a whole
			harmless := slices.Contains(s.Argv, "am") || slices.Contains(s.Argv, "wait-for-device")
			if s.Undo == nil && !inFolder && !harmless {
				t.Errorf("root %d: %s has no undo", root, s.Do)
			}
		}
	}
}

func TestInstallRefuses(t *testing.T) {
	for want, change := range map[string]func(f *Facts, o *Options){
		"the system's store needs root":        func(f *Facts, o *Options) { o.Store = System },
		`"a b" is no host name or address`:     func(f *Facts, o *Options) { o.Host = "a b" },
		`"$(reboot)" is no host name`:          func(f *Facts, o *Options) { o.Host = "$(reboot)" },
		"port 8080 of the device leads else":   func(f *Facts, o *Options) { f.Reverse = []string{"tcp:8080 tcp:\x1b"} },
		"this Android is too old for a proxy ": func(f *Facts, o *Options) { f.API, o.LAN = 19, "" },
	} {
		f, o := Facts{ADB: "adb", API: 34}, options
		change(&f, &o)
		p, err := Install(f, o)
		var choice *drive.ChoiceError
		if !errors.As(err, &choice) || !strings.HasPrefix(err.Error(), want) || choice.Hint() == "" || !plain.Is(err.Error()) && !strings.Contains(err.Error(), `\x1b`) {
			t.Errorf("%v, want %s; %d steps", err, want, len(p.Steps))
		}
	}
}

func TestProperties(t *testing.T) {
	for _, test := range []struct {
		values map[string]string
		want   string
	}{
		{map[string]string{sdk: "34", "ro.build.version.release": "14", "ro.product.manufacturer": "Google", "ro.product.model": "Pixel 8"}, "Google Pixel 8: Android 14, API level 34, phone, no root"},
		{map[string]string{sdk: "30", "ro.product.manufacturer": "samsung", "ro.product.model": "Samsung S10"}, "Samsung S10: API level 30, phone, no root"},
		{map[string]string{sdk: "34", "ro.boot.qemu": "1"}, "unnamed device: API level 34, emulator, no root"},
		{map[string]string{sdk: "34", "ro.hardware": "ranchu"}, "unnamed device: API level 34, emulator, no root"},
		{map[string]string{sdk: "29", "ro.hardware": "vbox86p", "ro.kernel.qemu": "1"}, "unnamed device: API level 29, Genymotion, no root"},
		{map[string]string{sdk: "29", "ro.product.manufacturer": "Genymotion"}, "Genymotion: API level 29, Genymotion, no root"},
		{map[string]string{sdk: "99999999999999999999"}, "unnamed device: API level 0, phone, no root"},
		{map[string]string{sdk: "-5", "ro.product.model": strings.Repeat("ü\x1b", 100)}, strings.Repeat(`ü\x1b`, 30) + "…: API level 0, phone, no root"},
	} {
		var f Facts
		if f.take(test.values); f.String() != test.want {
			t.Errorf("%v: %s", test.values, f)
		}
	}
}

func TestLeft(t *testing.T) {
	got := parseLeft(strings.Join([]string{folder, scriptFile, proxyFile + ":", proxyFile + ":proxy.example:3128", portsFile + ":8080", portsFile + ":8080", portsFile + ":9090", portsFile + ":x", portsFile + ":70000", rootFile + ":", rootFile + ":restarted", "sh: junk"}, "\n"))
	want := Left{Folder: true, Proxy: "proxy.example:3128", Ports: []int{8080, 9090}, Changed: true, Restarted: true, Script: true}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%+v", got)
	}
	for text, want := range map[string]string{"null\n": "", ":0\n": "", "\n": "", "a:1\n": "a:1"} {
		if got := setting(text); got != want {
			t.Errorf("setting %q is %q", text, got)
		}
	}
}

// What a device answers never puts a command of its own into a plan, nor a character
// that acts on a terminal.
func FuzzFacts(f *testing.F) {
	f.Add("null", "UsbFfs tcp:8080 tcp:8080\n", folder+"\n"+proxyFile+":x:1\n"+portsFile+":8080", "Pixel")
	f.Add("a;reboot:1", "x tcp:1 `y`", proxyFile+":$(reboot):80\n"+scriptFile, "\x1b[2J")
	f.Fuzz(func(t *testing.T, proxy, reverse, left, model string) {
		facts := Facts{ADB: "adb", API: 34, Root: UserRoot, Proxy: setting(proxy), Reverse: reversed(reverse), Left: parseLeft(left)}
		facts.take(map[string]string{sdk: "34", "ro.product.model": model})
		plan, err := Install(facts, options)
		if err != nil && !strings.Contains(err.Error(), "leads elsewhere") {
			t.Fatal(err)
		}
		for _, p := range []drive.Plan{plan, Undo(facts)} {
			var b bytes.Buffer
			p.Print(&b)
			fmt.Fprintln(&b, facts)
			for line := range strings.Lines(b.String()) {
				if text := strings.TrimSuffix(line, "\n"); strings.ContainsFunc(text, func(r rune) bool { return !plain.Shows(r) && plain.Text("e"+string(r)) != "e"+string(r) && r != '\\' }) {
					t.Errorf("not harmless: %q", text)
				}
			}
			for _, s := range p.Steps {
				line := strings.Join(s.Argv, " ")
				if value, ok := strings.CutPrefix(line, "adb shell settings put global http_proxy "); ok && value != ":0" && !validProxy(value) {
					t.Errorf("a command of the device: %q", line)
				}
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("List of devices attached\nR58M\tdevice\n")
	f.Add("List of devices attached\na\tno permissions; see [x]\n* b\n")
	f.Fuzz(func(t *testing.T, listing string) {
		for _, d := range Parse(listing) {
			if d.Serial == "" || !plain.Is(d.Serial) || strings.ContainsAny(d.Serial, " \t") {
				t.Errorf("serial %q", d.Serial)
			}
		}
	})
}
