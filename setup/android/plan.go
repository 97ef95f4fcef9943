package android

import (
	"fmt"
	"net"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"telltale/flow/plain"
	"telltale/setup/drive"
)

// What a plan leaves on the device.
const (
	folder       = "/data/local/tmp/telltale"
	proxyFile    = folder + "/proxy"                  // the proxy before, as `settings get` printed it
	portsFile    = folder + "/ports"                  // a line for each port of `adb reverse`
	rootFile     = folder + "/root"                   // adb was restarted as root
	certFile     = folder + "/ca.pem"                 // the certificate for the system's store
	scriptFile   = folder + "/trust.sh"               // Script
	downloadFile = "/sdcard/Download/telltale-ca.cer" // PEM; some devices offer no other suffix

	apexStore = "/apex/com.android.conscrypt/cacerts"

	// prepare makes the folder, and gives it to the shell (AID_SHELL of AOSP's
	// android_filesystem_config.h) where root makes it: adb may not be root when it
	// is to be removed.
	prepare = "mkdir -p " + folder + " && { chown -R 2000:2000 " + folder + " 2>/dev/null || true; }"

	// leftQuestion asks with what every Android has: FILE: and FILE:LINE of what is kept.
	leftQuestion = "for f in " + folder + " " + scriptFile + " " + downloadFile + "; do [ -e $f ] && echo $f; done; " +
		"for f in " + proxyFile + " " + portsFile + " " + rootFile + "; do [ -e $f ] && echo $f: && " +
		"while read -r l; do echo \"$f:$l\"; done <$f; done; true"
)

// Store is where the authority is to be trusted.
type Store string

// Stores.
const (
	Auto   Store = "auto"   // System where there is root, else User
	System Store = "system" // trusted by every app, until the device restarts
	User   Store = "user"   // installed by the person, trusted by apps that ask for it
	None   Store = "none"   // the proxy alone
)

// Options are what the person wants.
type Options struct {
	Port  int    // of the proxy, on this machine
	Host  string // address at which the device reaches it over the network; "": through adb
	Store Store
	LAN   string // an address of this machine, for devices without `adb reverse`; ""

	Authority   string // name of the certificate, as devices list it
	Certificate string // path of its PEM file
	Hash        string // its name in the system's store, "5ed36f99.0"
	Script      string // path of a file with [Script]
}

const slow = 2 * time.Minute // steps that visit each process of the device, or wait for it

// Install returns the plan that sends the device's traffic to the proxy and has it
// trust the authority.
//
// The traffic goes through adb by default: `adb reverse` works over USB, over Wi-Fi
// and with every emulator, needs no network between device and machine, and the proxy
// need not be reachable by anyone else. Android 4.4 lacks it; there the emulator
// reaches this machine at 10.0.2.2, Genymotion at 10.0.3.2 (developer.android.com,
// "Set up Android Emulator networking"), and a phone at o.LAN.
func Install(f Facts, o Options) (drive.Plan, error) {
	var p drive.Plan
	if o.Store == System && f.Root == NoRoot {
		return p, &drive.ChoiceError{Problem: "the system's store needs root, and this device has none that adb can use", Advice: "use an emulator image without Google Play, or the user's store:", Flags: []string{"--store", string(User)}}
	}
	p.Steps = append(p.Steps, drive.Step{
		Do: "Make a folder on the device that remembers what to undo", Argv: f.shell(prepare), Undo: f.shell("rm -rf " + folder),
	})
	root := f.Root != NoRoot && (o.Store == System || o.Store == Auto)
	if root && f.Root == RestartRoot {
		p.Steps = append(p.Steps, restart(f, "this build of Android has no root for adb: "+command(f, o, "--store", string(User)))...)
		f.Root, f.Reverse = ShellRoot, nil
	}
	host, err := f.route(&p, o)
	if err != nil {
		return p, err
	}
	setProxy(f, &p, net.JoinHostPort(host, strconv.Itoa(o.Port)))
	switch {
	case root:
		trustSystem(f, &p, o)
	case o.Store != None:
		trustUser(f, &p, o)
	}
	p.Notes = append(p.Notes, "Apps built with Flutter, and code that opens its own sockets, ignore the proxy setting: nothing of them is seen.",
		"The device has no way to the network while the proxy does not run. When the audit is over:\n  "+undoCommand(f))
	return p, nil
}

