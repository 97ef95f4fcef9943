package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"telltale/flow/plain"
)

// A walker is one call of Walk.
type walker struct {
	ctx    context.Context
	limits Limits
	visit  func(File) error
	queue  *queue
	files  *memory      // for what is visited
	nested *memory      // for archives in archives
	wrote  atomic.Int64 // bytes to temporary files
	chunks sync.Pool

	cancel   context.CancelCauseFunc
	unhooks  func() bool
	openings []*opening

	mu       sync.Mutex
	failures []Failure
}

// An opening is one app that is being walked.
type opening struct {
	index  int
	path   string
	folder bool
	files  atomic.Int64 // that were found
	size   atomic.Int64

	unpacked atomic.Int64 // bytes of its archives
	over     atomic.Bool  // more than it may

	mu      sync.Mutex
	kind    string
	visited int
	notes   []string
	failed  int // how many failures it has, those that are not listed included
}

// A pack is an outermost archive, with all that is in it: what it may unpack to.
type pack struct {
	path     string
	allowed  int64
	unpacked atomic.Int64
	refused  atomic.Bool
}

// A source opens a file.
type source interface {
	open(w *walker) (opened, error)
}

// opened is a file that can be read.
type opened struct {
	// raw are its bytes, where they lie somewhere as they are; else nil.
	raw    *io.SectionReader
	packed int64 // bytes of an archive that it is unpacked from; 0 for none
	// stream reads it from its start and fails at the end if it is not what it was to be.
	stream func() (io.ReadCloser, error)
	size   int64 // unpacked, as its container says
	notes  []string
	close  func() // nil: nothing to close
}

func newWalker(ctx context.Context, paths []string, limits Limits, visit func(File) error) *walker {
	w := &walker{limits: limits, visit: visit, queue: newQueue()}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.nested = newMemory(limits.Held / nestedShare)
	w.files = newMemory(limits.Held - limits.Held/nestedShare)
	w.chunks.New = func() any { b := make([]byte, 256<<10); return &b }
	// Whoever waits for work or memory is woken when it is over.
	w.unhooks = context.AfterFunc(w.ctx, func() {
		w.release(w.queue.close())
		w.files.mu.Lock()
		defer w.files.mu.Unlock()
		w.files.freed.Broadcast()
	})
	for i, path := range paths {
		w.openings = append(w.openings, &opening{index: i, path: path})
	}
	return w
}

func (w *walker) stop() {
	w.unhooks()
	w.cancel(nil)
	w.release(w.queue.close())
}

func (w *walker) release(jobs []*job) {
	for _, j := range jobs {
		j.in.release()
	}
}

// run returns when all is done, or w.ctx is.
func (w *walker) run(workers int) {
	var group sync.WaitGroup
	w.queue.enter()
	for range workers {
		group.Go(func() {
			for j := w.queue.take(); j != nil; j = w.queue.take() {
				w.do(j)
				j.in.release()
				w.queue.leave()
			}
		})
	}
	for _, app := range w.openings {
		w.begin(app)
	}
	w.queue.leave()
	group.Wait()
}

