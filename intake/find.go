package intake

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"telltale/contacts"
	"telltale/flow/plain"
)

// Find resolves what the user named to inputs. A folder stands for every capture
// in it and below, in the order of their names; "-" for standard input, which is
// copied to a temporary file that its owner alone can read, as pipes are: reports
// may need a second reading. A file that is named twice is read once, so that
// nothing is counted twice.
//
// The errors are of arguments that lead to no capture, or of ctx where it ended the
// copying; the set has the others. A file that cannot be opened is an input, whose
// Info will say so.
func Find(ctx context.Context, args []string, stdin io.Reader) (*Set, []error) {
	f := finder{ctx: ctx, set: &Set{digests: map[string][]string{}}, stdin: stdin, seen: map[fingerprint][]fs.FileInfo{}}
	for _, arg := range args {
		f.argument(arg)
	}
	return f.set, f.errs
}

type finder struct {
	ctx   context.Context
	set   *Set
	stdin io.Reader
	// seen has the files by what tells most of them apart without a comparison.
	seen map[fingerprint][]fs.FileInfo
	errs []error
}

type fingerprint struct {
	size    int64
	changed time.Time
}

func (f *finder) argument(arg string) {
	if arg == StandardInput {
		f.keep(arg, f.stdin)
		return
	}
	info, err := os.Stat(arg)
	switch {
	case err == nil && info.IsDir():
		f.folder(arg)
	case err == nil && !info.Mode().IsRegular():
		f.pipe(arg)
	default:
		f.add(input{name: arg, path: arg}, info)
	}
}

// shown returns a name as people and documents are told it: what does not show in it,
// in the name of a file that somebody else made, is written out.
func shown(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return plain.Text(name)
	}
	return name
}

// add takes an input in, unless it is there already. info is nil for a file that
// cannot be looked at.
func (f *finder) add(in input, info fs.FileInfo) {
	if info != nil {
		key := fingerprint{info.Size(), info.ModTime()}
		if slices.ContainsFunc(f.seen[key], func(other fs.FileInfo) bool { return os.SameFile(info, other) }) {
			return
		}
		f.seen[key] = append(f.seen[key], info)
		in.size = info.Size()
	}
	in.name = shown(in.name)
	f.set.total += in.size
	f.set.inputs = append(f.set.inputs, in)
}

func (f *finder) fail(format string, args ...any) {
	f.errs = append(f.errs, fmt.Errorf(format, args...))
}

// folder looks for captures in a folder and below. A part of it that cannot be
// searched is an error beside what was found.
func (f *finder) folder(root string) {
	w := walk{finder: f, visited: map[string]bool{}}
	failures := len(f.errs)
	w.search(root)
	if w.found == 0 && len(f.errs) == failures {
		f.fail("the folder %s holds no capture (%s)", shown(root), strings.Join(Extensions, ", "))
	}
}

// walk is the search of one folder. It follows links to folders, and enters none twice.
type walk struct {
	finder  *finder
	visited map[string]bool // by their names without links
	found   int
}

func (w *walk) search(folder string) {
	real, err := filepath.EvalSymlinks(folder)
	if err == nil {
		if w.visited[real] {
			return
		}
		w.visited[real] = true
	}
	inside, err := os.ReadDir(folder) // in lexical order
	if err != nil {
		w.finder.fail("cannot search the folder %s: %w", shown(folder), named(err, shown(folder)))
		return
	}
	for _, entry := range inside {
		path := filepath.Join(folder, entry.Name())
		info, err := os.Stat(path)
		switch {
		case err == nil && info.IsDir():
			w.search(path)
		case captureFile(path, info, err):
			w.found++
			w.finder.add(input{name: path, path: path}, info)
		}
	}
}

// captureFile reports whether an entry of a folder is a capture, by its name. One that
// cannot be looked at says so when it is read.
func captureFile(path string, info fs.FileInfo, err error) bool {
	switch {
	case !hasCaptureName(filepath.Base(path)):
		return false
	case err != nil:
		return true
	case !info.Mode().IsRegular():
		return false
	}
	if isArchiveName(path) {
		return archiveHoldsCapture(path)
	}
	return !mayBeAnything(path) || fileHoldsContacts(path)
}

