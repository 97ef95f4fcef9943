package capture

import (
	"context"
	"errors"
	"strconv"
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
	if s.Switches() != nil {
		return errors.New("mark as idle baseline: experiments alter what the device does")
	}
	if err := s.worker.doWriting(func(w *writer) error { return w.insertTag.exec(idleTag, int64(1)) }); err != nil {
		return err
	}
	s.idle.Store(true)
	s.Mark(IdlePhase)
	return nil
}

// Watched returns for how long recorders had the capture open: the time in which what is
// not there did not happen. It is now that a recording ends which this store makes. Of a
// recorder that was killed, and of another one that is at it, the time up to its newest
// flow counts. The time between two recordings never does.
func (s *Store) Watched(ctx context.Context) (time.Duration, error) {
	var micros int64
	recording := "NULL" // the end of the last session
	if s.worker != nil {
		recording = strconv.FormatInt(s.opts.Now().UnixMicro(), 10)
	}
	err := s.read(ctx, func(c *conn) (err error) {
		micros, err = c.integer(`WITH spans AS (SELECT id, started, ended, lead(started) OVER (ORDER BY id) AS next FROM sessions)
			SELECT sum(max(0, coalesce(
				ended,
				CASE WHEN next IS NULL THEN ` + recording + ` END,
				(SELECT max(coalesce(f.ended, f.started)) FROM flows AS f WHERE f.started >= spans.started AND f.started < coalesce(next, 9e18)),
				started) - started)) FROM spans`)
		return err
	})
	return time.Duration(micros) * time.Microsecond, err
}
