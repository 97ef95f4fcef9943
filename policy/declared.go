package policy

import (
	"strings"

	"telltale/declarations"
)

// Declare takes what the app says of its own privacy: flows that may be the app's are then
// judged by it as well. Of several privacy manifests, those of an app and of its kits,
// each adds to what is declared. It must not be called while flows are judged.
func (p *Policy) Declare(d declarations.Declaration) {
	p.declared = append(p.declared, d)
	for i := range p.devices {
		if own := p.devices[i].policy; own != nil {
			own.declared = p.declared
		}
	}
}

// Declarations returns what was declared, in the order of the calls.
func (p *Policy) Declarations() []declarations.Declaration { return p.declared }

// platform is whose apps a declaration is of.
type platform int8

const (
	apple platform = iota
	android
)

// marks are words in a User-Agent that only devices of a platform send.
var marks = [...][]string{
	apple:   {"CFNetwork", "Darwin", "iPhone", "iPad", "iOS", "watchOS"},
	android: {"Android", "Dalvik", "okhttp"},
}

// mayBeApps reports whether a flow may be of the app that a declaration is of. Noise is
// not; where the policy says how the app names itself, neither is a request under another
// name, nor ever one that says that it comes from the other platform. What says nothing
// may be the app's.
func (s *Sighting) mayBeApps(of platform) bool {
	if s.contact.verdict == Ignored {
		return false
	}
	ua := s.request.UserAgent
	if ua == "" {
		return true
	}
	return (s.request.App || !s.policy.KnowsApp()) && (hasMark(ua, of) || !hasMark(ua, 1-of))
}

func hasMark(ua string, of platform) bool {
	for _, mark := range marks[of] {
		if strings.Contains(ua, mark) {
			return true
		}
	}
	return false
}

// files names the files that a test picks: "PrivacyInfo.xcprivacy".
func (p *Policy) files(pick func(*declarations.Declaration) bool) string {
	var names []string
	for i := range p.declared {
		if d := &p.declared[i]; pick(d) && !contains(names, d.File) {
			names = append(names, d.File)
		}
	}
	return strings.Join(names, ", ")
}
