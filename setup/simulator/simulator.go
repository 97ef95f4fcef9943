// Package simulator plans how a booted iOS simulator is made to trust the certificate
// authority, by `xcrun simctl`, and how the Mac's proxy, which every simulator uses,
// is set and cleared by networksetup.
//
// It knows what simctl lists ([Parse], [Choose]) and what networksetup says of a
// service's proxy ([ParseProxy]), and makes plans from that by pure functions
// ([Install], [Undo]), which package drive carries out or prints.
//
// It promises not to touch the Mac's own settings unless a network service is named,
// never to replace a proxy that is somebody else's, and never to reset a simulator's
// keychain unless told to. It boots no simulator. To debug it: `telltale setup
// ios-simulator --dry-run`, and in the simulator Settings › General › About ›
// Certificate Trust Settings.
package simulator

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"telltale/flow/plain"
	"telltale/setup/drive"
)

// Device is a simulator.
type Device struct {
	UDID    string
	Name    string // harmless
	Runtime string // "iOS 17.2", harmless
}

// String returns the simulator as a person knows it.
func (d Device) String() string {
	return strings.TrimSpace(cmp.Or(d.Name, "simulator") + ", " + cmp.Or(d.Runtime, "iOS") + " (" + d.UDID + ")")
}

// Booted is simctl's word for whichever simulator is booted, in place of a UDID.
const Booted = "booted"

// List is the command whose output [Parse] reads.
func List() []string { return []string{"xcrun", "simctl", "list", "devices", "booted", "--json"} }

var udid = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// Parse returns the booted simulators of iOS in the output of [List], in the order of
// their runtimes. Lines before the JSON, as warnings are, are passed over.
func Parse(output string) ([]Device, error) {
	start := strings.Index(output, "{")
	if start < 0 {
		return nil, fmt.Errorf("simctl lists no devices: %s", drive.Short(output))
	}
	var listed struct {
		Devices map[string][]struct {
			UDID  string `json:"udid"`
			Name  string `json:"name"`
			State string `json:"state"`
		} `json:"devices"`
	}
	if err := json.NewDecoder(strings.NewReader(output[start:])).Decode(&listed); err != nil {
		return nil, fmt.Errorf("simctl's list of devices: %w", err)
	}
	var devices []Device
	for _, runtime := range slices.Sorted(maps.Keys(listed.Devices)) {
		// "com.apple.CoreSimulator.SimRuntime.iOS-17-2"
		name, version, _ := strings.Cut(runtime[strings.LastIndexByte(runtime, '.')+1:], "-")
		if name != "iOS" {
			continue
		}
		for _, d := range listed.Devices[runtime] {
			if d.State == "Booted" && udid.MatchString(d.UDID) {
				devices = append(devices, Device{d.UDID, drive.Short(d.Name), drive.Short(name + " " + strings.ReplaceAll(version, "-", "."))})
			}
		}
	}
	return devices, nil
}

// Choose returns the simulator to use: the one with the UDID, or, where that is "", the
// only one that is booted. Its error is a
// [*drive.ChoiceError].
func Choose(devices []Device, wanted string) (Device, error) {
	var names []string
	for _, d := range devices {
		if wanted != "" && strings.EqualFold(d.UDID, wanted) {
			return d, nil
		}
		names = append(names, d.String())
	}
	switch {
	case wanted != "":
		return Device{}, &drive.ChoiceError{Problem: fmt.Sprintf("no simulator %s is booted; booted are: %s", plain.Text(wanted), cmp.Or(strings.Join(names, "; "), "none")), Advice: "xcrun simctl list devices"}
	case len(devices) == 0:
		return Device{}, &drive.ChoiceError{Problem: "no simulator is booted", Advice: "open -a Simulator, or: xcrun simctl boot \"iPhone 16\""}
	case len(devices) > 1:
		return Device{}, &drive.ChoiceError{Problem: "several simulators are booted: " + strings.Join(names, "; "), Flags: []string{"--udid", devices[0].UDID}}
	}
	return devices[0], nil
}

