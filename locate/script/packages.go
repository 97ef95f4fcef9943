package script

import (
	"strings"
)

// PackageOf returns the npm package that a path is in, and its version where the path has it; ok
// is false for a path in none. The innermost package counts. Folders of pnpm and Bun
// ("node_modules/.pnpm/a@1.2.3/node_modules/a") and Yarn's archives (".yarn/cache/a-npm-1.2.3-0123abcd.zip/
// node_modules/a") carry the version.
func PackageOf(path string) (name, version string, ok bool) {
	path = strings.ReplaceAll(path, `\`, "/")
	const folder = "node_modules/"
	i := strings.LastIndex(path, folder)
	if i < 0 || i > 0 && path[i-1] != '/' {
		return "", "", false
	}
	name = firstPackage(path[i+len(folder):])
	if name == "" {
		return "", "", false
	}
	return name, versionIn(path[:i], name), true
}

// firstPackage returns the name of the package that a path begins with, "" without one: npm's names
// have no leading dot, and a scope has a name behind it.
func firstPackage(path string) string {
	parts := strings.SplitN(path, "/", 3)
	name := parts[0]
	if strings.HasPrefix(name, "@") {
		if len(parts) < 2 || parts[1] == "" {
			return ""
		}
		name += "/" + parts[1]
	}
	if name == "" || strings.HasPrefix(name, ".") || len(name) > 214 || strings.ContainsAny(name, " \"'<>?:") {
		return ""
	}
	return name
}

// versionIn returns the version of a package that the folder before its node_modules carries, "" without one.
func versionIn(before, name string) string {
	folder := strings.TrimSuffix(before, "/")
	if i := strings.LastIndexByte(folder, '/'); i >= 0 {
		folder = folder[i+1:]
	}
	rest, ok := strings.CutPrefix(folder, strings.ReplaceAll(name, "/", "+")+"@")
	if !ok {
		rest, ok = strings.CutPrefix(folder, strings.ReplaceAll(name, "/", "-")+"-npm-")
	}
	if !ok {
		return ""
	}
	return version(rest)
}

// version returns the version that a text begins with (Semantic Versioning 2.0.0: three numbers, and
// perhaps a word before the release), "" where it begins with none.
func version(s string) string {
	i, dots := 0, 0
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			continue
		case c == '.' && i > 0 && s[i-1] != '.' && dots < 2:
			dots++
			continue
		}
		break
	}
	for i > 0 && s[i-1] == '.' {
		i, dots = i-1, dots-1
	}
	if dots < 1 {
		return ""
	}
	return s[:i] + preRelease(s[i:])
}

// preRelease returns the part of a version before its release that s begins with: "-rc.1".
// What Yarn puts behind a version, a hash, is none.
func preRelease(s string) string {
	for _, word := range []string{"-alpha", "-beta", "-rc", "-next", "-canary", "-pre", "-nightly"} {
		if !strings.HasPrefix(s, word) {
			continue
		}
		i := len(word)
		for i < len(s) && (s[i] == '.' || s[i] >= '0' && s[i] <= '9') {
			i++
		}
		return strings.TrimRight(s[:i], ".")
	}
	return ""
}

// A Named is a package that something in or near a module names.
type Named struct {
	Name    string // "@react-native-community/netinfo"
	Version string // "5.9.10"; "" where nothing says
	Why     string // how it is known, in words without a full stop
	Sure    bool   // the module is of this package; else it may be
}
