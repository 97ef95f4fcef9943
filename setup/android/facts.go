package android

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"telltale/flow/plain"
	"telltale/setup/drive"
)

// Kind is what a device is.
type Kind int

// Kinds of devices.
const (
	Physical Kind = iota
	Emulator      // of the Android SDK
	Genymotion
)

// Root is how a command runs as root on a device.
type Root int

// Ways to root.
const (
	NoRoot      Root = iota
	ShellRoot        // adb's shell is root already
	UserRoot         // su of AOSP, in emulators and engineering builds: su 0 COMMAND
	CommandRoot      // su of Magisk, KernelSU and the like: su -c COMMAND
	RestartRoot      // after `adb root`, in debuggable builds
)

// Facts are what a plan depends on.
type Facts struct {
	ADB     string // path of adb, or its name
	Serial  string // "" for whichever device adb takes
	Name    string // maker and model, harmless
	Release string // Android version, as "14", harmless
	API     int    // its API level
	Kind    Kind
	Root    Root
	APEX    bool     // the system's certificates are in the conscrypt APEX
	Proxy   string   // the proxy that is set, "" for none, raw
	Reverse []string // what `adb reverse --list` has, as "tcp:8080 tcp:8080"
	Left    Left
}

// Left is what an earlier plan left on the device.
type Left struct {
	Folder bool   // there is a folder at all
	Proxy  string // the proxy before it: HOST:PORT, "" for none; see Changed
	Ports  []int  // of `adb reverse`
	// Changed: the proxy was, or was about to be, set. Restarted: adb was, as root.
	// Script: a system store may be covered. Download: the certificate was pushed.
	Changed, Restarted, Script, Download bool
}

// Assume returns the facts of a device that is not there, for a plan to look at: a
// phone without root, or an emulator with it.
func Assume(adb string, api int, emulator bool) Facts {
	f := Facts{ADB: adb, API: api, Name: "a phone without root", APEX: api >= 34}
	if emulator {
		f.Kind, f.Root, f.Name = Emulator, UserRoot, "an emulator with root"
	}
	return f
}

// Connected returns the facts of the device after [Install] with a port, for a plan to
// look at.
func (f Facts) Connected(port int) Facts {
	way := "tcp:" + strconv.Itoa(port)
	f.Reverse = append(f.Reverse, way+" "+way)
	f.Left = Left{Folder: true, Changed: true, Ports: []int{port}, Script: f.Root != NoRoot, Download: f.Root == NoRoot}
	return f
}

// String returns what is known of the device, on one line.
func (f Facts) String() string {
	name := cmp.Or(f.Name, "unnamed device")
	if f.Serial != "" {
		name += " (" + plain.Text(f.Serial) + ")"
	}
	version := fmt.Sprintf("API level %d", f.API)
	if f.Release != "" {
		version = fmt.Sprintf("Android %s, %s", f.Release, version)
	}
	kind := [...]string{"phone", "emulator", "Genymotion"}[f.Kind]
	root := [...]string{"no root", "adb runs as root", "root by su", "root by su", "root by adb root"}[f.Root]
	return strings.Join([]string{name + ": " + version, kind, root}, ", ")
}

// argv returns an adb command for the device.
func (f Facts) argv(args ...string) []string {
	argv := []string{f.ADB}
	if f.Serial != "" {
		argv = append(argv, "-s", f.Serial)
	}
	return append(argv, args...)
}

// shell returns the command that has the device's shell carry out a line. adb joins
// its arguments with spaces: a line of plain words may as well stay words.
func (f Facts) shell(line string) []string {
	if simple.MatchString(line) {
		return f.argv(append([]string{"shell"}, strings.Fields(line)...)...)
	}
	return f.argv("shell", line)
}

