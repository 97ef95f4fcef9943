package capture

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"telltale/coverage"
	"telltale/flow"
	"telltale/policy"
)

// Options say how a store works. The zero value records without judging.
type Options struct {
	Judge policy.Judge     // nil leaves every flow unjudged
	Now   func() time.Time // clock of sessions, phases and notes; nil is time.Now
	Log   *slog.Logger     // trouble in the tool; nil discards
	// Expires is when [Purge] may remove a capture that is made; zero keeps it
	// for good. It does not change the expiry of a capture that exists.
	Expires time.Time
	// Foreign says that the flows were recorded elsewhere: when the store had them says nothing
	// of when it could have seen others, and its [Story] is silent about that.
	Foreign bool
	// QueueBytes bounds the memory of flows that wait for the disk, 0 is 16 MiB with a file and 4 MiB without.
	QueueBytes int64
	// Progress, when it is set, is told how many of the flows in the file were
	// read and judged while a capture is opened.
	Progress func(done, total int)
	// Tell makes the document of an event of a violation, nil for no event; a nil function:
	// nobody is to be told of any. It is called by the goroutine that writes: it must not
	// take long, and not wait for the store.
	Tell func(Occurrence) []byte
	// KeepBodies says whether the contents of a flow's bodies and frames are kept, once it
	// was searched and judged; nil keeps all. It is asked of each state: bodies are written
	// with the last one alone, frames with the state that they came with.
	KeepBodies func(*flow.Flow, policy.Judgement) bool
	// Leaks returns which never-send values stand in a flow. With KeepBodies, what it says
	// of violations is kept in the place of their contents.
	Leaks func(*flow.Flow) []flow.Leak

	// Seal signs a session: what it makes of the chain when the session ends is kept in the
	// capture beside it. nil, or a nil document, leaves the session unsigned. It is called by
	// the goroutine that writes: it may ask for a Summary, and must not wait for the store.
	Seal func(Chain) []byte

	maxPages int // of the file, to fill a disk in tests; 0 is no limit
}

// Bounds of the queue. Without a file there is no disk to wait for.
const (
	queueBytes       = 16 << 20
	memoryQueueBytes = 4 << 20
	queueItems       = 8192
)

// A Store takes flows and answers what is known of them. All methods may be
// called from any goroutine.
type Store struct {
	opts    Options
	path    string   // "" when nothing is kept
	readers *readers // nil when nothing is kept
	lock    *fileLock
	queue   *queue // nil when the store only reads
	worker  *worker
	lastID  atomic.Int64
	phase   atomic.Pointer[phase]
	idle    atomic.Bool
	names   atomic.Pointer[deviceNames]
	naming  sync.Mutex // held while a name is changed
	verdict *judgements
	events  outbox
	auditID string
	toldOf  map[string]int // of each violation that was told of before: as in teller

	marking sync.Mutex // held while a phase begins: guards marks
	marks   marks

	rejudging sync.Mutex      // held while a policy is replaced
	closing   context.Context // done when Close begins
	close     context.CancelFunc

	mu        sync.Mutex // guards what follows
	totals    *totals
	open      map[flow.ID]openFlow // added to the totals at each summary
	summary   *Summary             // of this moment; nil when it was not asked for since the last change
	notes     []string             // never changed in place: summaries share them
	err       error
	annotated annotated
	ledgers   map[string]coverage.Ledger // of this session, by mode
	switches  []Switch                   // of all sessions; only appended to
	periods   map[string][]Period        // of those, by experiment; nil when they have changed. Never changed: summaries share it
	wakes     map[chan struct{}]struct{}
	closed    bool

	pastLedgers map[string]coverage.Ledger // of the sessions before; not changed after the file was opened
}

// openFlow is what a summary needs of a flow that is under way.
type openFlow struct {
	flow      *flow.Flow
	judgement policy.Judgement
}

func newStore(path string, opts Options) *Store {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.QueueBytes <= 0 {
		opts.QueueBytes = queueBytes
		if path == "" {
			opts.QueueBytes = memoryQueueBytes
		}
	}
	s := &Store{
		opts: opts, path: path, totals: newTotals(), open: map[flow.ID]openFlow{},
		wakes: map[chan struct{}]struct{}{}, verdict: newJudgements(opts.Judge),
	}
	s.closing, s.close = context.WithCancel(context.Background())
	s.phase.Store(&phase{since: s.moment()})
	s.names.Store(&deviceNames{})
	return s
}

// New returns a store that keeps totals and no flows. Close ends its worker.
func New(opts Options) *Store {
	s := newStore("", opts)
	s.auditID, s.toldOf = newAuditID(), map[string]int{}
	s.start(nil, nil)
	return s
}

