// Package outbox keeps what people are still to be told: an SQLite file in the user's data
// folder that all running audits share, so that a message outlives the capture that it is
// of, a crash, and the night in which a receiver is down.
//
// It knows which events of which captures have become messages ([Source]), the messages
// with their attempts ([Message]), who acknowledged what, and which violations go to
// somebody else when nobody does ([Escalation]). It promises that
//
//   - events become messages in one transaction ([Outbox.Take]): each event becomes the
//     same messages once, however often the process is killed and whoever else takes them;
//   - a message is tried by one process at a time ([Outbox.Claim]); the claim of a process
//     that died ends by itself;
//   - a message has one ID through all attempts, the idempotency key;
//   - no secret is in the file: a destination is there by name, kind and a hash,
//     and links that permit something are taken out of a message;
//   - a clock that is set back holds nothing up: what lies further ahead than anything can
//     is due now;
//   - little is kept: a delivered message loses its document at once and its row after
//     seven days, a dead one goes after thirty.
//
// It does not send (package notify/transport) and does not decide what is sent when
// (package notify/delivery). A file that is damaged or of a newer version is never
// changed: it is an error, and [Memory] is an outbox to go on with.
//
// To see what is in it: telltale notify list, or
//
//	sqlite3 outbox.db 'SELECT id, destination, state, attempts, reason FROM messages'
package outbox
