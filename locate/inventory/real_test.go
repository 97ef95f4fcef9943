package inventory

import (
	"archive/zip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// artefacts is where `make artefacts` puts real apps and source trees.
const artefacts = "../../bin/artefacts/"

func artefact(t *testing.T, name string) string {
	t.Helper()
	if _, err := os.Stat(artefacts + name); err != nil {
		t.Skip("run `make artefacts` first: it makes the apps that are read here")
	}
	return artefacts + name
}

// TestSourceTree reads the lock files that the tools themselves have written.
func TestSourceTree(t *testing.T) {
	t.Parallel()
	tree := os.DirFS(artefact(t, "source"))
	by := map[string][]string{} // what each file said
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !Knows(name) {
			return err
		}
		data, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		parts, err := Read(name, data)
		by[name] = said(parts)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"package-lock.json": "npm @react-native-community/netinfo 5.9.10 @",
		"yarn.lock":         "npm @react-native-community/netinfo 5.9.10 @",
		"package.json":      "npm @react-native-community/netinfo 5.9.10 @",
		"node_modules/@react-native-community/netinfo/package.json": "npm @react-native-community/netinfo 5.9.10 @",
		"ios/Podfile.lock":            "cocoapods FirebaseAnalytics 10.25.0 @2",
		"android/app/gradle.lockfile": "maven com.google.firebase:firebase-analytics 21.5.0 @8",
		"android/app/build.gradle":    "maven com.github.pwittchen:reactivenetwork-rx2 ~3.0.8 @",
	} {
		if !slices.ContainsFunc(by[file], func(line string) bool { return strings.HasPrefix(line, want) }) {
			t.Errorf("%s: %q lacks %q", file, by[file][:min(len(by[file]), 20)], want)
		}
	}
}

// TestApps reads what Android's build and CocoaPods left in real apps.
func TestApps(t *testing.T) {
	t.Parallel()
	for app, want := range map[string]string{
		"apk/settings.apk":            "maven androidx.core:core 1.9.0 @1",
		"apk/uiautomator2-server.apk": "maven androidx.tracing:tracing 1.1.0 @1",
		"apk/selendroid-test-app.apk": "",
		"ipa/Example.ipa":             "bundle dev.hermesengine.iphoneos 0.11.0 @12",
		"apk/contact-manager.apk":     "",
	} {
		archive, err := zip.OpenReader(artefact(t, app))
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, f := range archive.File {
			if !Knows(f.Name) {
				continue
			}
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			parts, err := Read(f.Name, data)
			if err != nil {
				t.Errorf("%s: %v", app, err)
			}
			all = append(all, said(parts)...)
		}
		if want == "" && len(all) > 0 || want != "" && !slices.Contains(all, want) {
			t.Errorf("%s: %q lacks %q", app, all, want)
		}
		if err := archive.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestInstalledPackages reads the package.json of everything that the registry handed out.
func TestInstalledPackages(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(artefact(t, "packages") + "/*@*/package.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d packages, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name, version, _ := nameAndVersion(filepath.Base(filepath.Dir(file)))
		parts, err := Read("node_modules/"+name+"/package.json", data)
		if err != nil || len(parts) != 1 || parts[0].Name != name || parts[0].Version != version || parts[0].Line == 0 {
			t.Errorf("%s: %+v, %v", file, parts, err)
		}
	}
}
