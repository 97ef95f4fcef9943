package inventory

import (
	"path"
	"regexp"
	"strings"
)

// readYarn reads the lock files of yarn, version 1 and berry: a line of what is asked for, and
// below it the version.
func readYarn(f *file) error {
	name := ""
	return f.eachLine(func(n int, line string) error {
		switch {
		case line == "" || line[0] == '#':
		case line[0] != ' ':
			name = yarnName(line)
		case name != "" && strings.HasPrefix(line, "  version"):
			version := strings.Trim(strings.TrimLeft(line[len("  version"):], ": "), `"`)
			of := name
			name = ""
			return f.add(NPM, of, version, n)
		}
		return nil
	})
}

// yarnName returns the package that a line of yarn.lock asks for; "" for those of the project.
func yarnName(line string) string {
	first, _, _ := strings.Cut(strings.Trim(strings.TrimSuffix(line, ":"), `"`), ",")
	first = strings.Trim(first, `"`)
	if first == "" || strings.Contains(first, "@workspace:") {
		return ""
	}
	at := strings.IndexByte(first[1:], '@') + 1
	if at == 0 {
		return "" // "__metadata"
	}
	if real, _, ok := aliased(first[at+1:]); ok {
		return real
	}
	return first[:at]
}

// readPnpm reads pnpm-lock.yaml, versions 5 to 9: the keys of its packages.
func readPnpm(f *file) error {
	section, slashes := "", false
	return f.eachLine(func(n int, line string) error {
		switch {
		case strings.HasPrefix(line, "lockfileVersion:"):
			slashes = strings.HasPrefix(strings.Trim(line[len("lockfileVersion:"):], ` '"`), "5")
		case line != "" && line[0] != ' ':
			section = line
		case section == "packages:" && len(line) > 3 && line[:2] == "  " && line[2] != ' ' && strings.HasSuffix(line, ":"):
			name, version, ok := pnpmKey(strings.Trim(line[2:len(line)-1], `'"`), slashes)
			if ok && isVersion(version) {
				return f.add(NPM, name, version, n)
			}
		}
		return nil
	})
}

// pnpmKey splits a key: "/@scope/name/1.2.3_peers" before version 6, "/@scope/name@1.2.3(peers)"
// before 9, "@scope/name@1.2.3" since.
func pnpmKey(key string, slashes bool) (name, version string, ok bool) {
	key, _, _ = strings.Cut(strings.TrimPrefix(key, "/"), "(")
	if !slashes {
		return nameAndVersion(key)
	}
	parts := strings.Split(key, "/")
	at := 1
	if strings.HasPrefix(key, "@") {
		at = 2
	}
	if len(parts) <= at {
		return "", "", false
	}
	version, _, _ = strings.Cut(parts[at], "_")
	return strings.Join(parts[:at], "/"), version, true
}

// bunPackage is an entry of bun.lock: "name": ["name@1.2.3", …
var bunPackage = regexp.MustCompile(`^\s*"[^"]+":\s*\["((?:@[^/"@]+/)?[^"@/]+)@([^"]+)"`)

// readBun reads bun.lock, the text form: JSON with commas that JSON does not have.
func readBun(f *file) error {
	inside := false
	return f.eachLine(func(n int, line string) error {
		if strings.HasPrefix(strings.TrimSpace(line), `"packages":`) {
			inside = true
		}
		if m := bunPackage.FindStringSubmatch(line); inside && m != nil && isVersion(m[2]) {
			return f.add(NPM, m[1], m[2], n)
		}
		return nil
	})
}

// readPodfile reads Podfile.lock: "  - Name/Part (1.2.3):" below "PODS:".
func readPodfile(f *file) error {
	inside := false
	return f.eachLine(func(n int, line string) error {
		if line != "" && line[0] != ' ' {
			inside = line == "PODS:"
		}
		entry, ok := strings.CutPrefix(line, "  - ")
		if !inside || !ok {
			return nil
		}
		name, version, ok := strings.Cut(strings.Trim(strings.TrimSuffix(entry, ":"), `"`), " (")
		if !ok {
			return nil
		}
		name, _, _ = strings.Cut(name, "/")
		return f.add(Pod, name, strings.TrimSuffix(version, ")"), n)
	})
}

