package reports

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// DefaultBodyLimit is how many bytes of a body a HAR file holds: most answers of servers,
// and no picture that makes the file slow to open.
const DefaultBodyLimit = 256 << 10

// BodiesSuffix is what the folder with the long bodies of a HAR file is called behind the
// name of that file.
const BodiesSuffix = ".bodies"

// bodies writes contents into the folder beside a HAR file, each once, named by its SHA-256.
// Its methods may be called on nil, which has no folder.
type bodies struct {
	folder  string
	made    bool            // the folder is ours
	written map[string]bool // names of files that this report needs
	new     []string        // of those, the names that were not there before
}

// bodiesBeside returns what writes the bodies of the HAR file at path.
func bodiesBeside(path string) *bodies {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	return &bodies{folder: path + BodiesSuffix, written: map[string]bool{}}
}

// write keeps a content and returns its name as the HAR has it.
func (b *bodies) write(content []byte, mediaType string) (string, error) {
	sum := sha256.Sum256(content)
	name := hex.EncodeToString(sum[:]) + extensionOf(mediaType)
	link := filepath.Base(b.folder) + "/" + name
	if b.written[name] {
		return link, nil
	}
	if err := b.open(); err != nil {
		return "", err
	}
	path := filepath.Join(b.folder, name)
	_, err := os.Lstat(path)
	isNew := errors.Is(err, fs.ErrNotExist)
	if err := putFile(b.folder, path, content); err != nil {
		return "", err
	}
	b.written[name] = true
	if isNew {
		b.new = append(b.new, name)
	}
	return link, nil
}

// open makes the folder, which its owner alone can look into.
func (b *bodies) open() error {
	if len(b.written) > 0 {
		return nil
	}
	err := os.Mkdir(b.folder, 0o700)
	if err == nil {
		b.made = true
		return nil
	}
	info, statErr := os.Lstat(b.folder)
	switch {
	case !errors.Is(err, fs.ErrExist) || statErr != nil:
		return err
	case !info.IsDir():
		return &fs.PathError{Op: "mkdir", Path: b.folder, Err: errors.New("it is no folder")}
	}
	return os.Chmod(b.folder, 0o700) // #nosec G302 -- a folder, for its owner
}

// putFile writes a file that its owner alone can read. What stands there, a link perhaps, is
// replaced and never written to.
func putFile(folder, path string, content []byte) error {
	temporary := filepath.Join(folder, ".telltale-body-"+rand.Text()[:10])
	if err := os.WriteFile(temporary, content, 0o600); err != nil {
		return errors.Join(err, ignoreMissing(os.Remove(temporary)))
	}
	if err := os.Rename(temporary, path); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// bodyName is what these files are called.
var bodyName = regexp.MustCompile(`^[0-9a-f]{64}\.[a-z0-9]+$`)

// keep ends a report that was written: bodies of an earlier one of the same name go. It
// returns the paths of those that belong to this one.
func (b *bodies) keep() []string {
	if b == nil {
		return nil
	}
	entries, err := os.ReadDir(b.folder)
	if err != nil {
		return nil // there is none
	}
	var paths []string
	for _, e := range entries {
		path := filepath.Join(b.folder, e.Name())
		switch {
		case b.written[e.Name()]:
			paths = append(paths, path)
		case bodyName.MatchString(e.Name()):
			_ = os.Remove(path) // what cannot be removed now, a purge will find
		}
	}
	if len(paths) == 0 {
		_ = os.Remove(b.folder) // where nothing else is in it
	}
	slices.Sort(paths)
	return paths
}

// discard ends a report that was not written: what is new goes, what an earlier one needs
// stays.
func (b *bodies) discard() {
	if b == nil {
		return
	}
	for _, name := range b.new {
		_ = os.Remove(filepath.Join(b.folder, name))
	}
	if b.made {
		_ = os.Remove(b.folder)
	}
}

// extensions are those by which people open files of a type. None is that of a capture
// (intake.Extensions), for which a folder is searched.
var extensions = map[string]string{
	"text/html": ".html", "text/css": ".css", "text/javascript": ".js", "application/javascript": ".js", "application/json": ".json",
	"application/xml": ".xml", "text/xml": ".xml", "application/pdf": ".pdf", "application/wasm": ".wasm",
	"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp", "image/svg+xml": ".svg", "image/avif": ".avif",
	"font/woff2": ".woff2", "font/woff": ".woff", "video/mp4": ".mp4", "audio/mpeg": ".mp3",
}

// extensionOf returns the extension for a media type; the type comes from the wire, and
// nothing of it gets into a name.
func extensionOf(mediaType string) string {
	kind, _, _ := strings.Cut(mediaType, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	switch ext := extensions[kind]; {
	case ext != "":
		return ext
	case strings.HasSuffix(kind, "+json"):
		return ".json"
	case strings.HasPrefix(kind, "text/"):
		return ".txt"
	}
	return ".bin"
}
