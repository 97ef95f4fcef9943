package outbox

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"telltale/notify"
)

// ErrTaken says that somebody else has made messages of these events meanwhile.
var ErrTaken = errors.New("the events were taken by another process")

// ErrFull says that no more messages fit into an outbox without a file.
var ErrFull = fmt.Errorf("%d messages wait in memory already", Capacity)

// A Source is an audit whose events become messages.
type Source struct {
	Audit string
	Path  string // of the capture; "" where it has no file
	Seq   int64  // of the last event that became messages
	Used  time.Time
}

// A Destination is one place that is told, as far as the outbox may know it.
type Destination struct {
	Name     string
	Kind     string // as in policy.DestinationKind
	Identity string // a hash of kind, name and address: 16 hexadecimal digits
}

// A Draft is a message that is yet to be kept. Its ID is the idempotency key.
type Draft struct {
	To      Destination
	Message notify.Message
}

// A Taking is what the events of one source became: those after From, up to To.
type Taking struct {
	Audit       string
	From, To    int64
	Drafts      []Draft
	Escalations []Escalation
}

// Register notes an audit, and where its capture is, before it records; a path is kept as an
// absolute one, because who takes what is left works in another folder. It returns the
// sequence number of the last event that became messages, 0 for a new audit.
func (o *Outbox) Register(audit, path string) (seq int64, err error) {
	if path != "" {
		if path, err = filepath.Abs(path); err != nil {
			return 0, fmt.Errorf("register audit in outbox: %w", err)
		}
	}
	err = o.db.QueryRow(`INSERT INTO sources (audit, path, seq, used, open) VALUES (?1, ?2, 0, ?3, 1)
		ON CONFLICT (audit) DO UPDATE SET path = ?2, used = ?3, open = 1 RETURNING seq`, audit, path, millis(o.now())).Scan(&seq)
	if err != nil {
		return 0, fmt.Errorf("register audit in outbox: %w", err)
	}
	return seq, nil
}

// Taken returns the sequence number of the last event of an audit that became messages, 0
// where none did.
func (o *Outbox) Taken(audit string) (seq int64, err error) {
	if err := o.db.QueryRow("SELECT coalesce(max(seq), 0) FROM sources WHERE audit = ?", audit).Scan(&seq); err != nil {
		return 0, fmt.Errorf("read outbox: %w", err)
	}
	return seq, nil
}

// SourceOf returns where the capture of an audit is, and whether it is being recorded or was
// left behind; ok is false where nobody knows the audit.
func (o *Outbox) SourceOf(audit string) (s Source, open, ok bool, err error) {
	var used sql.NullInt64
	err = o.db.QueryRow("SELECT audit, path, seq, used, open FROM sources WHERE audit = ?", audit).Scan(&s.Audit, &s.Path, &s.Seq, &used, &open)
	if errors.Is(err, sql.ErrNoRows) {
		return Source{}, false, false, nil
	}
	if err != nil {
		return Source{}, false, false, fmt.Errorf("read outbox: %w", err)
	}
	s.Used = fromMillis(used)
	return s, open, true, nil
}

// Finish notes that all events of an audit have become messages and that no more will
// come, until it is registered again.
func (o *Outbox) Finish(audit string) error {
	return o.settle("UPDATE sources SET open = 0 WHERE audit = ?", audit)
}

// Sources returns the audits that are not finished and have a capture file, the oldest
// first: they are being recorded, or were left behind.
func (o *Outbox) Sources() ([]Source, error) {
	return o.sources("SELECT audit, path, seq, used FROM sources WHERE path <> '' AND open = 1 ORDER BY used, audit")
}

func (o *Outbox) sources(query string, args ...any) ([]Source, error) {
	rows, err := o.db.Query(query, args...)
	if err != nil {
		return nil, fmt.Errorf("read outbox: %w", err)
	}
	defer rows.Close()
	var sources []Source
	for rows.Next() {
		var s Source
		var used sql.NullInt64
		if err := rows.Scan(&s.Audit, &s.Path, &s.Seq, &used); err != nil {
			return nil, fmt.Errorf("read outbox: %w", err)
		}
		s.Used = fromMillis(used)
		sources = append(sources, s)
	}
	return sources, rows.Err()
}

// Forget drops an audit whose capture is no more.
func (o *Outbox) Forget(audit string) error {
	return o.settle("DELETE FROM sources WHERE audit = ?", audit)
}

// Take keeps the messages of events together with the fact that these events have become
// messages: all of it, or nothing. It fails with [ErrTaken] when the source is not at From
// any more, and with [ErrFull] where there is no room.
func (o *Outbox) Take(t Taking) error {
	err := o.change(func(tx *sql.Tx) error {
		result, err := tx.Exec("UPDATE sources SET seq = ?, used = ? WHERE audit = ? AND seq = ?", t.To, millis(o.now()), t.Audit, t.From)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n != 1 {
			return errors.Join(err, ErrTaken)
		}
		if err := o.insert(tx, t.Audit, t.Drafts); err != nil {
			return err
		}
		return o.plan(tx, t.Escalations)
	})
	if err != nil {
		return fmt.Errorf("write messages to outbox: %w", err)
	}
	return nil
}

// Add keeps messages and escalations of events that nobody else can take.
func (o *Outbox) Add(drafts []Draft, escalations []Escalation) error {
	err := o.change(func(tx *sql.Tx) error {
		if err := o.insert(tx, "", drafts); err != nil {
			return err
		}
		return o.plan(tx, escalations)
	})
	if err != nil {
		return fmt.Errorf("write messages to outbox: %w", err)
	}
	return nil
}

// insert adds messages; one whose ID is there already is the same message.
func (o *Outbox) insert(tx *sql.Tx, audit string, drafts []Draft) error {
	if o.path == "" && len(drafts) > 0 {
		var waiting int
		if err := tx.QueryRow("SELECT count(*) FROM messages WHERE state = 'waiting'").Scan(&waiting); err != nil {
			return err
		}
		if waiting+len(drafts) > Capacity && waiting > 0 {
			return ErrFull
		}
	}
	now := millis(o.now())
	for _, d := range drafts {
		document, err := json.Marshal(withoutLinks(d.Message))
		if err != nil {
			return err
		}
		about := d.Message.Audit
		if about == "" {
			about = audit
		}
		_, err = tx.Exec(`INSERT INTO messages (id, audit, destination, kind, identity, document, state, made, since, next)
			VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'waiting', ?7, ?7, ?7) ON CONFLICT (id) DO NOTHING`,
			d.Message.ID, about, d.To.Name, d.To.Kind, d.To.Identity, string(document), now)
		if err != nil {
			return err
		}
		for _, item := range d.Message.Items {
			_, err := tx.Exec(`INSERT INTO told (audit, violation, rule, host, message) VALUES (?, ?, ?, ?, ?)
				ON CONFLICT (audit, violation) DO UPDATE SET message = excluded.message`, about, item.ID, item.Rule, item.Host, d.Message.ID)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// withoutLinks takes out what would permit somebody who reads the file to acknowledge.
func withoutLinks(m notify.Message) notify.Message {
	m.Items = slices.Clone(m.Items)
	for i := range m.Items {
		m.Items[i].Acknowledge = ""
	}
	return m
}
