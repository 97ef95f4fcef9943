// Command standin plays adb, xcrun and networksetup for tests, by the name under which it
// is started: stand-in-adb, stand-in-xcrun, stand-in-networksetup. It has the state of a
// device in the folder $DEVICE, and writes down there what it is told.
//
// It is a program of its own because tests start it some hundred times: it has to be small.
package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"telltale/setup/android"
	"telltale/setup/drive"
)

func main() {
	play, ok := map[string]func([]string) int{
		"stand-in-adb": standInADB, "stand-in-xcrun": standInXcrun, "stand-in-networksetup": standInNetworksetup,
	}[filepath.Base(os.Args[0])]
	if !ok {
		fmt.Fprintln(os.Stderr, "nobody plays", os.Args[0])
		os.Exit(2)
	}
	os.Exit(play(os.Args[1:]))
}

// standInADB plays adb with one device behind it, whose state is the folder
// $DEVICE: its properties in props, its settings, its files below fs, and
//
//	devices   the rows of `adb devices`, default "emulator-5554 device"
//	root      the way to root: su0, suc, adb; default none
//	hang      a text: a command that holds it never ends
//	fail      a text: a command that holds it fails
//	old       adb of 2015: CRLF, no exit codes of the device's commands
//
// What it is told is in log, one command a line.
func standInADB(args []string) int {
	d := device(os.Getenv("DEVICE"))
	if len(args) > 1 && args[0] == "@tool" {
		return d.tool(args[1], args[2:])
	}
	line := drive.Quote(append([]string{"adb"}, args...))
	d.add("log", line+"\n")
	for _, text := range strings.Fields(d.read("hang")) {
		if strings.Contains(line, text) {
			never := make(chan os.Signal, 1)
			signal.Notify(never, os.Interrupt)
			<-never
		}
	}
	if text := strings.TrimSpace(d.read("fail")); text != "" && strings.Contains(line, text) {
		fmt.Fprintln(os.Stderr, "error: \x1b[31mprotocol fault\x1b[0m (couldn't read status): Success")
		return 1
	}
	return d.adb(args)
}

type device string

func (d device) path(name string) string { return filepath.Join(string(d), filepath.FromSlash(name)) }
func (d device) has(name string) bool    { _, err := os.Stat(d.path(name)); return err == nil }
func (d device) remove(name string)      { os.Remove(d.path(name)) }

func (d device) read(name string) string {
	content, _ := os.ReadFile(d.path(name))
	return string(content)
}

func (d device) write(name, content string) {
	must(os.MkdirAll(filepath.Dir(d.path(name)), 0o700))
	must(os.WriteFile(d.path(name), []byte(content), 0o600))
}

func (d device) add(name, content string) { d.write(name, d.read(name)+content) }

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// complain writes an error as adb does.
func complain(format string, args ...any) int {
	fmt.Fprintf(os.Stderr, "error: "+format+"\n", args...)
	return 1
}

func (d device) adb(args []string) int {
	rows := d.read("devices")
	if !d.has("devices") {
		rows = "emulator-5554\tdevice\n"
	}
	if args[0] == "devices" {
		fmt.Printf("* daemon not running; starting now at tcp:5037\n* daemon started successfully\nList of devices attached\n%s\n", rows)
		return 0
	}
	if args[0] == "-s" {
		i := slices.IndexFunc(strings.Split(rows, "\n"), func(row string) bool { return strings.HasPrefix(row, args[1]+"\t") })
		if i < 0 {
			return complain("device '%s' not found", args[1])
		}
		args = args[2:]
	} else if strings.TrimSpace(rows) == "" {
		return complain("no devices/emulators found")
	}
	switch args[0] {
	case "shell":
		if args[1] == "getprop" && !d.has("old") {
			return d.tool(args[1], args[2:]) // the shell adds nothing but time
		}
		return d.shell(strings.Join(args[1:], " "))
	case "push":
		content, err := os.ReadFile(args[1])
		if err != nil {
			return complain("cannot stat '%s': No such file or directory", args[1])
		}
		must(os.WriteFile(d.inside(args[2]), content, 0o600))
		fmt.Printf("%s: 1 file pushed, 0 skipped. 1.2 MB/s (%d bytes in 0.001s)\n", args[1], len(content))
	case "reverse":
		return d.reverse(args[1:])
	case "root":
		if strings.TrimSpace(d.read("root")) != "adb" {
			fmt.Println("adbd cannot run as root in production builds")
			return 0 // so it was until 2019
		}
		d.write("rooted", "")
		d.remove("reverse") // the connection is cut
		fmt.Println("restarting adbd as root")
	case "unroot":
		d.remove("rooted")
		fmt.Println("restarting adbd as non root")
	case "wait-for-device":
	default:
		return complain("unknown command %s", args[0])
	}
	return 0
}

