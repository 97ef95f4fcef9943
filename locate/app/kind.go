package app

import (
	"io"
	"path"
	"strings"
)

// binaryManifest is how a compiled AndroidManifest.xml begins: the header of a chunk
// RES_XML_TYPE (AOSP, androidfw/ResourceTypes.h).
const binaryManifest = "\x03\x00\x08\x00"

// kindOfZip tells what app a zip archive is by what is in it; its name only chooses between
// the ways in which split APKs are sold.
func kindOfZip(name string, archive *io.SectionReader, members []member) string {
	has := map[string]bool{}
	apks, classes := 0, 0
	for _, m := range members {
		inside := strings.ReplaceAll(m.name, `\`, "/")
		has[inside] = true
		switch path.Ext(inside) {
		case ".apk":
			apks++
		case ".class":
			classes++
		}
		if first, rest, ok := strings.Cut(inside, "/"); first == "Payload" && ok {
			if bundle, _, in := strings.Cut(rest, "/"); in && strings.HasSuffix(bundle, ".app") {
				return "IPA"
			}
		}
	}
	switch {
	case has["BundleConfig.pb"] || has["base/manifest/AndroidManifest.xml"]:
		return "AAB"
	case has["AndroidManifest.xml"]:
		if beginsWith(archive, members, "AndroidManifest.xml", binaryManifest) || has["classes.dex"] || has["resources.arsc"] {
			return "APK"
		}
		return "AAR"
	case apks > 0:
		return "split APKs (" + splitName(name, has) + ")"
	case has["META-INF/MANIFEST.MF"] || classes > 0:
		return "JAR"
	case has["Info.plist"] && strings.HasSuffix(strings.ToLower(name), ".app.zip"):
		return "iOS app folder (zip)"
	}
	for _, m := range members {
		if bundle, rest, ok := strings.Cut(m.name, "/"); ok && rest == "Info.plist" && strings.HasSuffix(bundle, ".app") {
			return "iOS app folder (zip)"
		}
	}
	return "zip archive"
}

// splitName is the ending by which a set of split APKs is known.
func splitName(name string, has map[string]bool) string {
	switch ext := strings.ToLower(path.Ext(name)); {
	case ext == ".xapk" || ext == ".apks" || ext == ".apkm":
		return ext
	case has["toc.pb"]: // bundletool's build-apks
		return ".apks"
	case has["info.json"]:
		return ".apkm"
	case has["manifest.json"]:
		return ".xapk"
	}
	return "zip"
}

// beginsWith reports whether a member has this content at its start.
func beginsWith(archive *io.SectionReader, members []member, name, content string) bool {
	for _, m := range members {
		if m.name != name {
			continue
		}
		z := zipSource{archive: archive, member: m}
		data, _, err := z.data()
		if err != nil {
			continue
		}
		var o opened
		z.as(&o, m.method, data)
		if r, err := o.stream(); err == nil {
			start := make([]byte, len(content))
			n, _ := io.ReadFull(r, start)
			_ = r.Close() // it was only read
			if string(start[:n]) == content {
				return true
			}
		}
	}
	return false
}

func kindOfTar(name string, npm bool) string {
	switch ext := strings.ToLower(path.Ext(name)); {
	case npm:
		return "npm package (tarball)"
	case ext == ".tar":
		return "tar archive"
	}
	return "tar archive (gzip)"
}

// projects are the files at the top of a source tree.
var projects = []string{
	"package.json", "build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts", "Podfile",
	"Package.swift", "pubspec.yaml", "pom.xml", "Cargo.toml", "go.mod", "CMakeLists.txt", ".git",
}

// kind tells what a folder is by what lies at its top.
func (f *folder) kind() string {
	info := f.seen["Info.plist"]
	switch {
	case info && strings.HasSuffix(strings.ToLower(f.real), ".app"):
		return "iOS app folder (.app)"
	case f.seen["Payload"]:
		return "folder (unpacked IPA)"
	case f.seen["AndroidManifest.xml"] && (f.seen["classes.dex"] || f.seen["resources.arsc"]):
		return "folder (unpacked APK)"
	case f.seen["BundleConfig.pb"]:
		return "folder (unpacked AAB)"
	}
	for _, name := range projects {
		if f.seen[name] {
			return "source tree"
		}
	}
	return "folder"
}
