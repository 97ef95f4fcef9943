package android

import (
	"fmt"
	"slices"
	"strconv"

	"telltale/flow/plain"
	"telltale/setup/drive"
)

// NeedsRoot reports whether undoing needs root on the device: its system store may be
// covered.
func (l Left) NeedsRoot() bool { return l.Script }

// Undo returns the plan that takes everything back that [Install] did, whole or in
// part, from what it left on the device. Where nothing is left the plan is empty.
//
// The folder on the device, which says what there is to undo, goes last: a plan that
// stopped half-way can be repeated.
func Undo(f Facts) drive.Plan {
	var p drive.Plan
	left := f.Left
	if left.Changed {
		restoreProxy(f, &p)
	} else if f.Proxy != "" {
		p.Notes = append(p.Notes, fmt.Sprintf("The device's proxy is %s. telltale did not set it and leaves it. To clear it:\n  %s",
			plain.Text(f.Proxy), drive.Quote(f.shell("settings put global http_proxy :0"))))
	}
	for _, port := range left.Ports {
		from := "tcp:" + strconv.Itoa(port)
		if slices.Contains(f.Reverse, from+" "+from) {
			p.Steps = append(p.Steps, drive.Step{
				Do: fmt.Sprintf("End the way from port %d of the device to here", port), Argv: f.argv("reverse", "--remove", from),
			})
		}
	}
	if left.Script {
		distrust(f, &p)
	}
	if left.Download {
		p.Steps = append(p.Steps,
			drive.Step{Do: "Remove the certificate's file from Download", Argv: f.shell("rm -f " + downloadFile)},
			drive.Step{
				Do: "Open the list of trusted certificates on the device", Optional: true,
				Argv: f.shell("am start -a com.android.settings.TRUSTED_CREDENTIALS_USER"),
			})
		p.Notes = append(p.Notes, "If you installed the certificate on the device, remove it there: User › Telltale › Remove. Only a person can; `telltale ca show` prints its name.")
	}
	if left.Folder {
		p.Steps = append(p.Steps, drive.Step{Do: "Remove what was pushed to the device", Argv: f.shell("rm -rf " + folder)})
	}
	if left.Restarted || left.Script && f.Root == RestartRoot {
		p.Steps = append(p.Steps, drive.Step{
			Do: "Restart adb on the device without root", Argv: f.argv("unroot"), Optional: true,
		})
	}
	return p
}

// restoreProxy adds the steps that bring the former proxy back. The empty proxy ":0"
// is set rather than the setting deleted: Android takes notice of a value and not of
// its absence, and would keep the proxy until it restarts.
func restoreProxy(f Facts, p *drive.Plan) {
	former, words := f.Left.Proxy, "Set the device's proxy to what it was: "
	switch {
	case former == "":
		former, words = ":0", "Clear the device's proxy"
	case !validProxy(former):
		p.Notes = append(p.Notes, "The proxy that was set before is no HOST:PORT and was not set again: "+drive.Short(former))
		former, words = ":0", "Clear the device's proxy"
	default:
		words += former
	}
	p.Steps = append(p.Steps, drive.Step{
		Do: words, Argv: f.shell("settings put global http_proxy " + former),
		Check: f.shell("settings get global http_proxy"), Shows: former,
	})
	if former == ":0" {
		for _, name := range []string{"global_http_proxy_host", "global_http_proxy_port", "global_http_proxy_exclusion_list"} {
			p.Steps = append(p.Steps, drive.Step{
				Do: "Delete " + name, Argv: f.shell("settings delete global " + name), Optional: true,
			})
		}
	}
}

// distrust adds the steps that uncover the system's store.
func distrust(f Facts, p *drive.Plan) {
	if f.Root == NoRoot {
		p.Notes = append(p.Notes, "The system's certificates may still be covered, and root, which can change that, is gone. Restart the device: nothing of it lasts.")
		return
	}
	if f.Root == RestartRoot {
		p.Steps = append(p.Steps, restart(f, "restart the device: nothing of it lasts")[:2]...)
		f.Root = ShellRoot
	}
	p.Steps = append(p.Steps, drive.Step{
		Do: "Stop trusting the certificate, in every process", Argv: f.asRoot("remove"), Says: "telltale: removed", Patience: slow,
		Hint: "restart the device: nothing of it lasts",
	})
}
