package reports

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Permissions of report files, before the umask. A report is for sharing and
// its secrets are masked; what holds the content of traffic, or was asked to
// reveal secrets, is for its owner alone, like a capture.
const (
	shared  fs.FileMode = 0o644
	private fs.FileMode = 0o600
)

// ByName returns the format of this name.
func ByName(name string) (Format, bool) {
	for _, f := range Formats {
		if f.Name == name {
			return f, true
		}
	}
	return Format{}, false
}

// ByFile returns the format that a file's name asks for by how it ends; of two
// endings that fit, the longer one decides. An unknown ending is an error that
// names the known ones.
func ByFile(path string) (Format, error) {
	name := strings.ToLower(filepath.Base(path))
	best, longest := Format{}, 0
	for _, f := range Formats {
		for _, ending := range append([]string{f.Ext}, f.Also...) {
			if len(ending) > longest && strings.HasSuffix(name, ending) {
				best, longest = f, len(ending)
			}
		}
	}
	if longest > 0 {
		return best, nil
	}
	ext := filepath.Ext(path)
	known := make([]string, len(Formats))
	for i, f := range Formats {
		known[i] = fmt.Sprintf("%s (%s)", f.Ext, f.Name)
	}
	list := strings.Join(known, ", ")
	if ext == "" {
		return Format{}, fmt.Errorf("report %q: the name has no extension to take the format from, expected one of %s", path, list)
	}
	return Format{}, fmt.Errorf("report %q: no format has the extension %q, expected one of %s", path, ext, list)
}

// WriteFile writes r to a file in the format that its name asks for. The report
// is written beside it, brought to the disk and then renamed, so that the file
// is the old report or the whole new one whatever happens, and after an error no
// part of the new one is left. The file gets mode 0644, or 0600 when the format
// is private or the report reveals secrets, less the umask, and is never more
// readable than the report that it replaces.
func WriteFile(path string, r *Report) error {
	_, err := WriteFiles(path, r)
	return err
}

// WriteFiles is WriteFile, and returns what it has written: the report, and the files beside
// a HAR that hold its long bodies. On an error there are none.
func WriteFiles(path string, r *Report) ([]string, error) {
	format, err := ByFile(path)
	if err != nil {
		return nil, err
	}
	mode := shared
	if format.Private || r.Reveal {
		mode = private
	}
	whole := *r
	if format.Name == "har" {
		whole.outside = bodiesBeside(path)
	}
	if err := replace(path, mode, func(w io.Writer) error { return format.Write(w, &whole) }); err != nil {
		whole.outside.discard()
		return nil, fmt.Errorf("write report %q: %w", path, cause(err))
	}
	return append([]string{path}, whole.outside.keep()...), nil
}

// cause takes the operation and the temporary file's name out of an error, which
// mean nothing to the person who asked for another name.
func cause(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}

// replace puts what write writes in the place of the file, or changes nothing.
func replace(path string, mode fs.FileMode, write func(io.Writer) error) (err error) {
	// A link stays a link: the file that it leads to is replaced.
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	switch old, err := os.Stat(path); {
	case err == nil && old.IsDir():
		return errors.New("it is a folder")
	case err == nil && !old.Mode().IsRegular():
		return errors.New("it is not a regular file")
	case err == nil:
		mode &= old.Mode().Perm()
	}
	folder := filepath.Dir(path)
	temporary := filepath.Join(folder, ".telltale-report-"+rand.Text()[:10])
	// Not os.CreateTemp: its mode ignores the umask.
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode|0o200)
	if err != nil {
		return missing(folder, err)
	}
	defer func() {
		if err != nil {
			file.Close() // harmless where it is closed already
			os.Remove(temporary)
		}
	}()
	buffered := bufio.NewWriterSize(file, 64<<10)
	if err := write(buffered); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

// missing says which folder is not there, since the error of the system names
// a file that nobody asked for.
func missing(folder string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return fmt.Errorf("the folder %q does not exist", folder)
}
