package intake

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"

	"telltale/capture"
	"telltale/flow"
)

// stored reads a capture of telltale.
func (r *reading) stored(in input, size int64) Info {
	info := Info{File: in.name, Producer: "telltale"}
	store, err := capture.Open(in.path, capture.Options{})
	if err != nil {
		info.Err = err
		return info
	}
	defer store.Close()
	if capture.Recording(in.path) {
		info.Notes = append(info.Notes, "It is still being recorded: what comes from now on is not in this verdict.")
	}
	sum := store.Summary()
	info.Ledgers, info.Annotations, info.Experiments = sum.Health.Ledgers, store.Annotations(), sum.Experiments
	if info.Watched, err = store.Watched(r.ctx); err != nil {
		info.Err = err
		return info
	}
	last, passed := store.LastID(), int64(0)
	each := func(f *flow.Flow) error {
		info.Entries++
		now := int64(float64(size) * float64(f.ID) / float64(last))
		r.set.done.Add(now - passed)
		passed = now
		seen := *f
		seen.Origin = flow.Origin{Capture: in.name, Entry: int(f.ID)}
		return r.deliver(&seen)
	}
	if r.opts.Bodies || r.opts.Sent {
		info.Err = EachWhole(r.ctx, store, each)
	} else {
		info.Err = store.Scan(r.ctx, capture.ScanOptions{Headers: true}, func(batch []capture.Recorded) error {
			for _, recorded := range batch {
				f := recorded.Flow
				if r.opts.Examine && f.Examined == 0 {
					var err error
					if f, err = withSent(r.ctx, store, f); err != nil {
						return err
					}
				}
				if err := each(f); err != nil {
					return err
				}
			}
			return nil
		})
	}
	info.Flows, info.Modes = info.Entries, r.modes
	if info.Watched == 0 {
		info.Watched = r.span.length()
	}
	info.SHA256 = fileDigest(in.path)
	return info
}

// EachWhole calls visit with every flow of a capture, with what is kept apart from
// it: the contents of its bodies, and all messages of a WebSocket.
func EachWhole(ctx context.Context, store *capture.Store, visit func(*flow.Flow) error) error {
	return store.All(ctx, func(f *flow.Flow) error {
		if f.Kind == flow.WebSocket {
			frames, err := allFrames(ctx, store, f.ID)
			if err != nil {
				return err
			}
			whole := *f
			whole.Frames, f = frames, &whole
		}
		return visit(f)
	})
}

// withSent returns a flow of a capture, read without its contents, with the contents of
// what the device sent.
func withSent(ctx context.Context, store *capture.Store, f *flow.Flow) (*flow.Flow, error) {
	whole := *f
	if f.Request != nil && f.Request.Body.Digest != "" {
		content, err := store.Content(ctx, f.Request.Body)
		if err != nil {
			return nil, err
		}
		request := *f.Request
		request.Body.Content = content
		whole.Request = &request
	}
	if f.Kind == flow.WebSocket {
		frames, err := allFrames(ctx, store, f.ID)
		if err != nil {
			return nil, err
		}
		whole.Frames = frames
	}
	return &whole, nil
}

// framePage is how many WebSocket messages one look at the capture fetches.
const framePage = 1000

func allFrames(ctx context.Context, store *capture.Store, id flow.ID) ([]flow.Frame, error) {
	var all []flow.Frame
	for {
		page, err := store.Frames(ctx, id, len(all), framePage)
		all = append(all, page...)
		if err != nil || len(page) < framePage {
			return all, err
		}
	}
}

// IsStored reports whether a file is a capture of telltale, which can be opened as
// it is.
func IsStored(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.IsDir() {
		return false, err
	}
	head := make([]byte, len(sqliteMagic))
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return false, err
	}
	return bytes.Equal(head[:n], sqliteMagic), nil
}
