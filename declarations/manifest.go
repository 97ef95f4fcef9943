package declarations

import (
	"fmt"
	"strconv"
	"strings"

	"telltale/plist/elements"
)

// AndroidManifest is what AndroidManifest.xml says of the network ("<application>" and
// "<uses-sdk>" in the Android developer documentation).
type AndroidManifest struct {
	Package string
	// Cleartext is android:usesCleartextTraffic; Unsaid where it is not there. Android 7.0
	// (API level 24) and later overlook it where there is a Config.
	Cleartext Permission
	// Config is android:networkSecurityConfig, "@xml/network_security_config" or, compiled,
	// "@0x7f120001"; "" where it is not there.
	Config     string
	TargetSDK  int // API level; 0 where the file does not say
	Debuggable bool
}

// Permits says whether cleartext is permitted to hosts of which no network security
// configuration speaks. It is Unsaid where there is one, or the target is not known.
func (m *AndroidManifest) Permits() Permission {
	switch {
	case m.Config != "":
		return Unsaid
	case m.Cleartext != Unsaid || m.TargetSDK == 0:
		return m.Cleartext
	case m.TargetSDK >= 28:
		return Forbidden
	}
	return Permitted
}

// readManifest reads what stands in the root.
func (d *Declaration) readManifest(x *elements.Reader, root elements.Element) error {
	m := &AndroidManifest{}
	m.Package, _ = root.Attr("package")
	for {
		e, ok, err := x.Child("manifest")
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		switch e.Name {
		case "application":
			m.Config, _ = e.Attr("networkSecurityConfig")
			if m.Cleartext, err = d.manifestTruth(e, "usesCleartextTraffic"); err != nil {
				return err
			}
			debuggable, err := d.manifestTruth(e, "debuggable")
			if err != nil {
				return err
			}
			m.Debuggable = debuggable == Permitted
		case "uses-sdk":
			written, ok := e.Attr("targetSdkVersion")
			if !ok { // then it is the least one
				written, _ = e.Attr("minSdkVersion")
			}
			m.TargetSDK, _ = strconv.Atoi(written) // else the name of a preview, or a resource
		}
		if err := x.Leave(); err != nil {
			return err
		}
	}
	if err := x.Finish(); err != nil {
		return err
	}
	d.Manifest = m
	d.noteManifest()
	return nil
}

// manifestTruth reads an attribute that is true or false.
func (d *Declaration) manifestTruth(e elements.Element, name string) (Permission, error) {
	written, ok := e.Attr(name)
	switch word := strings.ToLower(strings.TrimSpace(written)); {
	case !ok:
		return Unsaid, nil
	case word == "true":
		return Permitted, nil
	case word == "false":
		return Forbidden, nil
	case strings.HasPrefix(word, "@"):
		d.note("Line %d: %s is the resource %s, whose value is not in this file; telltale does not judge by it.", e.Line, name, elements.Clip(written))
		return Unsaid, nil
	}
	return Unsaid, elements.Errorf(e.Line, "%s is %q, expected true or false", name, elements.Clip(written))
}

func (d *Declaration) noteManifest() {
	m := d.Manifest
	switch {
	case m.Config != "":
		where := fmt.Sprintf("the resource %s", elements.Clip(m.Config))
		if name, ok := strings.CutPrefix(m.Config, "@xml/"); ok {
			where = "res/xml/" + elements.Clip(name) + ".xml"
		}
		d.note("What holds for the network is in %s, which is a declaration of its own.", where)
	case m.Cleartext == Permitted:
		d.note("usesCleartextTraffic is true: cleartext is permitted to every host (MASTG-TEST-0235).")
	case m.Permits() == Permitted:
		d.note("Nothing is said of cleartext, and the app targets Android 8.1 (API level 27) or earlier: it is permitted to every host (MASTG-TEST-0235).")
	}
	if m.Debuggable {
		d.note("The app is debuggable: what its network security configuration says under debug-overrides holds.")
	}
}
