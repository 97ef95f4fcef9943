package capture

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// An Annotation is what a person, or a program of the user's, said of a violation.
type Annotation struct {
	Time      time.Time // zero, when it is given to a store, is now
	Violation string    // its ID
	Kind      AnnotationKind
	Author    string // "screen", "command line", "link", or the policy's line of a program; as [AuthorOf] cuts it
	Text      string
	Until     time.Time // of Excused
}

// AnnotationKind says what an annotation is.
type AnnotationKind string

// The kinds of annotations.
const (
	Remark       AnnotationKind = "remark"
	Acknowledged AnnotationKind = "acknowledged" // somebody knows of it; it counts all the same
	Excused      AnnotationKind = "excused"      // a program waived it, until a time
)

// Limits of annotations. The text is bytes.
const (
	MaxAnnotations     = 10_000 // of a capture
	MaxAnnotationsEach = 100    // of one violation that a summary lists: the newest
	MaxAnnotationText  = 8 << 10
	maxAnnotationName  = 256 // bytes of an ID or an author
)

// annotated are the annotations of a capture in their order, and by violation. They are
// never changed in place.
type annotated struct {
	all []Annotation
	of  map[string][]Annotation
}

// check fails for what is no annotation.
func (a Annotation) check() error {
	switch {
	case a.Violation == "":
		return errors.New("it names no violation")
	case len(a.Violation) > maxAnnotationName || len(a.Author) > maxAnnotationName:
		return fmt.Errorf("its violation or its author has more than %d bytes", maxAnnotationName)
	case len(a.Text) > MaxAnnotationText:
		return fmt.Errorf("its text has %d bytes: at most %d are kept", len(a.Text), MaxAnnotationText)
	case !utf8.ValidString(a.Violation + a.Author + a.Text):
		return errors.New("its text is not UTF-8")
	case a.Kind != Remark && a.Kind != Acknowledged && a.Kind != Excused:
		return fmt.Errorf("its kind is %q: expected %s, %s or %s", a.Kind, Remark, Acknowledged, Excused)
	case (a.Kind == Excused) == a.Until.IsZero():
		return fmt.Errorf("an end belongs to the kind %s, and to no other", Excused)
	}
	return nil
}

// AuthorOf returns a name as annotations have it for an author: cut where it is longer than
// is kept.
func AuthorOf(name string) string {
	if len(name) <= maxAnnotationName {
		return name
	}
	return strings.ToValidUTF8(name[:maxAnnotationName], "")
}

// stamped returns the annotation with its times as the file keeps them.
func (a Annotation) stamped(now time.Time) Annotation {
	a.Time = cmp.Or(a.Time, now).UTC().Truncate(time.Microsecond)
	if !a.Until.IsZero() {
		a.Until = a.Until.UTC().Truncate(time.Microsecond)
	}
	return a
}

// says reports whether both say the same, perhaps not at the same time.
func (a Annotation) says(b Annotation) bool {
	a.Time = b.Time
	return a == b
}

// Annotate keeps what somebody said of a violation. What was said already, in the same
// words by the same author, is not kept twice. It is known from then on; the error is that
// of the file, which then lacks it, or [ErrReadOnly] for a capture that was opened for
// reading. It waits for the disk.
func (s *Store) Annotate(a Annotation) error {
	if s.worker == nil {
		return fmt.Errorf("annotate a violation: %w", ErrReadOnly)
	}
	a.Author = AuthorOf(a.Author)
	if err := a.check(); err != nil {
		return fmt.Errorf("annotate a violation: %w", err)
	}
	a = a.stamped(s.opts.Now())
	s.mu.Lock()
	news, err := s.annotated.add(a)
	if news {
		s.changedLocked()
	}
	s.mu.Unlock()
	if news && s.path != "" {
		err = s.worker.doWriting(func(w *writer) error { return w.annotation(a) })
	}
	if err != nil {
		return fmt.Errorf("annotate a violation: %w", err)
	}
	return nil
}

