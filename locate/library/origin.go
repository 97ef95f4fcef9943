package library

import (
	"fmt"
	"slices"
	"strings"

	"telltale/locate/inventory"
	"telltale/locate/reading"
	"telltale/policy/catalog"
)

// Confidence is how well an origin is known.
type Confidence int

// The degrees of confidence, the weakest first.
const (
	Possible Confidence = iota + 1 // something fits, and would fit others
	Likely                         // what stands around it fits this library alone
	Certain                        // the file names the library
)

// OwnCode is the name of an origin that is no library's.
const OwnCode = "the app's own code"

// Evidence is what is known of the surroundings of an address in an app.
type Evidence struct {
	Host, URL string // as it is written there; URL is "" where only the host is
	File      string // path in the app, as a Lead has it
	Place     reading.Place
	// Around is the text of the enclosing module, or other texts of the same code.
	Around []byte
	// Claims are the npm packages that a bundle names for the module, the surest first.
	Claims []Claim
	// App is what the app says of itself; zero where it is not known.
	App reading.Identity
}

// A Claim is what a bundle says by itself of whose a module is: by a licence comment, by the name by
// which others require it, by a package.json.
type Claim struct {
	Name, Version string // of an npm package; Version may be ""
	Why           string // how it is known, without a full stop
	Sure          bool   // else the module may be of another
}

// An Origin is the library that something comes from, as far as can be known.
type Origin struct {
	Library *Library // nil for one that the catalogue does not know
	// Name is the library's, "@react-native-community/netinfo", its package, "com.example.sdk", or OwnCode.
	Name       string
	Own        bool   // it is the app's own code
	Ecosystem  string // of package inventory; ""
	Version    string // "5.9.10", or "5.5.0 to 6.0.6" by what its code has; ""
	VersionBy  string // how the version is known, in words: "package-lock.json line 812"
	Confidence Confidence
	Reasons    []string // why, in words, without full stops: "the module has the names of its settings: …"
	Default    *Default // that this is; nil
	// Remedy says how the contact is stopped. It is "" where the address is none that the library
	// is known to contact.
	Remedy string
	Docs   string
}

// Attribute returns the library that an address belongs to, nil where nothing tells. Parts are
// the components of the app; nil for none.
//
// What the file itself says comes first, the closest first: a source map, the name of a bundle's
// module, the classes that use the address, the folder. A known default inside of a library that
// carries others, a framework with a bundle in it, is the default's. Without any name,
// libraries with this default are weighed against each other.
func Attribute(e Evidence, parts *Parts) *Origin {
	fits := fitting(e, parts)
	carrier := e.byPath()
	if o := e.byCode(fits); o != nil && o.Own && carrier != nil && !carrier.Own {
		carrier.Reasons = append(carrier.Reasons, o.Reasons...) // its own code is that of the library
		return carrier.complete(e, parts, fits)
	} else if o != nil {
		return o.complete(e, parts, fits)
	}
	if len(fits) > 0 && (carrier == nil || fits[0].confidence >= Likely) {
		o := &Origin{Library: fits[0].library, Confidence: fits[0].confidence, Reasons: fits[0].reasons}
		if carrier != nil && !carrier.Own && carrier.Library != o.Library {
			o.Reasons = append(o.Reasons, "it came with "+carrier.Name+": "+carrier.Reasons[0])
		}
		o.Reasons = append(o.Reasons, others(e, fits)...)
		o.Reasons = append(o.Reasons, e.hidden()...)
		return o.complete(e, parts, fits)
	}
	if carrier != nil {
		return carrier.complete(e, parts, fits)
	}
	if o := e.byProduct(parts); o != nil {
		o.Reasons = append(o.Reasons, e.hidden()...)
		return o.complete(e, parts, fits)
	}
	for _, c := range e.Claims {
		o := ofComponent(inventory.NPM, c.Name).because(c.Why)
		o.Confidence = Possible
		return o.complete(e, parts, fits)
	}
	return nil
}