// Create opens a capture for writing, makes it when there is none, and starts a
// session: IDs and totals continue where an earlier session stopped. It fails
// with a [LockedError] while another process records into it and with a
// [FileError] when the file is no capture, damaged or of a newer version.
func Create(path string, opts Options) (*Store, error) {
	s := newStore(path, opts)
	lock, err := acquire(path)
	if err != nil {
		return nil, fmt.Errorf("open capture: %w", err)
	}
	s.lock = lock
	w, err := s.openForWriting()
	if err != nil {
		if w != nil {
			_ = w.close()
		}
		_ = s.closeFiles()
		return nil, fmt.Errorf("open capture: %w", err)
	}
	return s, nil
}

func (s *Store) openForWriting() (*writer, error) {
	if err := makeFile(s.path); err != nil {
		return nil, err
	}
	w, version, err := openToWrite(s.path)
	if err != nil {
		return nil, err
	}
	if s.opts.maxPages > 0 {
		if err := w.conn.run(fmt.Sprintf("PRAGMA max_page_count = %d", s.opts.maxPages)); err != nil {
			return w, err
		}
	}
	if s.readers, err = openReaders(s.path); err != nil {
		return w, err
	}
	if err := s.load(context.Background()); err != nil {
		return w, err
	}
	if err := s.resumeEvents(w.conn); err != nil {
		return w, classify(s.path, err)
	}
	w.chain.now, w.chain.seal = s.opts.Now, s.opts.Seal
	session, err := w.startSession(s.opts.Now(), s.opts.Expires, version == 0)
	if err != nil {
		return w, err
	}
	if s.auditID, err = w.audit(s.auditID); err != nil {
		return w, classify(s.path, err)
	}
	index, err := newIndexer(w)
	if err != nil {
		return w, err
	}
	w.session = session
	s.start(w, index)
	return w, nil
}

// openToWrite opens a file that exists and brings it up to date; version is the one that
// it had.
func openToWrite(path string) (w *writer, version int, err error) {
	if version, err = fileVersion(path); err != nil {
		return nil, 0, err
	}
	c, err := openWriter(path)
	if err != nil {
		return nil, 0, err
	}
	if version < schemaVersion {
		err = classify(path, migrate(c, version))
	}
	if err == nil {
		w, err = newWriter(path, c)
	}
	if err != nil {
		c.Close()
		return nil, 0, err
	}
	return w, version, nil
}

// fileVersion looks at a file without changing it: a database of another program
// must stay as it is.
func fileVersion(path string) (int, error) {
	if info, err := os.Stat(path); err != nil {
		return 0, err
	} else if info.Size() == 0 {
		return 0, nil
	}
	dsn, err := dataSource(path, "mode", "ro", "_pragma", "busy_timeout(5000)")
	if err != nil {
		return 0, err
	}
	c, err := openConn(dsn)
	if err != nil {
		return 0, classify(path, err)
	}
	defer c.Close()
	return checkHeader(c, path)
}

// Open opens a capture for reading, also one that is being recorded. With a
// Judge in its options it reads and judges every flow for the summary, and fails
// when one of them cannot be read: a damaged capture has no verdict.
func Open(path string, opts Options) (*Store, error) {
	return OpenContext(context.Background(), path, opts)
}

// OpenContext is Open, given up when ctx is done before all is judged.
func OpenContext(ctx context.Context, path string, opts Options) (*Store, error) {
	s := newStore(path, opts)
	if err := s.openForReading(ctx); err != nil {
		_ = s.closeFiles()
		return nil, fmt.Errorf("open capture: %w", err)
	}
	return s, nil
}

func (s *Store) openForReading(ctx context.Context) error {
	err := checkCapture(s.path)
	if err != nil {
		return err
	}
	if s.readers, err = openReaders(s.path); err != nil {
		return err
	}
	if err := s.checkReadable(); err != nil {
		return err
	}
	s.events.filed = math.MaxInt64
	return s.load(ctx)
}

// checkCapture fails for what cannot be a capture at all.
func checkCapture(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return &FileError{File: path, Problem: "is a folder", Expected: "a telltale capture"}
	case info.Size() == 0:
		return &FileError{File: path, Problem: "is empty", Expected: "a telltale capture"}
	}
	return nil
}

// start begins the worker.
func (s *Store) start(w *writer, index *indexer) {
	s.queue = newQueue(queueItems, s.opts.QueueBytes)
	s.worker = newWorker(s, w, index)
	go s.worker.run()
}

// NextID returns an ID for a flow that starts now.
func (s *Store) NextID() flow.ID { return flow.ID(s.lastID.Add(1)) }