// Proxy is what networksetup says of one of a service's proxies.
type Proxy struct {
	Enabled bool
	Server  string
	Port    string
}

// String returns the address of the proxy, harmless.
func (p Proxy) String() string { return plain.Text(net.JoinHostPort(p.Server, p.Port)) }

// ProxyQuestions returns the commands that ask for the proxies of a network service, for
// HTTP and for HTTPS, whose output [ParseProxy] reads.
func ProxyQuestions(service string) [2][]string {
	return [2][]string{{"networksetup", "-getwebproxy", service}, {"networksetup", "-getsecurewebproxy", service}}
}

// ParseProxy reads what networksetup says of a proxy.
func ParseProxy(output string) Proxy {
	var p Proxy
	for line := range strings.Lines(output) {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch name {
		case "Enabled":
			p.Enabled = value == "Yes"
		case "Server":
			p.Server = value
		case "Port":
			p.Port = value
		}
	}
	return p
}

// Options are what the person wants.
type Options struct {
	Certificate string // path of the PEM file
	Port        int    // of the proxy, on this Mac
	Service     string // network service of the Mac whose proxy is driven; "": none
	Proxies     [2]Proxy
	Reset       bool // undo may reset the simulator's keychain
}

const server = "127.0.0.1"

// Connected returns the proxies of a service after [Install] with a port.
func Connected(port int) [2]Proxy {
	ours := Proxy{true, server, strconv.Itoa(port)}
	return [2]Proxy{ours, ours}
}

func (o Options) ours(p Proxy) bool {
	return p.Server == server && p.Port == strconv.Itoa(o.Port)
}

// Install returns the plan that makes the simulator trust the authority and, where a
// network service is named, sets its proxy. A proxy of that service that is switched
// on and not ours is a [*drive.ChoiceError].
func Install(d Device, o Options) (drive.Plan, error) {
	p := drive.Plan{Steps: []drive.Step{{
		Do:   "Trust the certificate in the simulator",
		Why:  "simctl can add a root certificate and not remove one: undoing resets the simulator's whole keychain.",
		Argv: []string{"xcrun", "simctl", "keychain", d.UDID, "add-root-cert", o.Certificate},
		Undo: []string{"xcrun", "simctl", "keychain", d.UDID, "reset"},
		Hint: "start the simulator, and try again once it shows its home screen",
	}}}
	if o.Service == "" {
		p.Notes = append(p.Notes, "A simulator uses the Mac's proxy. To set it for Wi-Fi:\n"+
			lines(commands("Wi-Fi", o.Port))+"\nand when the audit is over:\n"+lines(off("Wi-Fi"))+
			"\nor have it done:\n  "+command(d, o, "--mac-proxy", "Wi-Fi"))
	} else {
		for i, proxy := range o.Proxies {
			if proxy.Enabled && !o.ours(proxy) {
				return drive.Plan{}, &drive.ChoiceError{
					Problem: fmt.Sprintf("%s uses the proxy %s already, which telltale does not replace", plain.Text(o.Service), proxy),
					Advice:  "switch it off first: " + drive.Quote(off(o.Service)[i]),
				}
			}
		}
		p.Steps = append(p.Steps, proxySteps(o, commands(o.Service, o.Port), "Yes")...)
		p.Notes = append(p.Notes, "Everything on this Mac that follows its proxy settings goes through telltale now. When the audit is over:\n  "+
			command(d, o, "--undo", "--mac-proxy", o.Service))
	}
	p.Notes = append(p.Notes, "Close the app that you audit and open it again: it reads both at its start.",
		"To take the certificate back, with everything else in the simulator's keychain:\n  "+UndoCommand(d, o))
	return p, nil
}

// command returns what a person types for this simulator and the proxy's port, which
// tells a proxy of ours from another.
func command(d Device, o Options, flags ...string) string {
	argv := []string{"telltale", "setup", "ios-simulator", "--port", strconv.Itoa(o.Port)}
	if d.UDID != Booted {
		argv = append(argv, "--udid", d.UDID)
	}
	return drive.Quote(append(argv, flags...))
}

