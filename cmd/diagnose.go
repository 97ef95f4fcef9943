package cmd

import (
	"slices"
	"time"

	"telltale/capture"
	"telltale/diagnosis"
	"telltale/policy"
)

// diagnose returns what says why connections of a device of an audit cannot be read. mask
// hides what must not be shown, as masker has it. now tells what takes long; it is zero
// for an audit that is over.
func diagnose(pol *policy.Policy, sum capture.Summary, mask func(string) string, now time.Time) func(capture.Device) []diagnosis.Diagnosis {
	known := diagnosis.Known{AppSeen: appSeen(pol, sum), Mask: mask, Now: now}
	if pol.KnowsApp() {
		known.App = pol.IsApp
	}
	return func(d capture.Device) []diagnosis.Diagnosis { return diagnosis.Of(d.Evidence, known) }
}

// appSeen reports whether some device of an audit made contacts as the app.
func appSeen(pol *policy.Policy, sum capture.Summary) bool {
	return pol.KnowsApp() && slices.ContainsFunc(sum.Health.Devices, func(d capture.Device) bool {
		return slices.ContainsFunc(d.Apps, pol.IsApp)
	})
}