func (d device) reverse(args []string) int {
	row := "UsbFfs " + strings.Join(args, " ") + "\n"
	switch args[0] {
	case "--list":
		fmt.Print(d.read("reverse"))
	case "--remove":
		found := regexp.MustCompile(`(?m)^UsbFfs ` + args[1] + ` .*\n`)
		if !found.MatchString(d.read("reverse")) {
			return complain("listener '%s' not found", args[1])
		}
		d.write("reverse", found.ReplaceAllString(d.read("reverse"), ""))
	default:
		if !strings.Contains(d.read("reverse"), row) {
			d.add("reverse", row)
		}
		fmt.Println(strings.TrimPrefix(args[0], "tcp:"))
	}
	return 0
}

var outside = regexp.MustCompile(`/(data/local/tmp|sdcard|apex)`)

// inside returns where a path of the device is here; a line may have several.
func (d device) inside(line string) string {
	return outside.ReplaceAllString(line, string(d)+"/fs/$1")
}

// shell has a real shell carry out a line, with the device's tools and files.
func (d device) shell(line string) int {
	self, err := os.Executable()
	must(err)
	for _, folder := range []string{"fs/data/local/tmp", "fs/sdcard/Download", "bin"} {
		must(os.MkdirAll(d.path(folder), 0o700))
	}
	for _, tool := range []string{"settings", "getprop", "id", "su", "am", "sh", "chown"} {
		script := fmt.Sprintf("#!/bin/sh\nexec '%s' @tool %s \"$@\"\n", self, tool)
		must(os.WriteFile(d.path("bin/"+tool), []byte(script), 0o700))
	}
	out, code := d.run("/bin/sh", "-c", d.inside(line))
	out = bytes.ReplaceAll(out, []byte(string(d)+"/fs"), nil)
	if d.has("old") {
		out, code = bytes.ReplaceAll(out, []byte("\n"), []byte("\r\n")), 0
	}
	os.Stdout.Write(out)
	return code
}

// run runs a program on the device, as the user of this process.
func (d device) run(program string, args ...string) ([]byte, int) {
	c := exec.Command(program, args...)
	c.Env = append(os.Environ(), "PATH="+d.path("bin")+":/usr/bin:/bin")
	out, err := c.CombinedOutput()
	if err != nil {
		return out, max(c.ProcessState.ExitCode(), 1)
	}
	return out, 0
}

// tool is a program on the device.
func (d device) tool(name string, args []string) int {
	root := d.has("rooted") || os.Getenv("AS_ROOT") != ""
	switch name {
	case "getprop":
		_, value, _ := strings.Cut("\n"+d.read("props"), "\n"+args[0]+"=")
		value, _, _ = strings.Cut(value, "\n")
		fmt.Println(value)
	case "settings":
		return d.setting(args)
	case "id":
		fmt.Println(map[bool]string{true: "0", false: "2000"}[root])
	case "am":
		d.add("am", strings.Join(args, " ")+"\n")
		fmt.Println("Starting: Intent { act=" + args[2] + " }")
	case "chown":
	case "su":
		return d.su(args)
	case "sh":
		if len(args) > 0 && strings.HasSuffix(args[0], "/trust.sh") {
			return d.trust(root, args)
		}
		out, code := d.run("/bin/sh", args...)
		os.Stdout.Write(out)
		return code
	}
	return 0
}

func (d device) su(args []string) int {
	way := strings.TrimSpace(d.read("root"))
	must(os.Setenv("AS_ROOT", "1"))
	var out []byte
	var code int
	switch {
	case way == "su0" && args[0] == "0":
		out, code = d.run(d.path("bin/"+args[1]), args[2:]...)
	case way == "suc" && args[0] == "-c" && len(args) == 2:
		out, code = d.run("/bin/sh", "-c", args[1])
	case way == "su0" || way == "suc":
		return complain("su: invalid uid/gid '%s'", args[0])
	default:
		fmt.Fprintln(os.Stderr, "/system/bin/sh: su: inaccessible or not found")
		return 127
	}
	os.Stdout.Write(out)
	return code
}

