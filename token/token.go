// Package token makes and checks short-lived permissions: a signed text that lets whoever
// has it do one thing, until a time. Nothing is stored for a token; what makes it good is
// the key, a file that its owner alone can read.
package token

import "time"

// A Scope is the one thing that a token permits.
type Scope string

// The scopes.
const (
	Acknowledge Scope = "ack"  // the subject is the audit, a slash, and the violation
	Feed        Scope = "feed" // the subject is the audit
)

// A Claim is what a token says.
type Claim struct {
	Scope   Scope
	Subject string
	Expires time.Time
}
