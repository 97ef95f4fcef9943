package outbox

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"telltale/notify"
)

// State says what became of a message.
type State string

// The states.
const (
	Waiting   State = "waiting"
	Delivered State = "delivered"
	Dead      State = "dead" // not tried again, unless somebody asks for it
)

// How long things last.
const (
	// LongestPause is the longest time between two attempts. A message whose next attempt
	// is further ahead was written before the clock was set back: it is due now.
	LongestPause = time.Hour
	// Patience is how long a message waits for its destination to be configured.
	Patience = 7 * 24 * time.Hour

	keepDelivered = 7 * 24 * time.Hour
	keepDead      = 30 * 24 * time.Hour
	keepSources   = 90 * 24 * time.Hour
)

// A Message is one message to one destination, with what became of it.
type Message struct {
	ID       string
	Audit    string
	To       Destination
	Document notify.Message // zero once it was delivered
	State    State
	Attempts int       // that were begun
	Made     time.Time // UTC, like all times
	Since    time.Time // when it began to wait: when it was made, or sent again
	Next     time.Time // of the next attempt, of those that wait
	Ended    time.Time // when it was delivered or died
	Reason   string    // why the last attempt failed, or why it died; no secret
	Ref      string    // what the receiver calls it
	owner    string
}

const columns = "id, audit, destination, kind, identity, document, state, attempts, made, since, next, ended, reason, ref, owner"

func scan(row interface{ Scan(...any) error }) (Message, error) {
	var m Message
	var document, owner sql.NullString
	var made, since, next, ended sql.NullInt64
	err := row.Scan(&m.ID, &m.Audit, &m.To.Name, &m.To.Kind, &m.To.Identity, &document, &m.State, &m.Attempts, &made, &since, &next, &ended, &m.Reason, &m.Ref, &owner)
	if err != nil {
		return Message{}, err
	}
	m.Made, m.Since, m.Next, m.Ended, m.owner = fromMillis(made), fromMillis(since), fromMillis(next), fromMillis(ended), owner.String
	if document.Valid {
		if err := json.Unmarshal([]byte(document.String), &m.Document); err != nil {
			return m, &DocumentError{m.ID, err}
		}
	}
	return m, nil
}

// DocumentError says that the document of a message cannot be read.
type DocumentError struct {
	ID  string
	err error
}

// Error says which message.
func (e *DocumentError) Error() string {
	return fmt.Sprintf("message %s in the outbox is damaged: %v", e.ID, e.err)
}

// Unwrap returns what the decoder said.
func (e *DocumentError) Unwrap() error { return e.err }

// Claim returns the message to a destination that has waited longest for its next attempt,
// and keeps it from everybody else for the length of the lease, [LongestPause] at most. ok is false when none is
// due. A message whose document cannot be read comes with a [*DocumentError]; it is claimed
// all the same, so that the caller can bury it.
func (o *Outbox) Claim(identity string, lease time.Duration) (m Message, ok bool, err error) {
	now := o.now()
	owner := fmt.Sprintf("%s-%d", o.owner, o.claims.Add(1))
	m, err = scan(o.db.QueryRow(`UPDATE messages SET owner = ?1, lease = ?2, attempts = attempts + 1 WHERE n = (
		SELECT n FROM messages WHERE state = 'waiting' AND identity = ?3
			AND (next <= ?4 OR next > ?5) AND (lease IS NULL OR lease <= ?4 OR lease > ?5)
		ORDER BY next, n LIMIT 1) RETURNING `+columns,
		owner, millis(now.Add(min(lease, LongestPause))), identity, millis(now), millis(now.Add(LongestPause))))
	var broken *DocumentError
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Message{}, false, nil
	case errors.As(err, &broken):
		return m, true, err
	case err != nil:
		return Message{}, false, fmt.Errorf("claim message of outbox: %w", err)
	}
	return m, true, nil
}

// Next returns when a message to a destination may next be claimed; ok is false when none
// waits.
func (o *Outbox) Next(identity string) (at time.Time, ok bool, err error) {
	now := o.now()
	var next sql.NullInt64
	err = o.db.QueryRow(`SELECT min(CASE WHEN coalesce(lease, 0) BETWEEN ?2 AND ?3 THEN max(lease, next)
			WHEN next > ?3 THEN ?2 ELSE next END)
		FROM messages WHERE state = 'waiting' AND identity = ?1`, identity, millis(now), millis(now.Add(LongestPause))).Scan(&next)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("read outbox: %w", err)
	}
	return fromMillis(next), next.Valid, nil
}