// complete adds what follows once the library is known: name, version, default and remedy.
func (o *Origin) complete(e Evidence, parts *Parts, fits []fit) *Origin {
	l := o.Library
	if l == nil {
		o.addVersion(parts)
		o.addClaimed(e.Claims)
		return o
	}
	o.Name, o.Docs = l.Name, l.Docs
	if l.Confidence == catalog.Unverified {
		o.Reasons = append(o.Reasons, "what the catalogue says of "+l.Name+" is not verified")
	}
	if o.Ecosystem == "" {
		o.Ecosystem = l.ecosystem()
	}
	versions := o.addVersion(parts)
	o.addClaimed(e.Claims)
	if told, by := l.told(e.code(), e.Place.Module != nil); by != "" {
		o.addTold(told, by, &versions)
	}
	for _, f := range fits {
		if f.library == l {
			o.addDefault(f.url, versions)
			o.Remedy = l.Fix()
		}
	}
	if product := productOf(e); product != nil && o.Remedy == "" {
		for _, name := range l.Products {
			if name == product.Name {
				o.Remedy = l.Fix()
			}
		}
	}
	return o
}

// ecosystem is the one in which the library has its name; "" where that is only what people call
// it. CocoaPods lets a package be called as its vendor is.
func (l *Library) ecosystem() string {
	ecosystems := []string{inventory.NPM, inventory.Pub, inventory.Maven}
	if !slices.ContainsFunc(ecosystems, func(e string) bool { return len(l.Names[e]) > 0 }) {
		ecosystems = []string{inventory.Pod, inventory.Swift}
	}
	for _, ecosystem := range ecosystems {
		if slices.Contains(l.Names[ecosystem], l.Name) {
			return ecosystem
		}
	}
	return ""
}

// addVersion looks for the version among the components of the app. The result is empty where
// they do not give just one.
func (o *Origin) addVersion(parts *Parts) span {
	var versions, places []string
	for _, p := range parts.those(o) {
		if p.Version == "" {
			if p.Range != "" {
				o.Reasons = append(o.Reasons, fmt.Sprintf("%s asks for version %s", whereOf(p), p.Range))
			}
			continue
		}
		if !slices.Contains(versions, p.Version) {
			versions = append(versions, p.Version)
			places = append(places, whereOf(p))
		}
	}
	o.Version, o.VersionBy = join(versions, " or "), join(places, " and ")
	if len(versions) == 1 {
		return span{versions[0], versions[0]}
	}
	return span{}
}

// addClaimed adds the version that the bundle itself names.
func (o *Origin) addClaimed(claims []Claim) {
	for _, c := range claims {
		if o.Version == "" && c.Version != "" && (c.Name == o.Name || o.Library != nil && slices.Contains(o.Library.Names[inventory.NPM], c.Name)) {
			o.Version, o.VersionBy = c.Version, c.Why
		}
	}
}

// addTold adds the version that the code gives away, or says that it is at odds with versions.
func (o *Origin) addTold(told span, by string, versions *span) {
	switch {
	case o.Version == "":
		o.Version, o.VersionBy, *versions = told.String(), by, told
	case *versions != span{} && !told.meets(*versions):
		o.Reasons = append(o.Reasons, fmt.Sprintf("by %s, it is version %s, and not the %s of %s", by, told, o.Version, o.VersionBy))
	}
}

// addDefault finds the default among those of one URL that fits to the version, the newest one.
func (o *Origin) addDefault(url string, versions span) {
	fits, known := false, []string{}
	for i := range o.Library.Defaults {
		d := &o.Library.Defaults[i]
		if d.URL != url {
			continue
		}
		if d.First != "" || d.Last != "" {
			known = append(known, d.Versions)
		}
		if meets := versions.meets(span{d.First, d.Last}); meets || !fits {
			o.Default, fits = d, fits || meets
		}
	}
	if !fits {
		o.Reasons = append(o.Reasons, fmt.Sprintf("version %s is not among those that are known to have this default (%s)", o.Version, strings.Join(known, ", ")))
	}
}

// code is what is seen of the code around the address.
func (e *Evidence) code() code {
	c := code{around: e.Around}
	for _, u := range e.Place.Users {
		c.texts = append(c.texts, u.Strings...)
	}
	return c
}

// whereOf says where a component stands: "package-lock.json line 812".
func whereOf(p inventory.Component) string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s line %d", p.File, p.Line)
}

// join names up to three, and says how many more there are.
func join(words []string, last string) string {
	const most = 3
	if len(words) > most {
		words = append(words[:most:most], fmt.Sprintf("%d more", len(words)-most))
	}
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + last + words[len(words)-1]
}
