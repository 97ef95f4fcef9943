package reports

import (
	"fmt"

	"telltale/capture"
	"telltale/flow"
)

// FewFlows is how many flows an audit has to have before its silence means
// something, where the user says nothing else.
const FewFlows = 5

// WarningsOf returns why the verdict on captures is worth little: packets that came in are
// in no flow and were dropped for no reason that was counted, or may be, since the
// recorder was killed; nearly nothing was
// recorded, in all or in one of several; most of it could not be read or did not complete;
// values were not looked for where they may be; or nothing came from the app
// (appUnseen). Each is a sentence. Of an audit without any flow only what is missing is
// said: it has no verdict.
func WarningsOf(s capture.Summary, captures []CaptureInfo, appUnseen bool, fewFlows int) []string {
	out := unbalanced(s.Health)
	if s.Flows == 0 {
		return out
	}
	if s.Flows < fewFlows {
		out = append(out, fmt.Sprintf("Nearly empty: %s recorded, where fewer than %d say next to nothing about an app.",
			plural(s.Flows, "flow was", "flows were"), fewFlows))
	}
	if text := alwaysOn(s); text != "" {
		out = append(out, text)
	}
	if empty := emptyOnes(captures); len(empty) > 0 {
		out = append(out, fmt.Sprintf("Partly empty: %s of %d has no contact: %s.",
			plural(len(empty), "capture", "captures"), len(captures), joinAnd(firstOf(empty))))
	}
	if n := undecrypted(s.Health); 2*n > s.Flows {
		out = append(out, fmt.Sprintf("Mostly unread: the content of %d of %s could not be read, so that most of this verdict goes by the host's name alone.",
			n, plural(s.Flows, "flow", "flows")))
	}
	if n := s.Health.Failed; 2*n > s.Flows {
		out = append(out, fmt.Sprintf("Mostly failed: %d of %s did not complete, as with a device that is offline. An app that gets no answers does not do what it does elsewhere.",
			n, plural(s.Flows, "flow", "flows")))
	}
	for _, c := range captures {
		if c.LeftOut > 0 {
			out = append(out, fmt.Sprintf("Not searched: never-send values were not looked for in %s that %s keeps in other files, which could not be read.",
				plural(c.LeftOut, "body", "bodies"), c.name()))
		}
	}
	if h := s.Health; h.Cut > 0 {
		out = append(out, fmt.Sprintf("Not searched whole: of %s (%s) only a part is in the record. What stands behind it was not searched for values that must not leave, nor for identifiers. A live audit records more with --body-limit.",
			plural(h.Cut, "request", "requests"), size(h.CutBytes)))
	}
	if appUnseen {
		out = append(out, "Not the app: no flow carries a User-Agent that the policy names as the app's own (app.user-agent).")
	}
	return out
}

// emptyOnes names the captures that were read and hold no contact, where there are
// others.
func emptyOnes(captures []CaptureInfo) (names []string) {
	for _, c := range captures {
		if len(captures) > 1 && c.Flows == 0 && c.Error == "" {
			names = append(names, c.name())
		}
	}
	return names
}

// name is how a sentence names a capture.
func (c CaptureInfo) name() string {
	if c.File == standardInput {
		return "standard input"
	}
	return c.File
}

// firstOf returns as many names as one sentence takes, and how many more there are.
func firstOf(names []string) []string {
	if more := len(names) - maxListed; more > 0 {
		return append(names[:maxListed:maxListed], fmt.Sprintf("%d more", more))
	}
	return names
}

// undecrypted counts the connections whose content is unknown, those that failed
// before there was any left out.
func undecrypted(h capture.Health) int {
	n := 0
	for _, outcomes := range h.Unread {
		for outcome, count := range outcomes {
			if outcome != flow.UpstreamFailed && outcome != flow.Abandoned {
				n += count
			}
		}
	}
	return n
}
