package inventory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
)

// maxDepth is deeper than any of these files is.
const maxDepth = 200

// eachText calls visit for the texts of a JSON file with the keys that lead there, and the line.
// Items of a list have their number for a key.
func (f *file) eachText(visit func(keys []string, value string, line int) error) error {
	w := walk{dec: json.NewDecoder(bytes.NewReader(f.data)), data: f.data, line: 1, visit: visit}
	if err := w.value(nil, 0); err != nil {
		return err
	}
	return nil
}

// walk is a pass through a JSON file.
type walk struct {
	dec   *json.Decoder
	data  []byte
	line  int
	at    int64 // up to where lines are counted
	visit func(keys []string, value string, line int) error
}

func (w *walk) token() (json.Token, error) {
	t, err := w.dec.Token()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	end := min(w.dec.InputOffset(), int64(len(w.data)))
	w.line += bytes.Count(w.data[w.at:end], []byte("\n"))
	w.at = end
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", w.line, err)
	}
	return t, nil
}

func (w *walk) value(keys []string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("line %d: it is nested more than %d levels deep", w.line, maxDepth)
	}
	t, err := w.token()
	if err != nil {
		return err
	}
	switch t := t.(type) {
	case json.Delim:
		return w.inside(t, keys, depth)
	case string:
		return w.visit(keys, t, w.line)
	}
	return nil
}

func (w *walk) inside(open json.Delim, keys []string, depth int) error {
	for i := 0; w.dec.More(); i++ {
		key := ""
		if open == '{' {
			t, err := w.token()
			if err != nil {
				return err
			}
			key, _ = t.(string)
		} else {
			key = strconv.Itoa(i)
		}
		if err := w.value(append(keys, key), depth+1); err != nil {
			return err
		}
	}
	_, err := w.token()
	return err
}

// readPackageLock reads npm's lock files, versions 1 to 3 (docs.npmjs.com, package-lock.json).
// Version 2 says everything twice; the newer part counts.
func readPackageLock(f *file) error {
	old := &file{path: f.path, seen: map[Component]bool{}}
	named, alias := "", "" // the folder that has a name of its own, and the name
	err := f.eachText(func(keys []string, value string, line int) error {
		last := keys[max(0, len(keys)-1):]
		switch {
		case len(keys) == 3 && keys[0] == "packages" && keys[2] == "name":
			named, alias = keys[1], value
		case len(keys) == 3 && keys[0] == "packages" && keys[2] == "version":
			name := npmName(keys[1])
			if name != "" && named == keys[1] {
				name = alias
			}
			return f.add(NPM, name, value, line)
		case len(last) == 1 && last[0] == "version" && len(keys)%2 == 1 && nested(keys):
			name := keys[len(keys)-2]
			if real, version, ok := aliased(value); ok {
				name, value = real, version
			}
			return old.add(NPM, name, value, line)
		}
		return nil
	})
	if len(f.out) == 0 {
		f.out = old.out
	}
	return err
}

// nested reports whether keys lead to a dependency of dependencies: every other one says so.
func nested(keys []string) bool {
	for i := 0; i < len(keys)-1; i += 2 {
		if keys[i] != "dependencies" {
			return false
		}
	}
	return len(keys) > 2
}

// aliased takes apart what stands for another package: "npm:real@1.2.3".
func aliased(value string) (name, version string, ok bool) {
	rest, ok := strings.CutPrefix(value, "npm:")
	if !ok {
		return "", "", false
	}
	return nameAndVersion(rest)
}

// nameAndVersion splits "@scope/name@1.2.3".
func nameAndVersion(s string) (name, version string, ok bool) {
	at := strings.LastIndexByte(s, '@')
	if at <= 0 {
		return "", "", false
	}
	return s[:at], s[at+1:], true
}

// npmName returns the package of a folder, the innermost: "@scope/name" of "node_modules/@scope/name".
func npmName(folder string) string {
	const modules = "node_modules/"
	at := strings.LastIndex(folder, modules)
	if at < 0 {
		return ""
	}
	return folder[at+len(modules):]
}

// isPackageRoot reports whether a package.json is that of a package below node_modules, and not one of
// its folders.
func isPackageRoot(name string) bool {
	folder := npmName(path.Dir(slashed(name)))
	return folder != "" && strings.Count(folder, "/") == strings.Count(folder[:1], "@")
}

// readPackage reads a package.json: of an installed or shipped package its own version, of a
// project what it asks for.
func readPackage(f *file) error {
	name := slashed(f.path)
	installed := strings.Contains(name, "node_modules/") || inAssets(name)
	var own, version string
	line := 0
	err := f.eachText(func(keys []string, value string, at int) error {
		switch {
		case installed && len(keys) == 1 && keys[0] == "name":
			own = value
		case installed && len(keys) == 1 && keys[0] == "version":
			version, line = value, at
		case !installed && len(keys) == 2 && (keys[0] == "dependencies" || keys[0] == "optionalDependencies"):
			if real, asked, ok := aliased(value); ok {
				return f.add(NPM, real, asked, at)
			}
			return f.add(NPM, keys[1], value, at)
		}
		return nil
	})
	if own != "" && version != "" {
		err = errors.Join(err, f.add(NPM, own, version, line))
	}
	return err
}

// inAssets reports whether a file was shipped with an app.
func inAssets(name string) bool {
	return slices.ContainsFunc(strings.Split(path.Dir(name), "/"), func(folder string) bool {
		return folder == "assets" || folder == "www" || folder == "public" || strings.HasSuffix(folder, ".app") || strings.HasSuffix(folder, ".bundle")
	})
}

// readPackageResolved reads SwiftPM's pins, versions 1 to 3.
func readPackageResolved(f *file) error {
	pin, name := "", ""
	return f.eachText(func(keys []string, value string, line int) error {
		at := slices.Index(keys, "pins")
		if keys = keys[at+1:]; at < 0 || len(keys) < 2 {
			return nil
		}
		if keys[0] != pin {
			pin, name = keys[0], ""
		}
		switch key := keys[len(keys)-1]; {
		case key == "identity", key == "repositoryURL", key == "location" && name == "":
			name = identity(value)
		case len(keys) == 3 && keys[1] == "state" && (key == "version" || key == "branch"):
			return f.add(Swift, name, value, line)
		}
		return nil
	})
}

// identity is how SwiftPM calls the package of a repository: its last part in lower case.
func identity(url string) string {
	return strings.ToLower(strings.TrimSuffix(path.Base(strings.TrimRight(url, "/")), ".git"))
}

// readKotlinTooling reads what Kotlin's plug-in for Gradle says of itself.
func readKotlinTooling(f *file) error {
	return f.eachText(func(keys []string, value string, line int) error {
		if len(keys) == 1 && keys[0] == "buildPluginVersion" {
			return f.add(Maven, "org.jetbrains.kotlin:kotlin-gradle-plugin", value, line)
		}
		return nil
	})
}

// readCapacitor reads which plug-ins a Capacitor app has; their versions are not in it.
func readCapacitor(f *file) error {
	return f.eachText(func(keys []string, value string, line int) error {
		if len(keys) == 2 && keys[1] == "pkg" {
			return f.ask(NPM, value, "", line)
		}
		return nil
	})
}

// readExpo reads the configuration that Expo builds into an app: the version of its SDK is the
// first number of the package expo.
func readExpo(f *file) error {
	return f.eachText(func(keys []string, value string, line int) error {
		if len(keys) == 1 && keys[0] == "sdkVersion" && isVersion(value) {
			major, _, _ := strings.Cut(value, ".")
			return f.ask(NPM, "expo", major+".x", line)
		}
		return nil
	})
}
