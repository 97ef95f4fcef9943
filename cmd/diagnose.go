package cmd

import (
	"time"

	"telltale/capture"
	"telltale/diagnosis"
	"telltale/policy"
)

// diagnose returns what says why connections of a device cannot be read. now tells
// what takes long; it is zero for an audit that is over.
func diagnose(pol *policy.Policy, now time.Time) func(capture.Device) []diagnosis.Diagnosis {
	known := diagnosis.Known{Now: now}
	if pol.KnowsApp() {
		known.App = pol.IsApp
	}
	return func(d capture.Device) []diagnosis.Diagnosis { return diagnosis.Of(d.Evidence, known) }
}