// Delivered notes that a receiver has taken a message, whoever has claimed it since.
func (o *Outbox) Delivered(m Message, ref string) error {
	return o.settle("UPDATE messages SET state = 'delivered', document = NULL, owner = NULL, lease = NULL, ended = ?, reason = '', ref = ? WHERE id = ? AND state <> 'delivered'",
		millis(o.now()), ref, m.ID)
}

// Later lets a message that was claimed wait for another attempt, [LongestPause] at most.
func (o *Outbox) Later(m Message, pause time.Duration, reason string) error {
	return o.settle("UPDATE messages SET owner = NULL, lease = NULL, next = ?, reason = ? WHERE id = ? AND owner = ? AND state = 'waiting'",
		millis(o.now().Add(min(max(pause, 0), LongestPause))), reason, m.ID, m.owner)
}

// Release gives a claim back whose attempt was broken off by us.
func (o *Outbox) Release(m Message) error {
	return o.settle("UPDATE messages SET owner = NULL, lease = NULL, attempts = attempts - 1 WHERE id = ? AND owner = ? AND state = 'waiting'", m.ID, m.owner)
}

// Bury makes a message that was claimed a dead letter.
func (o *Outbox) Bury(m Message, reason string) error {
	return o.settle("UPDATE messages SET state = 'dead', owner = NULL, lease = NULL, ended = ?, reason = ? WHERE id = ? AND owner = ? AND state = 'waiting'",
		millis(o.now()), reason, m.ID, m.owner)
}

func (o *Outbox) settle(query string, args ...any) error {
	if _, err := o.db.Exec(query, args...); err != nil {
		return fmt.Errorf("write to outbox: %w", err)
	}
	return nil
}

// List returns the messages in a state, the oldest first; with no state all of them. One
// whose document cannot be read is listed without it.
func (o *Outbox) List(states ...State) ([]Message, error) {
	rows, err := o.db.Query("SELECT " + columns + " FROM messages ORDER BY n")
	if err != nil {
		return nil, fmt.Errorf("read outbox: %w", err)
	}
	defer rows.Close()
	wanted := map[State]bool{}
	for _, s := range states {
		wanted[s] = true
	}
	var list []Message
	for rows.Next() {
		m, err := scan(rows)
		var broken *DocumentError
		if err != nil && !errors.As(err, &broken) {
			return nil, fmt.Errorf("read outbox: %w", err)
		}
		if len(states) == 0 || wanted[m.State] {
			list = append(list, m)
		}
	}
	return list, rows.Err()
}

// Counts are how many messages of a destination are in which state.
type Counts struct {
	To              Destination
	Waiting, Dead   int
	Reason          string // of the last failure among them; ""
	DeliveredLately int    // within [Patience]
}

// Counts returns the numbers for each destination that has messages, by name.
func (o *Outbox) Counts() ([]Counts, error) {
	rows, err := o.db.Query(`SELECT destination, kind, identity, count(*) FILTER (WHERE state = 'waiting'), count(*) FILTER (WHERE state = 'dead'),
		count(*) FILTER (WHERE state = 'delivered'),
		coalesce((SELECT reason FROM messages AS m WHERE m.identity = messages.identity AND state <> 'delivered' AND reason <> '' ORDER BY coalesce(ended, next) DESC LIMIT 1), '')
		FROM messages GROUP BY identity ORDER BY destination, identity`)
	if err != nil {
		return nil, fmt.Errorf("read outbox: %w", err)
	}
	defer rows.Close()
	var list []Counts
	for rows.Next() {
		var c Counts
		if err := rows.Scan(&c.To.Name, &c.To.Kind, &c.To.Identity, &c.Waiting, &c.Dead, &c.DeliveredLately, &c.Reason); err != nil {
			return nil, fmt.Errorf("read outbox: %w", err)
		}
		list = append(list, c)
	}
	return list, rows.Err()
}

// NotFoundError says that no message, or more than one, has an ID that starts so.
type NotFoundError struct {
	ID      string
	Matches int
}