func (d device) setting(args []string) int {
	name := "settings/" + args[2]
	switch args[0] {
	case "get":
		if !d.has(name) {
			d.write(name, "null")
			defer d.remove(name)
		}
		fmt.Println(d.read(name))
	case "put":
		d.write(name, args[3])
		if args[2] == "http_proxy" { // Android keeps it in these, too
			host, port, _ := strings.Cut(args[3], ":")
			d.write("settings/global_http_proxy_host", host)
			d.write("settings/global_http_proxy_port", port)
		}
	case "delete":
		d.remove(name)
		fmt.Println("Deleted 1 rows")
	}
	return 0
}

// trust is what the script does, which has its own test on a real kernel.
func (d device) trust(root bool, args []string) int {
	script, err := os.ReadFile(args[0])
	must(err)
	switch {
	case string(script) != android.Script:
		fmt.Println("this is not the script")
	case !root:
		fmt.Println("mount: Permission denied")
	case args[1] == "remove":
		d.remove("trusted")
		fmt.Println("telltale: removed")
		return 0
	default:
		certificate, err := os.ReadFile(args[2])
		if err != nil || !bytes.HasPrefix(certificate, []byte("-----BEGIN CERTIFICATE")) || !regexp.MustCompile(`^[0-9a-f]{8}$`).MatchString(args[3]) {
			fmt.Println("telltale: cannot read", args[2])
			return 1
		}
		d.write("trusted", string(certificate))
		fmt.Println("telltale: trusted in /system/etc/security/cacerts, mount namespaces: 2, not reached: 0")
		return 0
	}
	return 1
}

// standInXcrun plays xcrun simctl; what is booted is in $DEVICE/booted.json, what it is
// told in $DEVICE/log.
func standInXcrun(args []string) int {
	d := device(os.Getenv("DEVICE"))
	d.add("log", drive.Quote(append([]string{"xcrun"}, args...))+"\n")
	switch {
	case slices.Equal(args, []string{"simctl", "list", "devices", "booted", "--json"}):
		fmt.Print(d.read("booted.json"))
	case len(args) == 5 && args[1] == "keychain" && args[3] == "add-root-cert":
		content, err := os.ReadFile(args[4])
		if err != nil || !strings.Contains(d.read("booted.json"), args[2]) {
			fmt.Fprintln(os.Stderr, "An error was encountered processing the command (domain=NSPOSIXErrorDomain, code=2):")
			return 2
		}
		d.write("keychain", string(content))
	case len(args) == 4 && args[1] == "keychain" && args[3] == "reset":
		d.remove("keychain")
	default:
		fmt.Fprintln(os.Stderr, "Unrecognized subcommand: "+strings.Join(args, " "))
		return 64
	}
	return 0
}

// standInNetworksetup plays networksetup of a Mac with the service Wi-Fi.
func standInNetworksetup(args []string) int {
	d := device(os.Getenv("DEVICE"))
	d.add("log", drive.Quote(append([]string{"networksetup"}, args...))+"\n")
	if len(args) < 2 || args[1] != "Wi-Fi" {
		fmt.Println("** Error: The parameters were not valid.")
		return 4
	}
	name := "HTTP"
	if strings.Contains(args[0], "secure") {
		name = "HTTPS"
	}
	enabled := d.has(name + ".on")
	switch args[0] {
	case "-getwebproxy", "-getsecurewebproxy":
		server, port, _ := strings.Cut(d.read(name), " ")
		fmt.Printf("Enabled: %s\nServer: %s\nPort: %s\nAuthenticated Proxy Enabled: 0\n", map[bool]string{true: "Yes", false: "No"}[enabled], server, port)
	case "-setwebproxy", "-setsecurewebproxy":
		d.write(name, args[2]+" "+args[3])
		d.write(name+".on", "")
	case "-setwebproxystate", "-setsecurewebproxystate":
		d.remove(name + ".on")
	}
	return 0
}
