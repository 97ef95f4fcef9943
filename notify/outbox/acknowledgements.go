package outbox

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"telltale/flow/plain"
)

// An Acknowledgement says that somebody knows of a violation.
type Acknowledgement struct {
	Audit     string // "" is every audit of which somebody was told of it
	Violation string // its ID, or how that starts
	By        string // "screen", "command line", "link", …
	// Time is when, and Before says that it was acknowledged earlier, at that time and by
	// that means. Both are answers of the outbox.
	Time   time.Time
	Before bool
}

// Acknowledge keeps that somebody knows of a violation, which then is not escalated. The
// violation is one that somebody was, or is to be, told of; its ID may be given by its
// start, and a start of several is an [*AmbiguousError]. It returns one acknowledgement for
// each audit, with the whole ID. Where no audit is named, a violation that nobody was told
// of is a [*NotToldError]; an audit that is named knows its violations, so that the ID is
// taken as it is.
func (o *Outbox) Acknowledge(a Acknowledgement) (done []Acknowledgement, err error) {
	err = o.change(func(tx *sql.Tx) error {
		found, err := named(tx, a)
		if err != nil {
			return err
		}
		if len(found) == 0 && a.Audit != "" {
			found = []Acknowledgement{a}
		}
		if len(found) == 0 {
			return &NotToldError{a.Violation}
		}
		done = nil
		for _, f := range found {
			f.By = a.By
			if f, err = o.note(tx, f); err != nil {
				return err
			}
			done = append(done, f)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("acknowledge in outbox: %w", err)
	}
	return done, nil
}

// note writes one acknowledgement, unless there is one.
func (o *Outbox) note(tx *sql.Tx, a Acknowledgement) (Acknowledgement, error) {
	now := millis(o.now())
	n, err := affected(tx.Exec("INSERT INTO acknowledgements (audit, violation, time, by) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", a.Audit, a.Violation, now, a.By))
	if err != nil {
		return a, err
	}
	var at sql.NullInt64
	if err := tx.QueryRow("SELECT time, by FROM acknowledgements WHERE audit = ? AND violation = ?", a.Audit, a.Violation).Scan(&at, &a.By); err != nil {
		return a, err
	}
	a.Time, a.Before = fromMillis(at), n == 0
	_, err = tx.Exec("UPDATE escalations SET settled = ?, event = NULL WHERE audit = ? AND violation = ? AND settled IS NULL", now, a.Audit, a.Violation)
	return a, err
}

// named finds the violation that an acknowledgement means, in each audit that has it.
func named(tx *sql.Tx, a Acknowledgement) (found []Acknowledgement, err error) {
	if a.Violation == "" {
		return nil, errors.New("no violation is named")
	}
	rows, err := tx.Query(`SELECT audit, violation FROM (SELECT audit, violation FROM told UNION SELECT audit, violation FROM escalations UNION SELECT audit, violation FROM acknowledgements)
		WHERE (?1 = '' OR audit = ?1) AND violation GLOB ?2 ORDER BY violation <> ?3, violation, audit`, a.Audit, prefix(a.Violation), a.Violation)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var f Acknowledgement
		if err := rows.Scan(&f.Audit, &f.Violation); err != nil {
			return nil, err
		}
		if len(found) > 0 && f.Violation != found[0].Violation {
			if found[0].Violation == a.Violation {
				break // the whole ID of one, which others only start with
			}
			return nil, &AmbiguousError{a.Violation}
		}
		found = append(found, f)
	}
	return found, rows.Err()
}

// AmbiguousError says that the IDs of several violations start so.
type AmbiguousError struct{ Violation string }

// Error says which start.
func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("the IDs of several violations start with %q", plain.Text(e.Violation))
}

// Hint says what to do.
func (e *AmbiguousError) Hint() string { return "give more of the ID" }

// NotToldError says that nobody was told of such a violation.
type NotToldError struct{ Violation string }

// Error says which.
func (e *NotToldError) Error() string {
	return fmt.Sprintf("nobody was told of a violation whose ID starts with %q", plain.Text(e.Violation))
}

// Hint says where to look.
func (e *NotToldError) Hint() string {
	return "telltale ack lists those of which somebody was told; others need --capture FILE"
}

// Acknowledged reports whether somebody knows of a violation.
func (o *Outbox) Acknowledged(audit, violation string) (bool, error) {
	var n int
	if err := o.db.QueryRow("SELECT count(*) FROM acknowledgements WHERE audit = ? AND violation = ?", audit, violation).Scan(&n); err != nil {
		return false, fmt.Errorf("read outbox: %w", err)
	}
	return n > 0, nil
}

// Acknowledgements returns those of an audit, in the order in which they came, that came
// after the one numbered so; 0 is before the first. last is the number to ask with next. It
// costs one look at an index.
func (o *Outbox) Acknowledgements(audit string, after int64) (list []Acknowledgement, last int64, err error) {
	rows, err := o.db.Query("SELECT rowid, violation, time, by FROM acknowledgements WHERE audit = ? AND rowid > ? ORDER BY rowid", audit, after)
	if err != nil {
		return nil, after, fmt.Errorf("read outbox: %w", err)
	}
	defer rows.Close()
	last = after
	for rows.Next() {
		a := Acknowledgement{Audit: audit}
		var at sql.NullInt64
		if err := rows.Scan(&last, &a.Violation, &at, &a.By); err != nil {
			return nil, after, fmt.Errorf("read outbox: %w", err)
		}
		a.Time = fromMillis(at)
		list = append(list, a)
	}
	return list, last, rows.Err()
}

// A Told is a violation that messages name.
type Told struct {
	Audit, Violation, Rule, Host string
}

// Unacknowledged returns the violations that somebody was told of, or is to be, and that
// nobody has acknowledged; those of the newest messages come last.
func (o *Outbox) Unacknowledged() ([]Told, error) {
	rows, err := o.db.Query(`SELECT t.audit, t.violation, t.rule, t.host FROM told t JOIN messages m ON m.id = t.message
		WHERE NOT EXISTS (SELECT 1 FROM acknowledgements a WHERE a.audit = t.audit AND a.violation = t.violation) ORDER BY m.n, t.violation`)
	if err != nil {
		return nil, fmt.Errorf("read outbox: %w", err)
	}
	defer rows.Close()
	var list []Told
	for rows.Next() {
		var t Told
		if err := rows.Scan(&t.Audit, &t.Violation, &t.Rule, &t.Host); err != nil {
			return nil, fmt.Errorf("read outbox: %w", err)
		}
		list = append(list, t)
	}
	return list, rows.Err()
}