// command returns what a person types for this device and port.
func command(f Facts, o Options, flags ...string) string {
	argv := []string{"telltale", "setup", "android", "--port", strconv.Itoa(o.Port)}
	return drive.Quote(append(withSerial(argv, f), flags...))
}

// undoCommand returns what a person types to undo everything. The ports to give back
// are remembered on the device.
func undoCommand(f Facts) string {
	return drive.Quote(withSerial([]string{"telltale", "setup", "android", "--undo"}, f))
}

func withSerial(argv []string, f Facts) []string {
	if f.Serial == "" {
		return argv
	}
	return append(argv, "--serial", plain.Text(f.Serial))
}

// restart has adb's side on the device run as root. That cuts the connections of
// `adb reverse`, so it comes first.
func restart(f Facts, hint string) []drive.Step {
	return []drive.Step{
		{
			Do: "Restart adb on the device as root", Why: "The system's certificates can be covered by root alone. It ends what else uses adb on the device, also its adb reverse.",
			Argv: f.argv("root"), Undo: f.argv("unroot"), Hint: hint,
		},
		{
			Do: "Wait until it is back", Argv: f.argv("wait-for-device"), Patience: slow,
			Check: f.shell("id -u"), Shows: "0", Settle: quick, Hint: hint,
		},
		{Do: "Note that on the device", Argv: f.shell("echo restarted >" + rootFile)},
	}
}

// route adds the way from the device to this machine, and returns the host that the
// device is to use.
func (f Facts) route(p *drive.Plan, o Options) (string, error) {
	if o.Host != "" {
		if !validHost(o.Host) {
			return "", &drive.ChoiceError{Problem: fmt.Sprintf("%q is no host name or address", o.Host), Flags: []string{"--host", "192.168.1.2"}}
		}
		return o.Host, nil
	}
	if f.API < 21 { // `adb reverse` came with Android 5.0
		switch {
		case f.Kind == Emulator:
			return "10.0.2.2", nil
		case f.Kind == Genymotion:
			return "10.0.3.2", nil
		case o.LAN != "":
			return o.LAN, nil
		}
		return "", &drive.ChoiceError{Problem: "this Android is too old for a proxy through adb, and this machine has no network address", Flags: []string{"--host", "ADDRESS"}}
	}
	from := "tcp:" + strconv.Itoa(o.Port)
	row := from + " " + from
	for _, other := range f.Reverse {
		if strings.HasPrefix(other, from+" ") && other != row {
			return "", &drive.ChoiceError{Problem: fmt.Sprintf("port %d of the device leads elsewhere already (adb reverse %s)", o.Port, plain.Text(other)), Advice: "take another port:", Flags: []string{"--port", strconv.Itoa(o.Port%65535 + 1)}}
		}
	}
	if slices.Contains(f.Reverse, row) && !slices.Contains(f.Left.Ports, o.Port) {
		return "localhost", nil // another's, who may want it when we are gone
	}
	p.Steps = append(p.Steps,
		drive.Step{
			Do:   fmt.Sprintf("Remember port %d on the device, so that it can be undone", o.Port),
			Argv: f.shell(fmt.Sprintf("echo %d >>%s", o.Port, portsFile)),
		},
		drive.Step{
			Do:   fmt.Sprintf("Lead port %d of the device to port %d here, through adb", o.Port, o.Port),
			Why:  "It needs no network between the two, and works while the device changes networks.",
			Argv: f.argv("reverse", from, from), Undo: f.argv("reverse", "--remove", from),
			Hint: "use the network instead: " + command(f, o, "--host", "ADDRESS"),
		})
	return "localhost", nil
}

