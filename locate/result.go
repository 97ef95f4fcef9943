package locate

import (
	"fmt"
	"slices"
)

// Found reports whether something that is wanted was found; of a listing, whether any host
// was.
func (r *Result) Found() bool {
	return slices.ContainsFunc(r.Leads, func(l Lead) bool { return l.Form != Parent })
}

// Of returns the leads to one host or string, those by a parent domain among them.
func (r *Result) Of(wanted string) (leads []Lead) {
	for _, l := range r.Leads {
		if l.Wanted == wanted {
			leads = append(leads, l)
		}
	}
	return leads
}

// Missing returns what is wanted and was not found, in the order in which it was asked for.
func (r *Result) Missing() (missing []string) {
	for _, name := range append(slices.Clone(r.Wanted.Hosts), r.Wanted.Strings...) {
		if !slices.ContainsFunc(r.Leads, func(l Lead) bool { return l.Wanted == name && l.Form != Parent }) {
			missing = append(missing, name)
		}
	}
	return missing
}

// failed counts the apps that could not be opened, and the files in apps.
func (r *Result) failed() (whole, parts int) {
	for _, f := range r.Failures {
		if slices.ContainsFunc(r.Apps, func(a App) bool { return a.Path == f.Path }) {
			whole++
		} else {
			parts++
		}
	}
	return whole, parts
}

// Advice says what to try where something was not found, a sentence each: what could
// not be read comes first.
func (r *Result) Advice() (advice []string) {
	if len(r.Missing()) == 0 && !(r.Listed && !r.Found()) {
		return nil
	}
	if len(r.Unread) > 0 {
		advice = append(advice, "A part of the app is hidden, which may hold it: search a build that is neither encrypted nor packed, such as one of your own.")
	}
	whole, parts := r.failed()
	if whole > 0 {
		advice = append(advice, fmt.Sprintf("%s could not be opened, or not to its end: look whether the path is right and the file whole, and search again.", plural(whole, "app", "apps")))
	}
	if parts > 0 {
		advice = append(advice, fmt.Sprintf("%s could not be read, or not whole, and may hold it: why is said with each.", plural(parts, "file of the app", "files of the app")))
	}
	return append(advice,
		"The address may be put together at run time: look for a part of it that does not change, with --string.",
		"It may come from remote configuration: look in the capture for the answer that has it, with telltale flows CAPTURE --where 'body contains \"HOST\"'.",
		"It may be in a native library or in code that is loaded later: give the app's other parts too (split APKs, frameworks, on-demand modules).",
		"The system itself, or a component of it such as a web view or Google Play services, may have made the contact: record once with the app closed (telltale record --idle) and compare.",
	)
}
