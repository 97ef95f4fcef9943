package inventory

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"path"
	"strings"

	"telltale/plist"
)

// bundleName returns the name of the framework or bundle whose Info.plist a path is, "" for
// others: those of an app itself and of its extensions.
func bundleName(file string) string {
	dir := path.Dir(slashed(file))
	dir = strings.TrimSuffix(dir, "/Resources") // of macOS
	if at := strings.Index(dir, ".framework/Versions/"); at >= 0 {
		dir = dir[:at] + ".framework"
	}
	dir = strings.TrimSuffix(dir, "/Contents")
	base := path.Base(dir)
	for _, ext := range []string{".framework", ".bundle"} {
		if name, ok := strings.CutSuffix(base, ext); ok {
			return name
		}
	}
	return ""
}

// readBundle reads the Info.plist of a framework or bundle: its identifier and version
// (Apple, Information Property List).
func readBundle(f *file) error {
	if len(f.data) > plist.MaxSize {
		return fmt.Errorf("%d bytes are more than the %d that are read of a property list", len(f.data), plist.MaxSize)
	}
	root, err := plist.Read(f.data)
	if err != nil {
		return err
	}
	id := root.Get("CFBundleIdentifier")
	version := root.Get("CFBundleShortVersionString")
	if version == nil || version.Text == "" {
		version = root.Get("CFBundleVersion")
	}
	if id == nil || version == nil {
		return nil
	}
	return f.add(Bundled, id.Text, version.Text, version.Line)
}

// maxNotices bounds what the licences of a Flutter app unfold to.
const maxNotices = 8 << 20

// readNotices reads the licences that Flutter puts into an app: each is below the names of the
// packages that it is of, and they are parted by a line of hyphens. Versions are not in it.
func readNotices(f *file) error {
	text, err := unfold(f.data)
	if err != nil {
		return fmt.Errorf("its licences: %w", err)
	}
	plain := &file{path: f.path, data: text}
	names := true
	err = plain.eachLine(func(n int, line string) error {
		switch {
		case strings.HasPrefix(line, "----------") && strings.Trim(line, "-") == "":
			names = true
		case line == "":
			names = false
		case names && dartName(line):
			return f.ask(Pub, line, "", n)
		}
		return nil
	})
	if len(text) == maxNotices && err == nil {
		err = fmt.Errorf("only its first %d bytes were read", maxNotices)
	}
	return err
}

// dartName reports whether a line is the name of a package of Dart.
func dartName(s string) bool {
	for i := range len(s) {
		if b := s[i]; b != '_' && (b < 'a' || b > 'z') && (b < '0' || b > '9' || i == 0) {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// unfold takes away the compression that data has, if any.
func unfold(data []byte) ([]byte, error) {
	var r io.Reader
	var err error
	switch {
	case bytes.HasPrefix(data, []byte{0x1f, 0x8b}):
		r, err = gzip.NewReader(bytes.NewReader(data))
	case len(data) > 1 && data[0] == 0x78 && (uint(data[0])<<8|uint(data[1]))%31 == 0:
		r, err = zlib.NewReader(bytes.NewReader(data))
	default:
		return data[:min(len(data), maxNotices)], nil
	}
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(r, maxNotices))
}