// Error says how many there are.
func (e *NotFoundError) Error() string {
	if e.Matches > 1 {
		return fmt.Sprintf("%d messages have an ID that starts with %q", e.Matches, e.ID)
	}
	return fmt.Sprintf("no message that waits or is dead has the ID %q", e.ID)
}

// Hint says how to see which there are.
func (e *NotFoundError) Hint() string { return "telltale notify list" }

// Retry makes messages due now, dead ones too: those whose IDs start with the given texts,
// or, without any, all. It returns how many. An ID that names none, or several, is a
// [*NotFoundError], and nothing is changed.
func (o *Outbox) Retry(ids ...string) (n int, err error) {
	err = o.change(func(tx *sql.Tx) error {
		if len(ids) == 0 {
			n, err = affected(tx.Exec(retry, millis(o.now()), "*"))
			return err
		}
		for _, id := range ids {
			changed, err := affected(tx.Exec(retry, millis(o.now()), prefix(id)))
			if err != nil {
				return err
			}
			if id == "" || changed != 1 {
				return &NotFoundError{id, changed}
			}
			n++
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("retry messages: %w", err)
	}
	return n, nil
}

// retry begins the time of a message anew. One that is being tried right now is left to
// that attempt.
const retry = `UPDATE messages SET state = 'waiting', since = ?1, next = ?1, ended = NULL,
	attempts = CASE WHEN lease > ?1 THEN attempts ELSE 0 END WHERE state <> 'delivered' AND document IS NOT NULL AND id GLOB ?2`

// prefix returns the pattern of GLOB for what starts with a text.
func prefix(text string) string {
	return strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]").Replace(text) + "*"
}

func affected(result sql.Result, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// Sweep drops what is kept no longer: rows of messages, the text of those that nobody has
// delivered for long, who acknowledged what. With the identities of the destinations that
// are configured, it also buries messages that have waited too long for any other; nil says
// that it is not known which are. exists says whether the capture of an audit is still
// there; one that is not is forgotten after a while.
func (o *Outbox) Sweep(configured []string, exists func(path string) bool) error {
	now := o.now()
	ago := func(d time.Duration) int64 { return millis(now.Add(-d)) }
	err := o.change(func(tx *sql.Tx) error {
		known, err := json.Marshal(configured)
		if err != nil {
			return err
		}
		for _, step := range []struct {
			query string
			args  []any
		}{
			{"DELETE FROM messages WHERE state = 'delivered' AND ended < ?", []any{ago(keepDelivered)}},
			{"DELETE FROM messages WHERE state = 'dead' AND ended < ?", []any{ago(keepDead)}},
			{`UPDATE messages SET state = 'dead', ended = ?1, reason = 'its destination was not configured for seven days'
				WHERE state = 'waiting' AND since < ?2 AND coalesce(lease, 0) < ?1 AND ?3 <> 'null' AND identity NOT IN (SELECT value FROM json_each(?3))`, []any{millis(now), ago(Patience), string(known)}},
			{`UPDATE messages SET state = 'dead', document = NULL, ended = ?1, reason = 'nobody delivered it for thirty days'
				WHERE state = 'waiting' AND since < ?2 AND coalesce(lease, 0) < ?1 AND ?3 = 'null'`, []any{millis(now), ago(keepDead), string(known)}},
			{"DELETE FROM escalations WHERE coalesce(settled, due) < ?", []any{ago(keepDead)}},
			{"DELETE FROM acknowledgements WHERE time < ?", []any{ago(keepSources)}},
			{"DELETE FROM told WHERE message NOT IN (SELECT id FROM messages)", nil},
		} {
			if _, err := tx.Exec(step.query, step.args...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("sweep outbox: %w", err)
	}
	defer o.trim()
	return o.sweepSources(ago(keepSources), exists)
}

func (o *Outbox) sweepSources(before int64, exists func(path string) bool) error {
	sources, err := o.sources("SELECT audit, path, seq, used FROM sources WHERE path <> '' AND used < ?", before)
	if err != nil {
		return err
	}
	for _, s := range sources {
		if !exists(s.Path) {
			if err := o.Forget(s.Audit); err != nil {
				return err
			}
		}
	}
	return o.settle("DELETE FROM sources WHERE path = '' AND used < ?", before)
}
