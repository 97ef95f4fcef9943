package catalog

// A Class says whose contact with a host it is.
type Class string

// The classes. What is in neither is the app's, as far as anybody knows.
const (
	ClassNoise     Class = "noise"     // only systems and browsers contact it
	ClassAmbiguous Class = "ambiguous" // systems do, and SDKs and apps do, too
)

// A Preset is a pack of noise that a kind of device makes by itself.
type Preset struct {
	Name     string `yaml:"name"`
	Title    string `yaml:"title"`
	Platform string `yaml:"platform"` // "ios", "android", …; "" for several
	Rows     []Row  `yaml:"rows"`
}

// A Row is a part of a preset. Empty limits do not limit.
type Row struct {
	What       string   `yaml:"what"`
	Class      Class    `yaml:"class"`
	Hosts      []string `yaml:"hosts"`
	Schemes    []string `yaml:"schemes"`
	Methods    []string `yaml:"methods"`
	Paths      []string `yaml:"paths"`
	UserAgents []string `yaml:"user-agents"` // globs
	Source     string   `yaml:"source"`
	Confidence string   `yaml:"confidence"`
}

// limited reports whether the row is about some requests to its hosts only.
func (r *Row) limited() bool {
	return len(r.Schemes)+len(r.Methods)+len(r.Paths)+len(r.UserAgents) > 0
}

// Matches reports whether a request to one of the row's hosts is within its limits.
// A request that was not read is within them only where there are none.
func (r *Row) Matches(s Sighting) bool {
	if !s.Read {
		return !r.limited()
	}
	return (len(r.Schemes) == 0 || contains(r.Schemes, s.Scheme)) &&
		(len(r.Methods) == 0 || contains(r.Methods, s.Method)) &&
		(len(r.Paths) == 0 || contains(r.Paths, s.Path)) &&
		(len(r.UserAgents) == 0 || matchAny(r.UserAgents, s.UserAgent))
}

// shared is a row of the table of hosts that systems and apps contact alike. Unlike the
// rows of presets it is nothing that a policy could overlook.
type shared struct {
	What       string   `yaml:"what"` // what may cause a contact
	Platform   string   `yaml:"platform"`
	Hosts      []string `yaml:"hosts"`
	Source     string   `yaml:"source"`
	Confidence string   `yaml:"confidence"`
}

// Noise says that the device or a browser may have made a contact without the app.
type Noise struct {
	Class      Class
	What       string // what it is, or, where it is ambiguous, what may cause it
	Platform   string // "ios", "android", …; "" for several
	Source     string
	Confidence string // A, B, or Unverified
}

// NoiseOf says whether a contact is one that devices make by themselves, whatever the
// policy says. It is for screens, which dim such contacts and never drop them. A host
// that SDKs use as well is never [ClassNoise].
func NoiseOf(s Sighting) (Noise, bool) {
	if s.App {
		return Noise{}, false
	}
	if m, ok := FindProbe(s); ok && m.Probe != nil && m.Probe.SentBy == ByApp {
		return Noise{}, false
	}
	d := load()
	product, closest := d.findProduct(s.Host, s.Path)
	if product != nil && closest.path > 0 {
		return Noise{}, false // the path tells that it is the product
	}
	if n, ok := d.noiseOfPresets(s); ok {
		return n, true
	}
	var found *shared
	d.sharedHosts.covering(s.Host, func(rows []int, specific int) bool {
		if specific >= closest.host { // else the product's name says more
			found = &d.shared[rows[0]]
		}
		return true
	})
	if found == nil {
		return Noise{}, false
	}
	return Noise{ClassAmbiguous, found.What, found.Platform, found.Source, found.Confidence}, true
}

// presetRow is a row with its preset.
type presetRow struct {
	preset *Preset
	row    *Row
}

// noiseOfPresets returns the row of a preset that the contact is within: of several, one
// that is sure.
func (d *data) noiseOfPresets(s Sighting) (Noise, bool) {
	var found presetRow
	d.presetHosts.covering(s.Host, func(rows []int, _ int) bool {
		for _, i := range rows {
			if r := d.presetRows[i]; r.row.Matches(s) && (found.row == nil || found.row.Class != ClassNoise) {
				found = r
			}
		}
		return found.row != nil
	})
	if found.row == nil {
		return Noise{}, false
	}
	return Noise{found.row.Class, found.row.What, found.preset.Platform, found.row.Source, found.row.Confidence}, true
}

// addPresets fills the indexes of presets and of what apps and systems share.
func (d *data) addPresets() {
	for i := range d.presets {
		for j := range d.presets[i].Rows {
			row := &d.presets[i].Rows[j]
			d.presetHosts.add(len(d.presetRows), row.Hosts)
			d.presetRows = append(d.presetRows, presetRow{&d.presets[i], row})
		}
	}
	for i := range d.shared {
		d.sharedHosts.add(i, d.shared[i].Hosts)
	}
}