// hasCaptureName reports whether a file is looked at. What macOS keeps of a file beside
// it, under the same name with "._" before it, is not.
func hasCaptureName(name string) bool {
	name = strings.ToLower(name)
	return !strings.HasPrefix(name, "._") && slices.ContainsFunc(Extensions, func(ext string) bool { return strings.HasSuffix(name, ext) })
}

// mayBeAnything reports whether files of such a name are captures only if their content
// is: everybody has tables.
func mayBeAnything(name string) bool {
	name = strings.TrimSuffix(strings.ToLower(name), ".gz")
	return strings.HasSuffix(name, ".csv") || strings.HasSuffix(name, ".ndjson")
}

// fileHoldsContacts looks at the first bytes of a file that somebody put among the
// captures. One that cannot be read says so when it is read.
func fileHoldsContacts(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return true
	}
	defer f.Close()
	return holdsContacts(f)
}

// holdsContacts reports whether a list of contacts, perhaps compressed, begins here; also
// where that cannot be told.
func holdsContacts(r io.Reader) bool {
	b := bufio.NewReaderSize(r, headSize)
	head, err := b.Peek(len(gzipMagic))
	if err == nil && bytes.Equal(head, gzipMagic) {
		z, err := gzip.NewReader(b)
		if err != nil {
			return true
		}
		b = bufio.NewReaderSize(z, headSize)
	}
	head, err = b.Peek(headSize)
	if err != nil && err != io.EOF {
		return true
	}
	format := contacts.Recognise(head)
	return format != contacts.Unknown && format != contacts.Table
}

func isArchiveName(name string) bool { return strings.EqualFold(filepath.Ext(name), ".zip") }

// archiveHoldsCapture looks into an archive that somebody put among the captures.
// One that cannot be opened may hold some, and will say that it is damaged; so may the
// archives in it.
func archiveHoldsCapture(path string) bool {
	z, err := zip.OpenReader(path)
	if err != nil {
		return true
	}
	defer z.Close()
	return len(captureMembers(&z.Reader)) > 0
}

// pipe keeps what a pipe or a device gives, as the shell's <(command) makes them.
// Opening one may take until somebody writes to it.
func (f *finder) pipe(path string) {
	f.keep(path, &opening{path: path})
}

// opening is a file that is opened at the first read.
type opening struct {
	path string
	file *os.File
}

func (o *opening) Read(p []byte) (n int, err error) {
	if o.file == nil {
		if o.file, err = os.Open(o.path); err != nil {
			return 0, err
		}
	}
	if n, err = o.file.Read(p); err != nil {
		o.file.Close()
	}
	return n, err
}

// temporary is the pattern for the names of files that are removed by [Set.Close].
const temporary = "telltale-input-*"

// keep copies what can be read only once to a file, once.
func (f *finder) keep(name string, r io.Reader) {
	if slices.ContainsFunc(f.set.inputs, func(in input) bool { return in.name == name }) {
		return
	}
	what := shown(name)
	if name == StandardInput {
		what = "standard input"
	}
	copied, err := os.CreateTemp("", temporary) // 0600
	if err != nil {
		f.fail("cannot keep %s: %w", what, err)
		return
	}
	size, err := copyUntil(f.ctx, copied, r)
	if err = errors.Join(err, copied.Close()); err != nil {
		os.Remove(copied.Name())
		f.fail("cannot keep %s: %w", what, err)
		return
	}
	f.add(input{name: name, path: copied.Name(), kept: true, size: size}, nil)
}

// copyUntil copies until the end or until ctx is done, also while nothing comes: then
// whoever reads is left waiting.
func copyUntil(ctx context.Context, w io.Writer, r io.Reader) (int64, error) {
	type result struct {
		size int64
		err  error
	}
	done := make(chan result, 1)
	go func() {
		size, err := io.Copy(w, r)
		done <- result{size, err}
	}()
	select {
	case all := <-done:
		return all.size, all.err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}
