package capture

import (
	"context"
	"errors"
	"time"
)

// IdlePhase is the name of the phase of flows that were recorded while the app under
// audit was closed, see [Store.SetIdle].
const IdlePhase = "idle"

// idleTag is the key in meta.
const idleTag = "idle"

// Idle reports whether the capture is an idle baseline: what a device does while the app
// under audit is closed.
func (s *Store) Idle() bool { return s.idle.Load() }

// SetIdle marks the capture as an idle baseline and starts the phase [IdlePhase]. The
// store must have been made by [Create].
func (s *Store) SetIdle() error {
	if s.worker == nil || s.path == "" {
		return errors.New("mark as idle baseline: the capture is not open for writing")
	}
	if err := s.worker.doWriting(func(w *writer) error { return w.insertTag.exec(idleTag, int64(1)) }); err != nil {
		return err
	}
	s.idle.Store(true)
	s.Mark(IdlePhase)
	return nil
}

// Watched returns for how long recorders had the capture open: the time in which what is
// not there did not happen. Of a recorder that was killed, and of one that is at it, the
// time up to its newest flow counts.
func (s *Store) Watched(ctx context.Context) (time.Duration, error) {
	var micros int64
	err := s.read(ctx, func(c *conn) (err error) {
		micros, err = c.integer("SELECT sum(max(0, coalesce(s.ended, (SELECT max(coalesce(f.ended, f.started)) FROM flows f), s.started) - s.started)) FROM sessions s")
		return err
	})
	return time.Duration(micros) * time.Microsecond, err
}