// setProxy adds the steps that set the proxy of the whole device.
func setProxy(f Facts, p *drive.Plan, proxy string) {
	former := f.Proxy
	remember := "settings get global http_proxy"
	switch {
	case f.Left.Changed: // a second run: what is set now is our own
		former = f.Left.Proxy
	case former == proxy: // set by hand, for us
		former, remember = "", "echo null"
	}
	words, undo := "none", ":0"
	if former != "" {
		words = plain.Text(former)
	}
	if validProxy(former) {
		undo = former
	}
	p.Steps = append(p.Steps,
		drive.Step{
			Do:   "Remember the device's own proxy: " + words,
			Why:  "It is kept on the device, so that it can be undone from any machine.",
			Argv: f.shell(fmt.Sprintf("[ -e %s ] || %s >%s", proxyFile, remember, proxyFile)),
		},
		drive.Step{
			Do: "Set the device's proxy to " + proxy, Why: "It holds for every network of the device, and no page of its settings shows it.",
			Argv:  f.shell("settings put global http_proxy " + proxy),
			Check: f.shell("settings get global http_proxy"), Shows: proxy,
			Undo: f.shell("settings put global http_proxy " + undo),
			Hint: "the device refuses it; on Xiaomi phones switch on Developer options › USB debugging (Security settings)",
		})
}

// asRoot returns the command that runs the script as root.
func (f Facts) asRoot(arguments string) []string {
	line := "sh " + scriptFile + " " + arguments
	switch f.Root {
	case UserRoot:
		line = "su 0 " + line
	case CommandRoot:
		line = "su -c '" + line + "'" // one word: Magisk and KernelSU take no more
	}
	return f.shell(line)
}

// trustSystem adds the steps that put the authority into the system's store.
func trustSystem(f Facts, p *drive.Plan, o Options) {
	store, why := "/system/etc/security/cacerts", ""
	if f.APEX {
		store, why = apexStore, " Android 14 and later read them from an APEX, which each process sees for itself: the script visits them all."
	}
	p.Steps = append(p.Steps,
		drive.Step{Do: "Push the certificate to " + folder, Argv: f.argv("push", o.Certificate, certFile)},
		drive.Step{
			Do: "Push the script that trusts it", Why: "It is what telltale setup android --script prints.",
			Argv: f.argv("push", o.Script, scriptFile),
		},
		drive.Step{
			Do:   "Trust the certificate as one of the system's, until the device restarts",
			Why:  "A copy in memory covers " + store + "; nothing is written to the system's partitions." + why,
			Argv: f.asRoot("install " + certFile + " " + strings.TrimSuffix(o.Hash, path.Ext(o.Hash))),
			Says: "telltale: trusted", Undo: f.asRoot("remove"), Patience: slow,
			Hint: command(f, o, "--store", string(User)),
		})
	p.Notes = append(p.Notes, "Close the app that you audit and open it again: running apps keep the certificates that they read before.",
		"Chrome accepts certificates of the system's store only with Certificate Transparency, which these lack. To audit pages in Chrome:\n  "+command(f, o, "--store", string(User)))
}

// trustUser adds the steps that lead the person to install the authority.
func trustUser(f Facts, p *drive.Plan, o Options) {
	p.Steps = append(p.Steps,
		drive.Step{
			Do: "Push the certificate to the device's Download folder", Argv: f.argv("push", o.Certificate, downloadFile),
			Undo: f.shell("rm -f " + downloadFile),
		},
		drive.Step{
			Do: "Open the security settings on the device", Why: "Since Android 11 a certificate authority is installed there, by a person, and by nobody else.",
			Argv: f.shell("am start -a android.settings.SECURITY_SETTINGS"), Optional: true,
		})
	steps := "On the device: More security & privacy › Encryption & credentials › Install a certificate › CA certificate › Install anyway"
	if f.API < 30 {
		steps = "On the device: Encryption & credentials › Install from storage"
	}
	p.Notes = append(p.Notes, steps+", and choose "+path.Base(downloadFile)+" in Download. It is listed as "+plain.Text(o.Authority)+".")
	if f.API >= 24 {
		p.Notes = append(p.Notes, "Since Android 7 apps trust such a certificate only if their network_security_config says so, as debug builds can; Chrome does. For other apps take an emulator image without Google Play, or a rooted device.")
	}
}
