package catalog

import "strings"

// Who sends a probe.
const (
	BySystem  = "system"
	ByBrowser = "browser"
	ByApp     = "app-library"
)

// A Probe is a request whose only purpose is to learn whether the internet answers,
// as one sender sends it.
type Probe struct {
	ID         string   `yaml:"id"`
	What       string   `yaml:"what"`     // "captive-portal check of Android"
	Sender     string   `yaml:"sender"`   // who sends it, in words
	Owner      string   `yaml:"owner"`    // who is asked
	SentBy     string   `yaml:"sent-by"`  // BySystem, ByBrowser or ByApp
	Platform   string   `yaml:"platform"` // "ios", "android", …; "" for several
	Preset     string   `yaml:"preset"`   // preset that overlooks it; "" for none
	Category   string   `yaml:"category"` // "" for CaptivePortal
	Hosts      []string `yaml:"hosts"`
	Dedicated  bool     `yaml:"dedicated"` // the hosts serve nothing else
	Schemes    []string `yaml:"schemes"`   // empty: any
	Methods    []string `yaml:"methods"`   // empty: any
	Paths      []string `yaml:"paths"`     // exact; empty: any
	UserAgents []string `yaml:"user-agents"`
	// NeedsApp says that only the app's own User-Agent makes it this probe: to
	// anybody else the URL is an ordinary one, or another sender's.
	NeedsApp   bool   `yaml:"needs-app"`
	Expected   string `yaml:"expected"`
	Cadence    string `yaml:"cadence"`
	Recognise  string `yaml:"recognise"`
	Remedy     string `yaml:"remedy"`
	Source     string `yaml:"source"`
	Confidence string `yaml:"confidence"` // A, S, B, or Unverified
}

// Class returns the probe's category.
func (p *Probe) Class() string {
	if p.Category == "" {
		return CaptivePortal
	}
	return p.Category
}

// A Sighting is what is known of a request.
type Sighting struct {
	Host      string // canonical
	Read      bool   // the request was read; when not, only Host is known
	Scheme    string // lower case
	Method    string
	Path      string // decoded, without the query
	UserAgent string
	App       bool // the policy says that this User-Agent is the app's
}

// A Match is the most likely probe behind a request.
type Match struct {
	// Probe is the row that fits best; nil when only the path gives the request
	// away and no row knows the host.
	Probe *Probe
	// Others send the same URL, too, in the order in which they fit.
	Others []*Probe
}

// Probes returns every probe. The caller must not change it.
func Probes() []Probe { return load().probes }

// probePaths are the last path segments that probes have by convention.
var probePaths = map[string]bool{
	"generate_204": true, "gen_204": true, "hotspot-detect.html": true, "connecttest.txt": true,
	"ncsi.txt": true, "success.txt": true, "nm-check.txt": true,
}

// IsProbePath reports whether the path of a URL ends as those of probes do, whatever
// the host.
func IsProbePath(path string) bool {
	path = strings.TrimRight(path, "/")
	return probePaths[strings.ToLower(path[strings.LastIndexByte(path, '/')+1:])]
}

// FindProbe returns the probe that a request most likely is. Rows that know the host
// come first; an unknown host is a probe by its path alone.
func FindProbe(s Sighting) (Match, bool) {
	d := load()
	var m Match
	best := 0
	for _, row := range d.probeHosts.find(s.Host) {
		p := &d.probes[row]
		score, ok := p.score(s)
		switch {
		case !ok:
		case m.Probe == nil:
			m.Probe, best = p, score
		case score > best:
			m.Others = append([]*Probe{m.Probe}, m.Others...)
			m.Probe, best = p, score
		default:
			m.Others = append(m.Others, p)
		}
	}
	return m, m.Probe != nil || s.Read && IsProbePath(s.Path)
}

// score says how well a request that was seen on one of the probe's hosts fits. The
// path must be right. The User-Agent weighs most, since it names the sender; a wrong
// method or scheme tells against, since senders do not vary them.
func (p *Probe) score(s Sighting) (int, bool) {
	if !s.Read {
		return 0, p.Dedicated
	}
	if len(p.Paths) > 0 && !contains(p.Paths, s.Path) {
		return 0, false
	}
	score := 0
	switch {
	case len(p.Methods) == 0:
	case contains(p.Methods, s.Method):
		score += 2
	default:
		score -= 4
	}
	switch {
	case len(p.Schemes) == 0:
	case contains(p.Schemes, s.Scheme):
		score++
	default:
		score -= 4
	}
	named := matchAny(p.UserAgents, s.UserAgent)
	byApp := p.SentBy == ByApp && (named || s.App)
	if p.NeedsApp && !byApp {
		return 0, false
	}
	if named || byApp {
		score += 4
	}
	return score, true
}

func contains(list []string, s string) bool {
	for _, item := range list {
		if item == s {
			return true
		}
	}
	return false
}

func matchAny(globs []string, s string) bool {
	for _, glob := range globs {
		if Glob(glob, s) {
			return true
		}
	}
	return false
}

// Glob reports whether s matches a pattern in which * stands for any run of
// characters, slashes included. The time is linear in the product of the lengths at
// worst, never more.
func Glob(pattern, s string) bool {
	star, mark := -1, 0 // last * in pattern, and where its run ends in s
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, mark = i, j
			i++
		case i < len(pattern) && pattern[i] == s[j]:
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(pattern) && pattern[i] == '*' {
		i++
	}
	return i == len(pattern)
}
