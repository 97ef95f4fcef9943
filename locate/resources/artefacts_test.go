package resources

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"telltale/declarations"
	"telltale/locate/reading"
)

// TestRealBundle opens what is beside the code of an iOS app.
func TestRealBundle(t *testing.T) {
	app := artefact(t, "ipa/Example.app")
	read := map[string]reading.Document{}
	err := filepath.WalkDir(app, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(app, path)
		if err != nil || !Is(name, data[:min(len(data), 4096)]) {
			return err
		}
		d, err := Open(name, data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return nil
		}
		exercise(t, d, len(data))
		if read[name] = d; filepath.Ext(name) == ".xcprivacy" {
			if d, err := declarations.Read(name, data); err != nil || d.Privacy == nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	info, ok := read["Info.plist"].(reading.Identifier)
	if !ok || !strings.Contains(info.Identity().ID, ".") || info.Identity().Version == "" {
		t.Errorf("Info.plist is %v", read["Info.plist"])
	}
	for _, name := range []string{"PrivacyInfo.xcprivacy", filepath.Join("en.lproj", "InfoPlist.strings")} {
		if _, ok := read[name].(*list); !ok {
			t.Errorf("%s is %T", name, read[name])
		}
	}
	if read["Example"] != nil || read["main.jsbundle"] != nil {
		t.Error("code is read here")
	}
}

// TestEveryResource opens all resources of real APKs and asks them everything.
func TestEveryResource(t *testing.T) {
	for name, least := range map[string]int{"settings.apk": 33, "api-demos.apk": 543, "rn.aab": 33} {
		t.Run(name, func(t *testing.T) {
			n := 0
			for file, data := range unpacked(t, artefact(t, "apk/"+name)) {
				if !Is(file, data[:min(len(data), 4096)]) {
					continue
				}
				d, err := Open(file, data)
				if err != nil {
					t.Errorf("%s: %v", file, err)
					continue
				}
				exercise(t, d, len(data))
				n++
			}
			if n < least {
				t.Errorf("%d files were read", n)
			}
		})
	}
}