// UndoCommand returns what a person types to take back all that [Install] did.
func UndoCommand(d Device, o Options) string {
	flags := []string{"--undo", "--reset-keychain"}
	if o.Service != "" {
		flags = append(flags, "--mac-proxy", o.Service)
	}
	return command(d, o, flags...)
}

// commands returns what sets the proxies of a service, which switches them on too.
func commands(service string, port int) [2][]string {
	return [2][]string{
		{"networksetup", "-setwebproxy", service, server, strconv.Itoa(port)},
		{"networksetup", "-setsecurewebproxy", service, server, strconv.Itoa(port)},
	}
}

// off returns what switches them off.
func off(service string) [2][]string {
	return [2][]string{
		{"networksetup", "-setwebproxystate", service, "off"},
		{"networksetup", "-setsecurewebproxystate", service, "off"},
	}
}

func lines(commands [2][]string) string {
	return "  " + drive.Quote(commands[0]) + "\n  " + drive.Quote(commands[1])
}

var protocols = [2]string{"HTTP", "HTTPS"}

// proxySteps returns the steps of commands, for HTTP and HTTPS, after which the proxies
// are enabled, Yes or No.
func proxySteps(o Options, commands [2][]string, enabled string) []drive.Step {
	var steps []drive.Step
	for i, argv := range commands {
		step := drive.Step{
			Do: fmt.Sprintf("Set the Mac's %s proxy of %s to %s:%d", protocols[i], plain.Text(o.Service), server, o.Port), Argv: argv,
			Check: ProxyQuestions(o.Service)[i], Shows: "Enabled: " + enabled,
			Undo: off(o.Service)[i], Hint: "networksetup -listallnetworkservices names the services; settings may need an administrator (sudo)",
		}
		if enabled == "No" {
			step.Do, step.Undo = fmt.Sprintf("Switch off the Mac's %s proxy of %s", protocols[i], plain.Text(o.Service)), nil
		}
		steps = append(steps, step)
	}
	return steps
}

// Undo returns the plan that takes back what [Install] did. Proxies that are not ours
// are left alone. The certificate can only go with the simulator's whole keychain; where
// that is not allowed, whole is false and a note says what is left.
func Undo(d Device, o Options) (p drive.Plan, whole bool) {
	if o.Service != "" {
		for i, step := range proxySteps(o, off(o.Service), "No") {
			switch proxy := o.Proxies[i]; {
			case !proxy.Enabled:
			case o.ours(proxy):
				p.Steps = append(p.Steps, step)
			default:
				p.Notes = append(p.Notes, left(d, o, i))
			}
		}
	} else {
		p.Notes = append(p.Notes, "If you set the Mac's proxy for Wi-Fi, switch it off:\n"+lines(off("Wi-Fi")))
	}
	if !o.Reset {
		p.Notes = append(p.Notes, "The simulator keeps trusting the certificate: simctl can add one and not remove it. --reset-keychain removes it with everything else in the simulator's keychain, such as saved passwords.")
		return p, false
	}
	p.Steps = append(p.Steps, drive.Step{
		Do: "Reset the simulator's keychain", Why: "All certificates and passwords that were added to it are gone with it.",
		Argv: []string{"xcrun", "simctl", "keychain", d.UDID, "reset"},
	})
	return p, true
}

// left says which of a service's proxies stays on, and why. One on this Mac may be ours
// from a run with another port.
func left(d Device, o Options, i int) string {
	proxy := o.Proxies[i]
	note := fmt.Sprintf("The Mac's %s proxy of %s is %s and stays: it is not the one on port %d. ", protocols[i], plain.Text(o.Service), proxy, o.Port)
	if port, err := strconv.ParseUint(proxy.Port, 10, 16); err == nil && port > 0 && proxy.Server == server {
		o.Port = int(port)
		return note + "If telltale set it:\n  " + command(d, o, "--undo", "--mac-proxy", o.Service)
	}
	return note + "To switch it off:\n  " + drive.Quote(off(o.Service)[i])
}
