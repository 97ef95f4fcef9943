package app

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"telltale/flow/plain"
)

// versionControl are the folders in which version control keeps what it knows: every state
// that the sources ever had, packed, and nothing of the app.
var versionControl = []string{".git", ".hg", ".svn", ".bzr", ".jj", "_darcs", "CVS"}

// A folder is an app that lies in a folder.
type folder struct {
	app  *opening
	root *os.Root
	real string // where it is, without links
	open *shelf
	seen map[string]bool // names at the top, by which the kind is told
}

// list adds the files of a folder.
func (w *walker) list(app *opening) {
	root, err := os.OpenRoot(app.path)
	if err != nil {
		w.failAt(app, "", reason(err))
		return
	}
	f := &folder{app: app, root: root, open: newShelf(func() { _ = root.Close() }), seen: map[string]bool{}}
	defer f.open.release()
	if f.real, err = filepath.EvalSymlinks(app.path); err == nil {
		f.real, err = filepath.Abs(f.real)
	}
	if err != nil {
		w.failAt(app, "", reason(err))
		return
	}
	app.setKind("folder")
	w.listIn(f, ".")
	app.setKind(f.kind())
}

// listIn adds the files in a folder of the app, "." for itself.
func (w *walker) listIn(f *folder, rel string) {
	d, err := f.root.Open(filepath.FromSlash(rel))
	if err != nil {
		w.failAt(f.app, rel, reason(err))
		return
	}
	var folders []string
	for {
		entries, err := d.ReadDir(1024)
		var batch []*job
		for _, e := range entries {
			path := e.Name()
			if rel != "." {
				path = rel + "/" + path
			} else {
				f.seen[path] = true
			}
			switch {
			case w.ctx.Err() != nil:
			case e.IsDir() && slices.Contains(versionControl, e.Name()):
				f.app.note(path, "not searched, since version control keeps its own files there")
			case e.IsDir():
				folders = append(folders, path)
			default:
				batch = w.consider(f, batch, path, e)
			}
		}
		w.queue.add(batch...)
		if err != nil {
			if err != io.EOF {
				w.failAt(f.app, rel, reason(err))
			}
			break
		}
	}
	_ = d.Close() // it was only read
	for _, path := range folders {
		if w.ctx.Err() != nil || f.full(w) {
			return
		}
		w.listIn(f, path)
	}
}

// full reports whether the folder has as many files as are allowed.
func (f *folder) full(w *walker) bool { return f.app.files.Load() > int64(w.limits.Files) }

// consider adds a job for what is not a folder.
func (w *walker) consider(f *folder, batch []*job, path string, e fs.DirEntry) []*job {
	switch mode := e.Type(); {
	case mode&fs.ModeSymlink != 0:
		if err := f.link(path); err != nil {
			w.failAt(f.app, path, err)
		}
		return batch
	case mode&(fs.ModeType&^fs.ModeIrregular) != 0:
		w.failAt(f.app, path, notRegular(mode))
		return batch
	}
	info, err := e.Info()
	if err != nil {
		w.failAt(f.app, path, reason(err))
		return batch
	}
	if !w.countFile(f.app, f.app.path) {
		return batch
	}
	f.app.size.Add(info.Size())
	return append(batch, &job{app: f.app, path: path, size: info.Size(), in: f.open.hold(), from: diskFile{root: f.root, path: path}})
}

// countFile counts a file that was found, and reports whether it is one of those allowed.
func (w *walker) countFile(app *opening, where string) bool {
	n := app.files.Add(1)
	if n == int64(w.limits.Files)+1 {
		w.failAt(app, "", fmt.Errorf("more than %d files: the rest of %s was not searched", w.limits.Files, plain.Text(where)))
	}
	return n <= int64(w.limits.Files)
}

// link says why a link cannot be left aside. What one inside of the folder leads to is
// visited under its own name.
func (f *folder) link(path string) error {
	full := filepath.Join(f.real, filepath.FromSlash(path))
	target, err := filepath.EvalSymlinks(full)
	if errors.Is(err, fs.ErrNotExist) {
		// It leads nowhere. Where it would lead to still matters.
		if target, err = os.Readlink(full); err == nil && !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(full), target)
		}
	}
	if err != nil {
		return fmt.Errorf("not followed: where this link leads to cannot be told: %w", reason(err))
	}
	if inside, err := filepath.Rel(f.real, target); err != nil || !filepath.IsLocal(inside) {
		return fmt.Errorf("not followed: this link leads out of the folder, to %s", plain.Text(filepath.ToSlash(target)))
	}
	return nil
}

// A diskFile is a file on disk.
type diskFile struct {
	root *os.Root // nil: path is the user's, else in the root and with slashes
	path string
}

// Opening a pipe would wait for its writer, and a folder can change under us. Windows has
// no such pipes in folders, and leaves the flag aside.
const openFlags = os.O_RDONLY | syscall.O_NONBLOCK

func (d diskFile) open(*walker) (opened, error) {
	var f *os.File
	var err error
	if d.root != nil {
		f, err = d.root.OpenFile(filepath.FromSlash(d.path), openFlags, 0)
	} else {
		f, err = os.OpenFile(d.path, openFlags, 0)
	}
	if err != nil {
		return opened{}, reason(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = notRegular(info.Mode())
	}
	if err != nil {
		_ = f.Close() // it was not read
		return opened{}, reason(err)
	}
	return plainly(section(f, info.Size()), func() { _ = f.Close() }), nil
}

// A part is a file whose bytes lie in an archive as they are.
type part struct{ raw *io.SectionReader }

func (p part) open(*walker) (opened, error) { return plainly(p.raw, nil), nil }

// plainly opens bytes that are as they are.
func plainly(raw *io.SectionReader, closes func()) opened {
	return opened{raw: raw, size: raw.Size(), close: closes, stream: func() (io.ReadCloser, error) {
		return io.NopCloser(io.NewSectionReader(raw, 0, raw.Size())), nil
	}}
}

// baseName is the last part of a path as the user gave it.
func baseName(path string) string { return filepath.Base(strings.TrimRight(path, `/\`)) }
