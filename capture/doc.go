// Package capture is the store: one way in, many readers.
//
// Every flow, live or read from a file, enters through [Store.Observe]. A single
// worker behind a bounded queue looks for identifiers in it, judges it, writes it
// to the capture file when there is one, adds it to the totals, and wakes the readers:
//
//	Observe → queue → worker: examine → judge → events → SQLite → totals → wake
//
// It knows the file format (docs/capture-format.md) and the arithmetic of a
// [Summary]. It promises that
//
//   - an observed flow is counted exactly once, in the newest state it had;
//   - nothing is dropped: when the disk cannot keep up, Observe waits;
//   - a killed recorder leaves a file that opens and lacks at most the last
//     moment (about a quarter of a second);
//   - the same flows under the same policy give the same summary, in whatever
//     order they ended;
//   - memory stays bounded: the queue by bytes, the totals by hosts, violations
//     and kinds of requests, never by flows;
//   - an event that somebody is to be told of ([Options].Tell, [Store.Tell]) is in the
//     file if and only if the flow is that made it, and is handed out ([Store.Events])
//     also when the file takes no more. Nobody who takes events is ever waited for.
//
// The file holds facts, not verdicts: judging again ([Store.Rejudge]) needs no
// new recording. Identifiers that were found are such facts, so that contents are
// read again for the sake of values under never-send alone. It holds the truth,
// secrets included, and is readable by its owner alone. Contents that the policy does not
// keep ([Options].KeepBodies) are searched and judged like all others, and never written.
//
// It does not make flows (packages proxy and har), decide what is forbidden
// (package policy) or write reports (package reports).
//
// To see what went wrong: [Store.Err] is the first trouble with the file, and a
// sentence on it stands in Health.Notes. `sqlite3 FILE 'SELECT * FROM exchanges'`
// shows what was kept. Options.Log at debug level tells each batch's size and
// duration.
package capture
