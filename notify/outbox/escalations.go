package outbox

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// An Escalation is a violation that somebody else is told of when nobody acknowledges it
// in time.
type Escalation struct {
	Audit     string
	Violation string        // its ID
	To        Destination   // who is told then
	After     time.Duration // how long there is to acknowledge
	Due       time.Time
	Event     []byte // the document of the event
}

// plan keeps escalations. The first event of a violation says when; a violation that was
// acknowledged is not escalated again.
func (o *Outbox) plan(tx *sql.Tx, escalations []Escalation) error {
	for _, e := range escalations {
		_, err := tx.Exec(`INSERT INTO escalations (audit, violation, destination, kind, identity, patience, due, event)
			SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE NOT EXISTS (SELECT 1 FROM acknowledgements WHERE audit = ?1 AND violation = ?2)
			ON CONFLICT (audit, violation, identity) DO NOTHING`,
			e.Audit, e.Violation, e.To.Name, e.To.Kind, e.To.Identity, e.After.Milliseconds(), millis(e.Due), string(e.Event))
		if err != nil {
			return err
		}
	}
	return nil
}

// Due returns the escalations to the given destinations whose time has come, and when the
// next one is due; zero where there is none.
func (o *Outbox) Due(identities []string) (due []Escalation, next time.Time, err error) {
	now := millis(o.now())
	// The clock was set back when one is due later than it could have been made.
	if err := o.settle("UPDATE escalations SET due = ?1 + patience WHERE settled IS NULL AND due > ?1 + patience", now); err != nil {
		return nil, time.Time{}, err
	}
	all, err := o.open(identities)
	if err != nil {
		return nil, time.Time{}, err
	}
	for _, e := range all {
		switch {
		case millis(e.Due) <= now:
			due = append(due, e)
		case next.IsZero() || e.Due.Before(next):
			next = e.Due
		}
	}
	return due, next, nil
}

// Escalations returns those that nobody has settled, the next one first.
func (o *Outbox) Escalations() ([]Escalation, error) { return o.open(nil) }

// open returns the escalations to destinations that are not settled; with nil, to any.
func (o *Outbox) open(identities []string) ([]Escalation, error) {
	known, err := json.Marshal(identities)
	if err != nil {
		return nil, err
	}
	rows, err := o.db.Query(`SELECT audit, violation, destination, kind, identity, patience, due, event FROM escalations
		WHERE settled IS NULL AND (?1 = 'null' OR identity IN (SELECT value FROM json_each(?1))) ORDER BY due, audit, violation`, string(known))
	if err != nil {
		return nil, fmt.Errorf("read outbox: %w", err)
	}
	defer rows.Close()
	var list []Escalation
	for rows.Next() {
		var e Escalation
		var patience int64
		var due sql.NullInt64
		if err := rows.Scan(&e.Audit, &e.Violation, &e.To.Name, &e.To.Kind, &e.To.Identity, &patience, &due, &e.Event); err != nil {
			return nil, fmt.Errorf("read outbox: %w", err)
		}
		e.After, e.Due = time.Duration(patience)*time.Millisecond, fromMillis(due)
		list = append(list, e)
	}
	return list, rows.Err()
}

// Escalate keeps the messages that escalations became, and settles these, in one
// transaction. It reports false, and keeps nothing, where one of the violations was
// acknowledged or escalated meanwhile.
func (o *Outbox) Escalate(of []Escalation, drafts []Draft) (done bool, err error) {
	late := errors.New("one is settled")
	err = o.change(func(tx *sql.Tx) error {
		for _, e := range of {
			n, err := affected(tx.Exec(`UPDATE escalations SET settled = ?, event = NULL WHERE audit = ? AND violation = ? AND identity = ? AND settled IS NULL`,
				millis(o.now()), e.Audit, e.Violation, e.To.Identity))
			if err != nil {
				return err
			}
			if n == 0 {
				return late
			}
		}
		return o.insert(tx, of[0].Audit, drafts)
	})
	if errors.Is(err, late) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("escalate in outbox: %w", err)
	}
	return true, nil
}

// Settle ends the escalations of a violation without a word: it was acknowledged or waived.
func (o *Outbox) Settle(audit, violation string) error {
	return o.settle("UPDATE escalations SET settled = ?, event = NULL WHERE audit = ? AND violation = ? AND settled IS NULL", millis(o.now()), audit, violation)
}

// Rest returns what is still to be done, to move it from an outbox in memory to one with a
// file, where Take keeps it: the messages that wait, and the dead ones, which are to be
// listed there, and the escalations. waiting is how many of the messages wait.
func (o *Outbox) Rest() (drafts []Draft, escalations []Escalation, waiting int, err error) {
	messages, err := o.List(Waiting, Dead)
	if err != nil {
		return nil, nil, 0, err
	}
	for _, m := range messages {
		drafts = append(drafts, Draft{To: m.To, Message: m.Document})
		if m.State == Waiting {
			waiting++
		}
	}
	escalations, err = o.open(nil)
	return drafts, escalations, waiting, err
}
