package app

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// tree is a folder with these files.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "app")
	for name, content := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func link(t testing.TB, target, name string) {
	t.Helper()
	if err := os.Symlink(target, name); err != nil {
		t.Skip("this system lets nobody make links: ", err)
	}
}

func TestSourceTree(t *testing.T) {
	root := tree(t, map[string]string{
		"package.json": "{}", "node_modules/x/index.js": "x", "ios/Pods/y.m": "y", ".gradle/z": "z",
		".git/objects/aa/bb": "never", "node_modules/w/.hg/store": "never", ".gitignore": "ignored", "libs/a.jar": string(zipped(t, entry{name: "A.class", content: "cafe"})),
	})
	got := walk(t, Limits{}, root)
	want(t, got, map[string]string{
		"package.json": "{}", "node_modules/x/index.js": "x", "ios/Pods/y.m": "y", ".gradle/z": "z", ".gitignore": "ignored", "libs/a.jar!/A.class": "cafe",
	}, nil)
	if i := got.infos[0]; i.Kind != "source tree" || i.Files != 6 || !noted(got, ".git: not searched") || !noted(got, "node_modules/w/.hg: not searched") {
		t.Errorf("got %+v", i)
	}
}

func TestKindsOfFolders(t *testing.T) {
	for kind, files := range map[string]map[string]string{
		"folder":                {"a.txt": ""},
		"folder (unpacked APK)": {"AndroidManifest.xml": "", "classes.dex": ""},
		"folder (unpacked IPA)": {"Payload/A.app/Info.plist": ""},
		"folder (unpacked AAB)": {"BundleConfig.pb": ""},
		"source tree":           {"pubspec.yaml": ""},
	} {
		if got := walk(t, Limits{}, tree(t, files)); got.infos[0].Kind != kind {
			t.Errorf("%s: got %+v", kind, got.infos)
		}
	}
	root := filepath.Join(tree(t, map[string]string{"Example.app/Info.plist": "x"}), "Example.app")
	if got := walk(t, Limits{}, root); got.infos[0].Kind != "iOS app folder (.app)" || got.files["Info.plist"] != "x" {
		t.Errorf("got %+v", got)
	}
}

func TestLinks(t *testing.T) {
	root := tree(t, map[string]string{"Versions/A/lib": "lib", "secret/x": "x"})
	outside := written(t, "outside", []byte("not ours"))
	link(t, filepath.Join("Versions", "A", "lib"), filepath.Join(root, "lib"))
	link(t, "A", filepath.Join(root, "Versions", "Current"))
	link(t, "..", filepath.Join(root, "Versions", "loop"))
	link(t, filepath.Join(root, "secret"), filepath.Join(root, "absolute-inside"))
	link(t, "nowhere", filepath.Join(root, "dangling"))
	link(t, outside, filepath.Join(root, "out"))
	link(t, filepath.Dir(outside), filepath.Join(root, "out-folder"))
	link(t, filepath.Join("..", "..", "gone\x1b[2J"), filepath.Join(root, "out-dangling"))
	link(t, "self", filepath.Join(root, "self"))
	got := walk(t, Limits{}, root)
	want(t, got, map[string]string{"Versions/A/lib": "lib", "secret/x": "x"}, map[string]string{
		root + "/out": "leads out of the folder", root + "/out-folder": "leads out of the folder", root + "/out-dangling": "leads out of the folder",
		root + "/self": "cannot be told",
	})
	if strings.Contains(got.failures[root+"/out-dangling"], "\x1b") {
		t.Errorf("the error has an escape sequence: %q", got.failures)
	}
	// The app itself may be named by a link.
	name := filepath.Join(t.TempDir(), "link")
	link(t, root, name)
	if got := walk(t, Limits{}, name); len(got.files) != 2 || len(got.failures) != 4 {
		t.Errorf("got %v %v", got.names(), got.failures)
	}
}

func TestUnreadableFilesAreFailures(t *testing.T) {
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		t.Skip("no file is unreadable to this user")
	}
	root := tree(t, map[string]string{"a": "a", "b": "b", "folder/c": "c"})
	for _, name := range []string{"b", "folder"} {
		if err := os.Chmod(filepath.Join(root, name), 0); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(root, "folder"), 0o700) }) //nolint:gosec // a folder needs the x
	want(t, walk(t, Limits{}, root), map[string]string{"a": "a"}, map[string]string{root + "/b": "permission denied", root + "/folder": "permission denied"})
}

// What is gone, or was replaced, when its turn comes is named as well.
func TestFilesThatVanishAreFailures(t *testing.T) {
	root := tree(t, map[string]string{"big": "the biggest comes first", "small": "x"})
	_, failures, err := Walk(t.Context(), []string{root}, Limits{}, 1, func(f File) error {
		if f.Path != "big" {
			t.Errorf("%s was visited", f.Path)
		}
		return os.Remove(filepath.Join(root, "small"))
	})
	if err != nil || len(failures) != 1 || failures[0].Path != root+"/small" || strings.Contains(failures[0].Err.Error(), root) {
		t.Errorf("got %v %v", failures, err)
	}
}

func TestFilesOfFoldersAreCounted(t *testing.T) {
	files := map[string]string{}
	for _, a := range "abcdefgh" {
		for _, b := range "abcdefgh" {
			files[string(a)+"/"+string(b)] = "x"
		}
	}
	root := tree(t, files)
	got := walk(t, Limits{Files: 30}, root)
	if len(got.files) != 30 || len(got.failures) != 1 || !strings.Contains(got.failures[root], "more than 30 files") {
		t.Errorf("%d files, %v", len(got.files), got.failures)
	}
}

func TestMixedBytesInNames(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux takes any bytes as a name")
	}
	root := tree(t, map[string]string{"bad\xff\xfe/name\nx": "1", `back\slash`: "2"})
	want(t, walk(t, Limits{}, root), map[string]string{"bad\xff\xfe/name\nx": "1", `back\slash`: "2"}, nil)
}
