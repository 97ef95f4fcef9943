package reports

import (
	"slices"
	"strings"

	"telltale/capture"
	"telltale/flow/plain"
)

// Limits of the commands that a document lists.
const (
	maxCaptures = 5
	maxExplain  = 3
	maxCommand  = 1000 // characters
)

// A step is one command to paste, and what it is good for.
type step struct {
	why     string
	command string
}

// reproduce returns the commands with which a colleague gets the same result. They
// are quoted for a POSIX shell; what cannot be shown as it is gets no command.
func reproduce(r *Report) []step {
	var steps []step
	if r.Command != "" {
		steps = append(steps, step{"what made this report", r.Command})
	}
	kept := r.keptCaptures()
	judge := r.Policy.flags()
	again := judge
	if r.Baseline != nil && r.Baseline.File != "" {
		again = slices.Concat(judge, []string{"--baseline", r.Baseline.File})
	}
	if len(kept) > 0 && !strings.HasPrefix(r.Command, "telltale check ") {
		steps = append(steps, step{"judge the same recording again", shell("telltale", "check", kept, again)})
	}
	if len(kept) > 0 && len(r.Summary.Violations) > 0 {
		pick := []string{"--where", `verdict == "violation"`}
		steps = append(steps, step{"list the flows that break the policy", shell("telltale", "flows", kept, pick, judge)})
	}
	var asked []string
	for i, v := range r.Summary.Violations {
		if i == maxExplain {
			break
		}
		if slices.Contains(asked, explained(v)) {
			continue
		}
		asked = append(asked, explained(v))
		if about := explained(v); plain.Is(about) && r.url(about) == about && len(about) <= maxText && about != "" {
			steps = append(steps, step{"see which line of the policy decides", shell("telltale", "policy explain", []string{about}, judge)})
		}
	}
	return slices.DeleteFunc(steps, func(s step) bool {
		return plain.Text(s.command) != s.command || r.mask(s.command) != s.command || len(s.command) > maxCommand
	})
}

// explained is what to ask the policy about a violation: its URL, or the host alone where
// the URL is none that anybody could ask for, as that of a question of DNS (RFC 4501).
func explained(v capture.Violation) string {
	switch scheme, _, _ := strings.Cut(v.URL, ":"); scheme {
	case "dns", "icmp", "ip", "contact":
		return v.Finding.Host
	}
	return v.URL
}

// keptCaptures returns the names of the inputs that can be read again.
func (r *Report) keptCaptures() []string {
	var kept []string
	for _, c := range r.Captures {
		if c.File != "" && c.File != standardInput && c.Error == "" && len(kept) < maxCaptures {
			kept = append(kept, c.File)
		}
	}
	return kept
}

// flags returns the flags that choose the policy.
func (p PolicyInfo) flags() []string {
	var flags []string
	if p.File != "" {
		flags = append(flags, "--policy", p.File)
	}
	for _, pattern := range p.Allow {
		flags = append(flags, "--allow", pattern)
	}
	return flags
}

// shell returns a command line. The first two words are ours and need no quotes.
func shell(program, command string, args ...[]string) string {
	words := []string{program, command}
	for _, arg := range slices.Concat(args...) {
		words = append(words, shellWord(arg))
	}
	return strings.Join(words, " ")
}
