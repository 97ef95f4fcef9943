package redact

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/plain"
)

// An ExistsError says that the file of a copy exists already.
type ExistsError struct{ File string }

// Error names the file.
func (e *ExistsError) Error() string { return e.File + " exists already" }

// Hint says what to do.
func (e *ExistsError) Hint() string { return "name a file that does not exist, or remove it first" }

// Is reports that the file exists, as [fs.ErrExist].
func (e *ExistsError) Is(target error) bool { return target == fs.ErrExist }

// Capture writes a copy of a capture that is safe to hand over to a new file, which its owner
// alone can read. It keeps the flows with their IDs, phases, the books of the ways in, notes,
// annotations, the experiments that were in force and, masked, the names of devices; it has no digest of anything that was
// taken out, and no events. The copy is of what the capture holds at the start; the capture
// itself is not changed. Flows are read twice: first to learn their values, so that each is
// found in all places.
//
// Progress, which may be nil, is told how many of all readings are done. The error is an
// [*ExistsError] where there is a file already. When it fails, there is none.
func Capture(ctx context.Context, from *capture.Store, to string, r *Redactor, progress func(done, total int)) (Report, error) {
	if progress == nil {
		progress = func(int, int) {}
	}
	c := copying{from: from, redactor: r, last: from.LastID(), progress: progress}
	if err := c.all(ctx, to); err != nil {
		return Report{}, fmt.Errorf("redact capture: %w", err)
	}
	report := r.Report()
	report.Flows = c.flows
	return report, nil
}

// copying is one copy under way.
type copying struct {
	from     *capture.Store
	redactor *Redactor
	last     flow.ID // of the flows that are copied
	flows    int
	done     int
	progress func(done, total int)
}

func (c *copying) all(ctx context.Context, to string) (err error) {
	story, err := c.from.Story(ctx)
	if err != nil {
		return err
	}
	if err := reserve(to); err != nil {
		return err
	}
	made := false
	defer func() {
		if err == nil {
			return
		}
		if made {
			err = errors.Join(err, ignoreMissing(capture.Remove(to)))
		} else {
			err = errors.Join(err, ignoreMissing(os.Remove(to)))
		}
	}()
	if err := c.each(ctx, func(f *flow.Flow) *flow.Flow { c.redactor.Learn(f); return nil }, func(*flow.Flow) error { return nil }); err != nil {
		return err
	}
	var now atomic.Int64 // the copy lives in the time of the original
	now.Store(story.Started.UnixMicro())
	clock := func() time.Time { return time.UnixMicro(now.Load()).UTC() }
	copied, err := capture.Create(to, capture.Options{Now: clock})
	if err != nil {
		return err
	}
	made = true
	c.flows = 0
	err = c.each(ctx, c.redactor.Flow, func(f *flow.Flow) error {
		c.flows++
		copied.Observe(f)
		return copied.Err()
	})
	if err == nil {
		err = c.beside(copied, story)
	}
	now.Store(story.Started.Add(story.Watched).UnixMicro())
	return errors.Join(err, copied.Close())
}

// reserve makes the file, so that nobody else does meanwhile.
func reserve(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return &ExistsError{path}
	}
	if err != nil {
		return err
	}
	return f.Close()
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// beside writes what the capture keeps beside its flows.
func (c *copying) beside(to *capture.Store, story capture.Story) error {
	if story.Idle {
		if err := to.SetIdle(); err != nil {
			return err
		}
	}
	m := c.redactor.masker(&flow.Flow{})
	if err := c.marks(m, to, story); err != nil {
		return err
	}
	for _, note := range story.Notes {
		to.Note(m.words(note))
	}
	to.Note("This is a redacted copy: values are masked, and contents that could not be checked are left out.")
	for _, l := range story.Ledgers {
		to.SetLedger(l)
	}
	for addr, name := range story.Names {
		masked := plain.Name(c.redactor.DeviceName(name, addr), capture.MaxDeviceName)
		if err := to.NameDevice(c.redactor.Address(addr), masked); err != nil {
			return err
		}
	}
	for _, a := range story.Annotations {
		a.Text, a.Author = m.words(a.Text), m.words(a.Author)
		a.Text = a.Text[:min(len(a.Text), capture.MaxAnnotationText)]
		if err := to.Annotate(a); err != nil {
			return err
		}
	}
	return to.Sync()
}

// marks writes the phases, and the experiments that were in force.
func (c *copying) marks(m *masker, to *capture.Store, story capture.Story) error {
	var marks []capture.PhaseMark
	for _, mark := range story.Marks {
		if !story.Idle || mark.Name != capture.IdlePhase { // which has its mark
			marks = append(marks, capture.PhaseMark{Time: mark.Time, Name: m.words(mark.Name)})
		}
	}
	var switches []capture.Switch
	for _, s := range story.Switches {
		switches = append(switches, capture.Switch{Time: s.Time, Active: m.names(s.Active)})
	}
	return to.CopyMarks(marks, switches)
}

// each reads every flow with its contents, makes something of them on all cores, and calls
// then with it, in order.
func (c *copying) each(ctx context.Context, of func(*flow.Flow) *flow.Flow, then func(*flow.Flow) error) error {
	return c.from.Scan(ctx, capture.ScanOptions{Headers: true, Bodies: true}, func(batch []capture.Recorded) error {
		whole := make([]*flow.Flow, 0, len(batch))
		for _, recorded := range batch {
			if recorded.Flow.ID > c.last {
				continue
			}
			f, err := c.whole(ctx, recorded.Flow)
			if err != nil {
				return err
			}
			whole = append(whole, f)
		}
		parallel(len(whole), func(i int) { whole[i] = of(whole[i]) })
		for _, f := range whole {
			if err := then(f); err != nil {
				return err
			}
		}
		c.done += len(whole)
		c.progress(c.done, 2*int(c.last))
		return ctx.Err()
	})
}

// framePage is how many messages of a WebSocket one look at the capture fetches, and how
// many a scan has loaded already.
const framePage = 1000

// whole returns a flow with all of its messages.
func (c *copying) whole(ctx context.Context, f *flow.Flow) (*flow.Flow, error) {
	if f.Kind != flow.WebSocket || len(f.Frames) > 0 && len(f.Frames) < framePage {
		return f, nil
	}
	all := *f
	all.Frames = nil
	for {
		page, err := c.from.Frames(ctx, f.ID, len(all.Frames), framePage)
		all.Frames = append(all.Frames, page...)
		if err != nil || len(page) < framePage {
			return &all, err
		}
	}
}

// parallel calls do for each index on all cores.
func parallel(n int, do func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		wg.Go(func() {
			for i := next.Add(1) - 1; int(i) < n; i = next.Add(1) - 1 {
				do(int(i))
			}
		})
	}
	wg.Wait()
}