// cartfile is a line of Cartfile.resolved: github "owner/name" "1.2.3".
var cartfile = regexp.MustCompile(`^(?:github|git|binary)\s+"([^"]+)"\s+"([^"]+)"`)

// readCartfile reads what Carthage has resolved, under the names that SwiftPM gives.
func readCartfile(f *file) error {
	return f.eachLine(func(n int, line string) error {
		m := cartfile.FindStringSubmatch(line)
		if m == nil {
			return nil
		}
		version := m[2]
		if rest, ok := strings.CutPrefix(version, "v"); ok && isVersion(rest) {
			version = rest
		}
		return f.add(Swift, strings.TrimSuffix(identity(m[1]), ".json"), version, n)
	})
}

// readPubspec reads pubspec.lock of Dart. What comes with the SDK has no version of its own.
func readPubspec(f *file) error {
	inside, name := false, ""
	return f.eachLine(func(n int, line string) error {
		switch {
		case line != "" && line[0] != ' ':
			inside, name = line == "packages:", ""
		case !inside:
		case strings.HasPrefix(line, "  ") && !strings.HasPrefix(line, "   ") && strings.HasSuffix(line, ":"):
			name = strings.Trim(line[2:len(line)-1], `"`)
		case line == "    source: sdk":
			name = ""
		case strings.HasPrefix(line, "    version:"):
			return f.add(Pub, name, strings.Trim(line[len("    version:"):], ` "'`), n)
		}
		return nil
	})
}

// readGradleLock reads gradle.lockfile: group:artifact:version=configurations.
func readGradleLock(f *file) error {
	return f.eachLine(func(n int, line string) error {
		module, _, _ := strings.Cut(line, "=")
		if parts := strings.Split(module, ":"); len(parts) == 3 && !strings.HasPrefix(line, "#") {
			return f.add(Maven, parts[0]+":"+parts[1], parts[2], n)
		}
		return nil
	})
}

// tomlPair is a key with a text in a line of TOML.
var tomlPair = regexp.MustCompile(`([A-Za-z0-9_.-]+)\s*=\s*"([^"]*)"`)

// readVersionCatalog reads libs.versions.toml of Gradle. What it asks for, the build may resolve to
// another version.
func readVersionCatalog(f *file) error {
	section, versions := "", map[string]string{}
	return f.eachLine(func(n int, line string) error {
		line = strings.TrimSpace(line)
		alias, _, found := strings.Cut(line, "=")
		switch {
		case strings.HasPrefix(line, "["):
			section = strings.Trim(line, "[] ")
			return nil
		case line == "" || line[0] == '#' || !found:
			return nil
		}
		pairs := map[string]string{}
		last := ""
		for _, m := range tomlPair.FindAllStringSubmatch(line, -1) {
			pairs[m[1]], last = m[2], m[2]
		}
		switch alias = strings.TrimSpace(alias); section {
		case "versions":
			versions[alias] = last
		case "libraries":
			name, version := tomlModule(alias, pairs)
			if ref := pairs["version.ref"]; ref != "" {
				version = versions[ref]
			} else if ref := pairs["ref"]; ref != "" {
				version = versions[ref]
			}
			return f.ask(Maven, name, version, n)
		}
		return nil
	})
}

// tomlModule returns the module of a library, in each of the forms that it may have.
func tomlModule(alias string, pairs map[string]string) (name, version string) {
	switch {
	case pairs["module"] != "":
		return pairs["module"], pairs["version"]
	case pairs["group"] != "" && pairs["name"] != "":
		return pairs["group"] + ":" + pairs["name"], pairs["version"]
	}
	if parts := strings.Split(pairs[alias], ":"); len(parts) == 3 {
		return parts[0] + ":" + parts[1], parts[2]
	}
	return "", ""
}

// gradleUse is a line by which a build asks for a module that ends up in the app.
var gradleUse = regexp.MustCompile(`^\s*\w*(?:[iI]mplementation|[aA]pi|[rR]untimeOnly|compile)\b[^"']*["']([\w.-]+):([\w.-]+)(?::([^"'@:]+))?[^"']*["']`)