func (w *walker) result() ([]Info, []Failure, error) {
	var infos []Info
	for _, app := range w.openings {
		app.mu.Lock()
		slices.Sort(app.notes)
		infos = append(infos, Info{Path: app.path, Kind: app.kind, Folder: app.folder, Size: app.size.Load(), Files: app.visited, Notes: slices.Compact(app.notes)})
		app.mu.Unlock()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, app := range w.openings {
		if more := app.failed - maxFailures; more > 0 {
			w.failures = append(w.failures, Failure{Path: app.path, Err: fmt.Errorf("%d more parts could not be read, which are not listed", more)})
		}
	}
	slices.SortStableFunc(w.failures, func(a, b Failure) int { return strings.Compare(a.Path, b.Path) })
	if w.ctx.Err() != nil {
		return infos, w.failures, context.Cause(w.ctx)
	}
	return infos, w.failures, nil
}

// begin finds out whether an app is a folder or a file.
func (w *walker) begin(app *opening) {
	info, err := os.Stat(app.path)
	switch {
	case err != nil:
		w.failAt(app, "", reason(err))
	case info.IsDir():
		app.folder = true
		w.list(app)
	case !info.Mode().IsRegular():
		w.failAt(app, "", notRegular(info.Mode()))
	default:
		app.setKind("file")
		app.size.Store(info.Size())
		w.queue.add(&job{app: app, path: baseName(app.path), size: info.Size(), from: diskFile{path: app.path}, root: true})
	}
}

// do visits a file, or opens it where it is an archive.
func (w *walker) do(j *job) {
	if j.pack != nil && (j.pack.refused.Load() || j.app.over.Load()) {
		return
	}
	o, err := j.from.open(w)
	if err != nil {
		w.fail(j, err)
		return
	}
	around := j.in.hold() // what is stored in it is read from there
	open := newShelf(func() {
		if o.close != nil {
			o.close()
		}
		around.release()
	})
	defer open.release()
	for _, note := range o.notes {
		j.app.note(j.path, note)
	}
	if err := w.charge(j, o); err != nil {
		w.fail(j, err)
		return
	}
	if o.raw == nil && o.size <= w.limits.InMemory {
		w.doPacked(j, o)
		return
	}
	head, err := w.head(o)
	if err != nil && len(head) == 0 && o.size > 0 {
		w.fail(j, reason(err))
		return
	}
	if format := w.format(j, head); format == none || !w.unpack(j, o, format, open) {
		w.hand(j, o)
	}
}

// doPacked is do for a file that must be unpacked to be looked at, and fits into memory.
func (w *walker) doPacked(j *job, o opened) {
	b := w.files.get(w.ctx, o.size)
	if b == nil {
		return
	}
	n, err := w.fill(o, b)
	if err != nil {
		w.fail(j, reason(err))
	}
	format := w.format(j, b[:min(n, headLength)])
	if format == none {
		w.give(j, b[:n:n])
		w.files.put(b)
		return
	}
	// Its buffer must be free again before the files in it want theirs.
	raw, spooled, err := w.spool(bytesAt(b[:n]).reader(), int64(n))
	w.files.put(b)
	if spooled != nil {
		defer spooled.release()
	}
	if err != nil {
		w.fail(j, reason(err))
	} else if o := plainly(raw, nil); !w.unpack(j, o, format, spooled) {
		w.hand(j, o)
	}
}

// headLength is how much of a file tells an archive: tar has its name in the first block.
const headLength = 512

func (w *walker) head(o opened) ([]byte, error) {
	head := make([]byte, min(headLength, o.size))
	if o.raw != nil {
		n, err := o.raw.ReadAt(head, 0)
		return head[:n], err
	}
	r, err := o.stream()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	n, err := readFull(w.ctx, r, head)
	return head[:n], err
}

// format tells an archive that is to be opened.
func (w *walker) format(j *job, head []byte) format {
	if j.asIs {
		return none
	}
	f := sniff(head, j.path, j.root)
	if f != none && !j.root && j.depth > w.limits.Depth {
		w.fail(j, fmt.Errorf("not opened: archives in archives are only opened %d deep; its bytes are searched as they are", w.limits.Depth))
		return none
	}
	return f
}

// charge counts what a file in an archive unpacks to, before it does.
func (w *walker) charge(j *job, o opened) error {
	if j.pack == nil || o.packed == 0 {
		return nil
	}
	if o.raw == nil && o.size > bombFrom && o.size/w.limits.Ratio > o.packed {
		return fmt.Errorf("not unpacked: %d bytes out of %d are more than %d to 1, as an archive bomb has", o.size, o.packed, w.limits.Ratio)
	}
	return w.chargeBytes(j, o.size)
}

// errCharged says that an archive was given up, which is among the failures already.
var errCharged = errors.New("not unpacked: the archive holds more than is allowed")

func (w *walker) chargeBytes(j *job, n int64) error {
	p := j.pack
	if j.app.unpacked.Add(n) > w.limits.Total {
		if !j.app.over.Swap(true) {
			w.failAt(j.app, "", fmt.Errorf("it unpacks to more than %d bytes, as an archive bomb does: the rest of it was not searched", w.limits.Total))
		}
		return errCharged
	}
	if p.unpacked.Add(n) > p.allowed {
		if !p.refused.Swap(true) {
			w.failAt(j.app, p.path, fmt.Errorf("it unpacks to more than %d bytes, as an archive bomb does: the rest of it was not searched", p.allowed))
		}
		return errCharged
	}
	return nil
}

// hand reads a file where it is short enough, and gives it to visit.
func (w *walker) hand(j *job, o opened) {
	if o.size > w.limits.InMemory {
		w.call(j, File{App: j.app.index, Path: j.path, Size: o.size, Open: func() (io.ReadCloser, error) {
			r, err := o.stream()
			if err != nil {
				w.fail(j, reason(err))
				return nil, err
			}
			return &watched{ReadCloser: r, w: w, j: j}, nil
		}})
		return
	}
	b := w.files.get(w.ctx, o.size)
	if b == nil {
		return
	}
	defer w.files.put(b)
	n, err := w.fill(o, b)
	if err != nil {
		w.fail(j, reason(err))
	}
	w.give(j, b[:n:n])
}

// give gives a file that is in memory to visit.
func (w *walker) give(j *job, data []byte) {
	w.call(j, File{App: j.app.index, Path: j.path, Size: int64(len(data)), Data: data, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytesAt(data).reader()), nil
	}})
}