// LastID returns the highest ID of all flows: of those in the file when it was
// opened, and of those that were observed or promised an ID since.
func (s *Store) LastID() flow.ID { return flow.ID(s.lastID.Load()) }

// Observe takes one state of a flow: when it opens, when it is answered and when
// it ends. The newest state replaces the former; what comes after the end is
// ignored. It returns at once, except while the disk cannot keep up. A flow
// without an ID gets one. On a closed store, or one that only reads, it does nothing.
func (s *Store) Observe(f *flow.Flow) {
	if s.queue == nil {
		return
	}
	if f.ID <= 0 {
		c := *f
		c.ID = s.NextID()
		f = &c
	}
	for last := s.lastID.Load(); last < int64(f.ID) && !s.lastID.CompareAndSwap(last, int64(f.ID)); {
		last = s.lastID.Load()
	}
	name := f.Phase
	if name == "" {
		name = s.phase.Load().of(f.Times.Start)
	}
	s.queue.put(observation{flow: f, phase: name, size: flowSize(f)})
}

// Sync returns when everything observed before is judged, counted and, where
// there is a file, on disk. Its error is that of Err.
func (s *Store) Sync() error {
	if s.worker == nil {
		return s.Err()
	}
	return s.worker.do(func() error { return s.Err() })
}

// Err returns the first trouble with the file, nil when there was none. After
// it no more flows are written; totals go on.
func (s *Store) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Close writes what was observed, ends the session and closes the file. Flows
// that are still open stay so in the file. It returns what Err does.
func (s *Store) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return s.Err()
	}
	s.close()
	s.rejudging.Lock()
	defer s.rejudging.Unlock()
	if s.worker != nil {
		s.worker.stop()
	}
	return errors.Join(s.Err(), s.closeFiles())
}

// closeFiles closes what is open, readers first: only the last connection can
// do away with the write-ahead log.
func (s *Store) closeFiles() error {
	var err error
	if s.readers != nil {
		err = s.readers.pool.Close()
	}
	if s.worker != nil {
		err = errors.Join(err, s.worker.close())
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.release())
	}
	return err
}

// Summary returns the totals of this moment. It costs next to nothing while
// nothing changes, and otherwise grows with hosts, violations and open flows.
func (s *Store) Summary() Summary {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.summary != nil {
		return *s.summary
	}
	t := s.totals
	if len(s.open) > 0 {
		t = s.totals.over()
		for _, o := range s.open {
			t.add(o.flow, o.judgement)
		}
	}
	sum := t.summary(s.nameOf)
	sum.Health.Notes = append(slices.Clip(s.notes), sum.Health.Notes...)
	sum.Health.Ledgers = s.ledgersLocked()
	if s.periods == nil && s.switches != nil {
		s.periods = periodsOf(s.switches)
	}
	sum.Experiments = experimentRows(t.experiments, s.periods)
	s.annotated.annotate(&sum)
	s.summary = &sum
	return sum
}

// Wake returns a channel that holds a token whenever something changed since the
// last token was taken, and a function that ends it. A slow reader misses
// tokens, never the news.
func (s *Store) Wake() (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1)
	s.mu.Lock()
	s.wakes[ch] = struct{}{}
	s.mu.Unlock()
	return ch, func() {
		s.mu.Lock()
		delete(s.wakes, ch)
		s.mu.Unlock()
	}
}

// changedLocked tells every reader that there is news.
func (s *Store) changedLocked() {
	s.summary = nil
	for ch := range s.wakes {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// Note adds a sentence to Health.Notes, once.
func (s *Store) Note(sentence string) {
	if !s.note(sentence) || s.worker == nil {
		return
	}
	s.worker.tell(func(w *writer) error { return w.note(s.opts.Now(), sentence) })
}

func (s *Store) note(sentence string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sentence == "" || slices.Contains(s.notes, sentence) {
		return false
	}
	s.notes = append(s.notes, sentence)
	s.changedLocked()
	return true
}

// fail notes the first trouble with the file.
func (s *Store) fail(err error) {
	s.mu.Lock()
	first := s.err == nil
	if first {
		s.err = err
	}
	s.mu.Unlock()
	if first {
		s.opts.Log.Error("recording stopped", "file", s.path, "error", err)
		s.note(fmt.Sprintf("recording to the file stopped: %v; the totals go on, but flows after this are not kept", err))
	}
}

// SetExpiry says when [Purge] may remove the capture; the zero time keeps it.
func (s *Store) SetExpiry(at time.Time) error {
	if s.worker == nil || s.path == "" {
		return errors.New("set expiry: the capture is not open for writing")
	}
	return s.worker.doWriting(func(w *writer) error { return w.setExpiry(at) })
}
