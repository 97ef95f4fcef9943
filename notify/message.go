// Package notify turns events of an audit into messages for people: who is told of what,
// what belongs into one message, and how it reads in a chat room, an e-mail or an issue.
//
// Everything here is pure: the same events, under the same policy, give the same messages,
// and nothing needs a network or a clock. Sending is the matter of package
// notify/transport, keeping what is not yet sent that of notify/outbox, and both are driven
// by notify/delivery.
package notify

import (
	"time"

	"telltale/event"
)

// A Message is what one destination is told at once: one event, or a burst of them.
type Message struct {
	// ID is the same in every attempt to deliver the message, and no other has it: the
	// idempotency key.
	ID       string     `json:"id"`
	Kind     event.Kind `json:"kind"`
	Severity string     `json:"severity,omitempty"` // the highest of its items
	Title    string     `json:"title"`              // one line, in plain words
	Text     string     `json:"text,omitempty"`     // what is said beside the items: trouble, the end
	Items    []Item     `json:"items,omitempty"`
	More     int        `json:"more,omitempty"` // violations that are not listed
	Next     string     `json:"next,omitempty"` // what to do now
	Audit    string     `json:"audit"`
	Capture  string     `json:"capture,omitempty"`
	Policy   string     `json:"policy,omitempty"`
	First    time.Time  `json:"first"`
	Last     time.Time  `json:"last"`
	// Escalated says why a second destination is told, "" for the first.
	Escalated string `json:"escalated,omitempty"`
	// Report is the audit of the violation in Markdown, for issues; "" where none is at hand.
	Report string `json:"report,omitempty"`
}

// An Item is one violation in a message.
type Item struct {
	ID          string    `json:"id"`
	Rule        string    `json:"rule"`
	Severity    string    `json:"severity"`
	Host        string    `json:"host"`
	Category    string    `json:"category,omitempty"`
	Title       string    `json:"title,omitempty"` // one line: what it is
	Method      string    `json:"method,omitempty"`
	URL         string    `json:"url,omitempty"`
	App         string    `json:"app,omitempty"`
	Count       int       `json:"count"`              // flows so far
	AtLeast     bool      `json:"at_least,omitempty"` // there may be more
	Devices     []string  `json:"devices,omitempty"`
	Phases      []string  `json:"phases,omitempty"`
	First       time.Time `json:"first"`
	Last        time.Time `json:"last"`
	Explanation string    `json:"explanation,omitempty"`
	Remedy      string    `json:"remedy,omitempty"`
	Acknowledge string    `json:"acknowledge,omitempty"` // URL of a page with a button; ""
}

// A Payload is a message as one kind of destination takes it.
type Payload struct {
	JSON    []byte // body of a request to a webhook
	Subject string // of an e-mail; title of an issue
	Text    string // of an e-mail, in plain text; body of an issue, in Markdown
	HTML    string // of an e-mail
	// Marker is a line of an issue's body that no other violation's issue has.
	Marker string
}