// fill reads a file into b, which has its length.
func (w *walker) fill(o opened, b []byte) (int, error) {
	r, err := o.stream()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	n, err := readFull(w.ctx, r, b)
	if err == nil {
		// What checks the content does so at its end.
		_, err = r.Read(make([]byte, 1))
	}
	if err == io.EOF {
		err = nil
	}
	return n, err
}

func (w *walker) call(j *job, f File) {
	if w.ctx.Err() != nil {
		return
	}
	j.app.mu.Lock()
	j.app.visited++
	j.app.mu.Unlock()
	if err := w.visit(f); err != nil {
		w.cancel(err)
	}
}

// watched makes a failure of what goes wrong while a visitor reads a long file.
type watched struct {
	io.ReadCloser
	w      *walker
	j      *job
	failed bool
}

func (r *watched) Read(b []byte) (int, error) {
	if err := r.w.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.ReadCloser.Read(b)
	if err != nil && err != io.EOF && !r.failed {
		r.failed = true
		r.w.fail(r.j, reason(err))
	}
	return n, err
}

// fail records that a file could not be read.
func (w *walker) fail(j *job, err error) {
	if j.root {
		w.failAt(j.app, "", err)
		return
	}
	w.failAt(j.app, j.path, err)
}

// failAt records a failure of a path in an app, "" for itself. Those that follow from the
// end of the walk are none.
func (w *walker) failAt(app *opening, path string, err error) {
	if w.ctx.Err() != nil || errors.Is(err, errCharged) {
		return
	}
	full := app.path
	if path != "" && path != "." {
		full = inside(app.path, app.folder, path)
	}
	app.mu.Lock()
	app.failed++
	listed := app.failed <= maxFailures
	app.mu.Unlock()
	if !listed {
		return
	}
	w.mu.Lock()
	w.failures = append(w.failures, Failure{Path: full, Err: err})
	w.mu.Unlock()
}

func (a *opening) setKind(kind string) {
	a.mu.Lock()
	a.kind = kind
	a.mu.Unlock()
}

// What an archive can make us say of it is bounded.
const (
	maxNotes    = 20
	maxFailures = 10_000
)

func (a *opening) note(path, what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch note := plain.Text(path) + ": " + what; {
	case len(a.notes) < maxNotes:
		a.notes = append(a.notes, note)
	case len(a.notes) == maxNotes:
		a.notes = append(a.notes, "more is odd about it than is listed")
	}
}

// reason is an error without the path, which a Failure has already, in harmless text.
func reason(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return fmt.Errorf("%s: %w", path.Op, path.Err)
	}
	return err
}

func notRegular(mode fs.FileMode) error {
	what := "no regular file"
	switch {
	case mode&fs.ModeNamedPipe != 0:
		what = "a named pipe"
	case mode&fs.ModeSocket != 0:
		what = "a socket"
	case mode&fs.ModeDevice != 0:
		what = "a device"
	}
	return fmt.Errorf("not opened: it is %s", what)
}

// buffered are readers of packed bytes, used again and again.
var buffered = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 64<<10) }}