// readGradleBuild reads the modules that a build.gradle asks for.
func readGradleBuild(f *file) error {
	return f.eachLine(func(n int, line string) error {
		m := gradleUse.FindStringSubmatch(line)
		if m == nil || strings.Contains(line[:strings.IndexAny(line, `"'`)], "//") || strings.HasPrefix(strings.TrimSpace(line), "test") || strings.HasPrefix(strings.TrimSpace(line), "androidTest") {
			return nil
		}
		return f.ask(Maven, m[1]+":"+m[2], m[3], n)
	})
}

// cordovaVersion is a plug-in in the metadata of cordova_plugins.js.
var cordovaVersion = regexp.MustCompile(`"((?:@[\w.-]+/)?[\w.-]+)"\s*:\s*"([^"]+)"`)

// readCordova reads cordova_plugins.js: the metadata at its end has the version of each plug-in.
func readCordova(f *file) error {
	inside := false
	return f.eachLine(func(n int, line string) error {
		if at := strings.Index(line, ".metadata"); at >= 0 {
			inside, line = true, line[at:]
		}
		if !inside {
			return nil
		}
		for _, m := range cordovaVersion.FindAllStringSubmatch(line, -1) {
			if err := f.add(NPM, m[1], m[2], n); err != nil {
				return err
			}
		}
		return nil
	})
}

// properties reads the lines key=value of a Java properties file, with where they stand.
func (f *file) properties() (values map[string]string, lines map[string]int, err error) {
	values, lines = map[string]string{}, map[string]int{}
	err = f.eachLine(func(n int, line string) error {
		key, value, ok := strings.Cut(line, "=")
		if ok && !strings.HasPrefix(line, "#") {
			key = strings.TrimSpace(key)
			values[key], lines[key] = strings.TrimSpace(value), n
		}
		return nil
	})
	return values, lines, err
}

// readPom reads META-INF/maven/GROUP/ARTIFACT/pom.properties.
func readPom(f *file) error {
	values, lines, err := f.properties()
	if err != nil || values["groupId"] == "" || values["artifactId"] == "" {
		return err
	}
	return f.add(Maven, values["groupId"]+":"+values["artifactId"], values["version"], lines["version"])
}

// googleGroup returns the Maven group of the kits that leave NAME.properties in an app, and the
// artifact.
func googleGroup(name string) (group, artifact string, ok bool) {
	for _, kit := range []struct{ begin, group string }{
		{"firebase-", "com.google.firebase"}, {"play-services-", "com.google.android.gms"},
		{"transport-", "com.google.android.datatransport"}, {"billing", "com.android.billingclient"},
	} {
		if strings.HasPrefix(name, kit.begin) {
			return kit.group, name, true
		}
	}
	return "", "", false
}

// readGoogleProperties reads what the kits of Google leave in an app: version=, client=.
func readGoogleProperties(f *file) error {
	group, artifact, _ := googleGroup(strings.TrimSuffix(path.Base(slashed(f.path)), ".properties"))
	values, lines, err := f.properties()
	if err != nil || values["version"] == "" {
		return err
	}
	if client := values["client"]; client != "" {
		artifact = client
	}
	return f.add(Maven, group+":"+artifact, values["version"], lines["version"])
}

// readVersionFile reads META-INF/GROUP_ARTIFACT.version, which has nothing but the version. Some
// builds left a sentence there instead, which says nothing.
func readVersionFile(f *file) error {
	name := strings.TrimSuffix(path.Base(slashed(f.path)), ".version")
	version := strings.TrimSpace(string(f.data[:min(len(f.data), 100)]))
	if !isVersion(version) {
		return nil
	}
	if strings.HasPrefix(name, "kotlinx") {
		return f.add(Maven, "org.jetbrains.kotlinx:"+strings.ReplaceAll(name, "_", "-"), version, 1)
	}
	group, artifact, ok := strings.Cut(name, "_")
	if !ok {
		return nil
	}
	return f.add(Maven, group+":"+artifact, version, 1)
}