// add adds an annotation; news is false where it was there already.
func (l *annotated) add(a Annotation) (news bool, err error) {
	of := l.of[a.Violation]
	switch {
	case slices.ContainsFunc(of, a.says):
		return false, nil
	case len(l.all) >= MaxAnnotations:
		return false, fmt.Errorf("the capture has %d annotations already", len(l.all))
	}
	if l.of == nil {
		l.of = map[string][]Annotation{}
	}
	if len(of) >= MaxAnnotationsEach {
		of = of[1:]
	}
	l.of[a.Violation] = append(slices.Clip(of), a)
	l.all = append(l.all, a)
	return true, nil
}

// Annotations returns what was said of violations, oldest first. The slice is not to be
// changed.
func (s *Store) Annotations() []Annotation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clip(s.annotated.all)
}

// annotate puts into a summary what was said of its violations.
func (l *annotated) annotate(sum *Summary) {
	if len(l.all) == 0 {
		return
	}
	for _, rows := range [][]Violation{sum.Violations, sum.Waivers} {
		for i := range rows {
			rows[i].Annotations = l.of[rows[i].ID]
		}
	}
}

// Annotate keeps what somebody said of a violation in a capture that nobody records. It
// fails with a [LockedError] while somebody does.
func Annotate(path string, a Annotation) error {
	a.Author = AuthorOf(a.Author)
	if err := a.check(); err != nil {
		return fmt.Errorf("annotate a violation: %w", err)
	}
	err := edit(path, func(w *writer) error {
		known, err := w.conn.annotations(path)
		if err != nil {
			return err
		}
		a = a.stamped(time.Now())
		if news, err := known.add(a); !news || err != nil {
			return err
		}
		return w.annotation(a)
	})
	if err != nil {
		return fmt.Errorf("annotate a violation: %w", err)
	}
	return nil
}

func (w *writer) annotation(a Annotation) error {
	return w.once("INSERT INTO annotations(time, violation, kind, author, text, until) VALUES (?,?,?,?,?,?)",
		micros(a.Time), a.Violation, string(a.Kind), a.Author, a.Text, moment(a.Until))
}

// annotations reads them. Files of a version before 5 have none.
func (c *conn) annotations(path string) (known annotated, err error) {
	if version, err := c.version(); err != nil || version < 5 {
		return known, err
	}
	st, err := c.prepare("SELECT time, violation, kind, author, text, until FROM annotations ORDER BY id LIMIT ?")
	if err != nil {
		return known, err
	}
	defer st.Close()
	err = st.each(func(r []driver.Value) error {
		row := columns(r)
		a := Annotation{
			Time: row.time(0), Violation: row.str(1), Kind: AnnotationKind(row.str(2)), Author: row.str(3), Text: row.str(4), Until: row.time(5),
		}
		if err := a.check(); err != nil {
			return damaged(path, fmt.Errorf("%w: an annotation: %w", errRow, err))
		}
		_, err := known.add(a)
		return err
	}, int64(MaxAnnotations))
	return known, err
}

// AnnotationsOf returns what was said of violations in a capture, as [Store.Annotations]
// does, without opening it whole.
func AnnotationsOf(ctx context.Context, path string) ([]Annotation, error) {
	all, err := annotationsOf(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("read annotations: %w", classify(path, err))
	}
	return all, nil
}

func annotationsOf(ctx context.Context, path string) ([]Annotation, error) {
	if err := checkCapture(path); err != nil {
		return nil, err
	}
	r, err := openReaders(path)
	if err != nil {
		return nil, err
	}
	defer r.pool.Close()
	c, err := r.conn(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if _, err := checkHeader(c, path); err != nil {
		return nil, err
	}
	known, err := c.annotations(path)
	return known.all, err
}

func (s *Store) loadAnnotations(ctx context.Context) error {
	return s.read(ctx, func(c *conn) (err error) {
		s.annotated, err = c.annotations(s.path)
		return err
	})
}

// edit changes a capture that nobody records, in one transaction.
func edit(path string, change func(*writer) error) (err error) {
	if err := checkCapture(path); err != nil {
		return err
	}
	lock, err := acquire(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.release()) }()
	w, _, err := openToWrite(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	return classify(path, w.transaction(func() error { return change(w) }))
}
