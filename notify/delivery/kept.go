package delivery

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"telltale/notify/outbox"
)

// kept is where messages are: in the outbox, and, from when that fails until it works
// again, in another one in memory.
type kept struct {
	file *outbox.Outbox // nil: cannot be opened
	now  func() time.Time
	log  *slog.Logger

	mutex   sync.Mutex
	spare   *outbox.Outbox   // nil: not needed
	problem error            // why there is a spare one
	retired []*outbox.Outbox // spare ones that are needed no more; somebody may be looking still

	// Where the source stands in the file, and where it would without the trouble.
	audit, path string
	registered  bool
	atFile, seq int64
}

func openKept(path string, clock Clock, log *slog.Logger) *kept {
	k := &kept{now: clock.Now, log: log}
	file, err := outbox.Open(path, outbox.Options{Now: clock.Now})
	if err == nil {
		k.file = file
		return k
	}
	k.resort(err)
	return k
}

// resort goes on in memory.
func (k *kept) resort(problem error) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if k.spare != nil {
		return
	}
	k.problem = problem
	spare, err := outbox.Memory(outbox.Options{Now: k.now})
	if err != nil {
		k.problem = errors.Join(problem, err)
		k.log.Error("messages cannot be kept", "error", k.problem)
		return
	}
	k.spare = spare
	k.log.Warn("messages are kept in memory alone until the outbox works again", "error", problem)
}

// boxes returns the outboxes that may have messages.
func (k *kept) boxes() []*outbox.Outbox {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	var boxes []*outbox.Outbox
	if k.file != nil {
		boxes = append(boxes, k.file)
	}
	if k.spare != nil {
		boxes = append(boxes, k.spare)
	}
	return boxes
}

func (k *kept) inMemory() *outbox.Outbox {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	return k.spare
}

// trouble says what is wrong with the outbox.
func (k *kept) trouble() string {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if k.problem == nil {
		return ""
	}
	return fmt.Sprintf("messages are kept in memory alone: %v", k.problem)
}

// register notes the audit that is being recorded and returns where it stands.
func (k *kept) register(audit, path string) int64 {
	k.audit, k.path = audit, path
	if k.file == nil {
		return 0
	}
	seq, err := k.file.Register(audit, path)
	k.registered = err == nil
	if err != nil {
		k.resort(err)
		if seq, err = k.file.Taken(audit); err != nil {
			return 0
		}
	}
	k.atFile, k.seq = seq, seq
	return seq
}

// take keeps what events of the audit became. Where the file fails, memory has to do.
func (k *kept) take(t outbox.Taking) error {
	if k.file == nil || !k.home(false) {
		return k.takeAside(t)
	}
	err := k.file.Take(t)
	switch {
	case err == nil:
		k.atFile, k.seq = t.To, t.To
		return nil
	case errors.Is(err, outbox.ErrTaken):
		return err
	}
	k.resort(err)
	return k.takeAside(t)
}

func (k *kept) takeAside(t outbox.Taking) error {
	spare := k.inMemory()
	if spare == nil {
		return k.problem
	}
	if err := spare.Add(t.Drafts, t.Escalations); err != nil {
		return err
	}
	k.seq = t.To
	return nil
}

// home goes back to the file if that works again. While messages wait in memory they stay
// there, unless the end has come and they have to move.
func (k *kept) home(end bool) bool {
	spare := k.inMemory()
	if spare == nil {
		return true
	}
	drafts, escalations, waiting, err := spare.Rest()
	if err != nil || k.file == nil || waiting > 0 && !end {
		return false
	}
	if !k.registered {
		if k.atFile, err = k.file.Register(k.audit, k.path); err != nil {
			return false
		}
		k.registered = true
	}
	taking := outbox.Taking{Audit: k.audit, From: k.atFile, To: k.seq, Drafts: drafts, Escalations: escalations}
	err = k.file.Take(taking)
	if err != nil && k.file.DropBallast() {
		err = k.file.Take(taking)
	}
	if err != nil {
		k.log.Debug("the outbox still fails", "error", err)
		return false
	}
	k.atFile = k.seq
	k.mutex.Lock()
	k.spare, k.problem, k.retired = nil, nil, append(k.retired, spare)
	k.mutex.Unlock()
	k.log.Info("the outbox works again")
	return true
}

// finish notes that the audit has no more events.
func (k *kept) finish() error {
	if k.file == nil || k.inMemory() != nil {
		return nil
	}
	return k.file.Finish(k.audit)
}

func (k *kept) counts() ([]outbox.Counts, error) {
	var all []outbox.Counts
	for _, box := range k.boxes() {
		counts, err := box.Counts()
		if err != nil {
			return nil, err
		}
		all = append(all, counts...)
	}
	return all, nil
}

// close moves what is left in memory to the file, or says how much of it is lost, and what
// will be told again because that it was told could not be noted.
func (k *kept) close() (lost int, err error) {
	if spare := k.inMemory(); spare != nil && !k.home(true) {
		_, _, waiting, failed := spare.Rest()
		if lost = waiting; waiting > 0 || failed != nil {
			err = fmt.Errorf("%d messages are not delivered and could not be kept: %w", waiting, errors.Join(k.problem, failed))
			k.log.Error("messages are lost", "messages", waiting, "error", k.problem)
		}
		if k.registered && k.seq > k.atFile {
			err = errors.Join(err, fmt.Errorf("what was told could not be noted, so that %d events are told again at the next start: %w", k.seq-k.atFile, k.problem))
		}
		err = errors.Join(err, spare.Close())
	}
	for _, box := range k.retired {
		err = errors.Join(err, box.Close())
	}
	if k.file == nil {
		return lost, err
	}
	return lost, errors.Join(err, k.file.Close())
}