var simple = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./ -]+$`)

const (
	quick  = 10 * time.Second // a question that a device answers at once
	asking = 20 * time.Second // su may ask the person on the phone
)

// Read asks the device what it is. Nothing on it is changed; where root is wanted, su
// is tried, for which a rooted phone may ask its owner. The error is a [*drive.Error].
func Read(ctx context.Context, adb, serial string, root bool) (Facts, error) {
	f := Facts{ADB: adb, Serial: serial}
	values := map[string]string{}
	for _, name := range properties {
		out, err := drive.Output(ctx, quick, f.shell("getprop "+name))
		if err != nil {
			return f, advise(err)
		}
		values[name] = strings.TrimSpace(out)
	}
	f.take(values)
	if f.API == 0 {
		return f, &drive.Error{Do: "asking the device", Argv: f.shell("getprop " + sdk), Reason: "it does not say which Android it has", Output: values[sdk], Advice: "wait until it has started up, and try again"}
	}
	for _, question := range []struct {
		line string
		take func(string)
	}{
		{"settings get global http_proxy", func(out string) { f.Proxy = setting(out) }},
		{"ls -d " + apexStore + " 2>/dev/null", func(out string) { f.APEX = strings.TrimSpace(out) == apexStore }},
		{leftQuestion, func(out string) { f.Left = parseLeft(out) }},
	} {
		out, err := drive.Output(ctx, quick, f.shell(question.line))
		if err != nil && !answered(err) {
			return f, advise(err)
		}
		question.take(out)
	}
	if out, err := drive.Output(ctx, quick, f.argv("reverse", "--list")); err == nil {
		f.Reverse = reversed(out)
	}
	var err error
	if root {
		f.Root, err = f.findRoot(ctx, values["ro.debuggable"] == "1")
	}
	return f, err
}

// answered reports whether a command came to its end, with whatever exit code: what
// adb has to say of the connection it says by exit code 1 and "error:".
func answered(err error) bool {
	var failed *drive.Error
	return errors.As(err, &failed) && strings.HasPrefix(failed.Reason, "exit code") && !strings.HasPrefix(failed.Output, "error:")
}

// advise adds to an error of adb what the person can do about it.
func advise(err error) error {
	var failed *drive.Error
	if errors.As(err, &failed) {
		failed.Do = "asking the device"
		failed.Advice = remedy("")
		if strings.Contains(failed.Output, "unauthorized") {
			failed.Advice = remedy("unauthorized")
		} else if strings.HasPrefix(failed.Reason, "no answer") {
			failed.Advice = "adb hangs: adb kill-server, plug the phone in again, and try again"
		}
	}
	return err
}

// findRoot returns the way to root. su comes before `adb root`, which restarts adb on
// the device and cuts what else uses it.
func (f *Facts) findRoot(ctx context.Context, debuggable bool) (Root, error) {
	for _, way := range []struct {
		root Root
		line string
	}{{ShellRoot, "id -u"}, {UserRoot, "su 0 id -u"}, {CommandRoot, "su -c 'id -u'"}} {
		out, err := drive.Output(ctx, asking, f.shell(way.line))
		if ctx.Err() != nil {
			return NoRoot, err
		}
		if strings.TrimSpace(out) == "0" {
			return way.root, nil
		}
	}
	if debuggable {
		return RestartRoot, nil
	}
	return NoRoot, nil
}

const sdk = "ro.build.version.sdk"

// properties are those that Facts are made of. They are asked for one by one: all of
// them would be more than is kept of a command's output.
var properties = []string{sdk, "ro.build.version.release", "ro.product.manufacturer", "ro.product.model", "ro.hardware", "ro.kernel.qemu", "ro.boot.qemu", "ro.debuggable"}

// take takes what the device's properties say.
func (f *Facts) take(values map[string]string) {
	if api, err := strconv.Atoi(values[sdk]); err == nil && api > 0 && api < 1000 {
		f.API = api
	}
	f.Release = drive.Short(values["ro.build.version.release"])
	maker, model := values["ro.product.manufacturer"], values["ro.product.model"]
	if strings.HasPrefix(strings.ToLower(model), strings.ToLower(maker)) {
		maker = ""
	}
	f.Name = drive.Short(strings.TrimSpace(maker + " " + model))
	switch {
	case strings.EqualFold(maker, "Genymotion"), strings.Contains(values["ro.hardware"], "vbox86"):
		f.Kind = Genymotion
	case values["ro.kernel.qemu"] == "1", values["ro.boot.qemu"] == "1", slices.Contains([]string{"goldfish", "ranchu"}, values["ro.hardware"]):
		f.Kind = Emulator
	}
}

// setting returns the value of a proxy setting: what `settings get` prints, with the
// words for none, which are null and :0, as "".
func setting(out string) string {
	value := strings.TrimSpace(out)
	if value == "null" || value == ":0" {
		return ""
	}
	return value
}

var reverseRow = regexp.MustCompile(`(?m)^\S+ (tcp:\d+ \S+)\s*$`)

// reversed returns the rows of `adb reverse --list`, without the first column.
func reversed(out string) []string {
	var rows []string
	for _, match := range reverseRow.FindAllStringSubmatch(out, -1) {
		rows = append(rows, match[1])
	}
	return rows
}

// parseLeft reads what leftQuestion prints: the names of files that a plan leaves, and
// "FILE:LINE" for the lines of some.
func parseLeft(out string) Left {
	var left Left
	for row := range strings.Lines(out) {
		row = strings.TrimSpace(row)
		name, value, _ := strings.Cut(row, ":")
		switch name {
		case folder:
			left.Folder = true
		case proxyFile:
			left.Changed = true
			left.Proxy = setting(value)
		case portsFile:
			if port, err := strconv.Atoi(value); err == nil && port > 0 && port < 1<<16 && !slices.Contains(left.Ports, port) && len(left.Ports) < 20 {
				left.Ports = append(left.Ports, port)
			}
		case rootFile:
			left.Restarted = true
		case scriptFile:
			left.Script = true
		case downloadFile:
			left.Download = true
		}
	}
	return left
}

// validProxy reports whether a former setting can be set again: it came from a file on
// the device and goes into its shell.
func validProxy(value string) bool {
	host, port, err := net.SplitHostPort(value)
	if err != nil {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0 && validHost(host)
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$`)

func validHost(host string) bool { return hostName.MatchString(host) || net.ParseIP(host) != nil }
