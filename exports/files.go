package exports

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// survey describes what lies at a path: a file, or a folder and everything in it.
func survey(at string) (folder bool, files []File, err error) {
	info, err := os.Lstat(at)
	if err != nil {
		return false, nil, err
	}
	switch {
	case info.Mode().IsRegular():
		files, err = surveyIn(filepath.Dir(at), filepath.Base(at))
		return false, files, err
	case info.IsDir():
		files, err = surveyIn(at, ".")
		return true, files, err
	}
	return false, nil, errors.New("it is neither a regular file nor a folder")
}

// surveyIn describes the files below a name in a folder. Nothing outside of the folder is
// looked at, whatever links there are.
func surveyIn(dir, name string) (files []File, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), name, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || d.IsDir():
			return err
		case !d.Type().IsRegular():
			return fmt.Errorf("%s in it is neither a regular file nor a folder", name)
		case len(files) >= MaxFiles:
			return fmt.Errorf("it has more than %d files", MaxFiles)
		}
		f := File{Name: name}
		if f.Size, f.SHA256, err = digest(root, name); err != nil {
			return err
		}
		files = append(files, f)
		return nil
	})
	return files, err
}

func digest(root *os.Root, name string) (size int64, sum string, err error) {
	f, err := root.Open(name)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, f)
	return size, hex.EncodeToString(h.Sum(nil)), err
}

// remove removes an export as far as it is what was noted; gone says that there was
// something to remove. A folder stays where it has anything else.
func (e Entry) remove() (gone bool, err error) {
	dir := e.Path
	if !e.Folder {
		dir = filepath.Dir(e.Path)
	} else if info, err := os.Lstat(dir); err != nil {
		return false, err
	} else if !info.IsDir() {
		return false, &ChangedError{e.Path, "it is no folder any more"}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return false, err
	}
	defer root.Close()
	var trouble []error
	for _, f := range e.Files {
		switch err := f.remove(root, e.Path); {
		case errors.Is(err, fs.ErrNotExist): // somebody did it
		case err != nil:
			trouble = append(trouble, err)
		default:
			gone = true
		}
	}
	if e.Folder {
		removeFolders(root, e.Files)
	}
	if err := errors.Join(trouble...); err != nil || !e.Folder {
		return gone, err
	}
	root.Close() // Windows does not remove an open folder
	if err := os.Remove(e.Path); err != nil {
		if left, readErr := os.ReadDir(e.Path); readErr == nil && len(left) > 0 {
			return gone, &ChangedError{e.Path, "there are files in it that were not exported, such as " + left[0].Name()}
		}
		return gone, err
	}
	return true, nil
}

// remove removes the file when it still is what was written.
func (f File) remove(root *os.Root, of string) error {
	for dir := path.Dir(f.Name); dir != "."; dir = path.Dir(dir) {
		if info, err := root.Lstat(dir); err == nil && !info.IsDir() {
			return &ChangedError{of, dir + " is no folder any more"}
		}
	}
	info, err := root.Lstat(f.Name)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return &ChangedError{of, f.Name + " is no regular file any more"}
	case info.Size() != f.Size:
		return &ChangedError{of, f.Name + " has another size"}
	}
	_, sum, err := digest(root, f.Name)
	switch {
	case err != nil:
		return err
	case sum != f.SHA256:
		return &ChangedError{of, f.Name + " has another content"}
	}
	return root.Remove(f.Name)
}

// removeFolders removes the folders that the files were in, the innermost first, as far as
// they are empty.
func removeFolders(root *os.Root, files []File) {
	var dirs []string
	for _, f := range files {
		for dir := path.Dir(f.Name); dir != "."; dir = path.Dir(dir) {
			dirs = append(dirs, dir)
		}
	}
	slices.SortFunc(dirs, func(a, b string) int { return strings.Count(b, "/") - strings.Count(a, "/") })
	for _, dir := range dirs {
		if info, err := root.Lstat(dir); err == nil && info.IsDir() {
			_ = root.Remove(dir) // the removal of the export's folder says what is left
		}
	}
}
