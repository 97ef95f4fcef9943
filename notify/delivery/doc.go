// Package delivery brings the events of audits to people: it takes them from a recording,
// lets a burst gather, makes messages of them, keeps these in the outbox, and tries each
// until its receiver has it.
//
//	Source ─▶ taker: route, gather, compose ─▶ outbox ─▶ a lane for each destination ─▶ transport
//	                                            ▲  │
//	              captures that were left behind┘  └▶ keeper: escalations, what is too old
//
// It promises that
//
//   - the recording never waits for it: [Delivery.Wake] returns at once, and everything
//     else happens in goroutines of its own;
//   - each event becomes its messages once, and none is lost: what a killed process had
//     not taken is taken from its capture at the next start, and what it had not sent is
//     sent then;
//   - a message is sent until the receiver has taken it, with the same ID each time. It
//     arrives once where the receiver answers in time or heeds the ID;
//   - a destination that hangs holds up no other, and a message that is not taken holds up
//     none behind it; the order within a destination is kept as far as that allows;
//   - a destination that takes nothing is asked more and more rarely, with one message at a
//     time;
//   - after [GiveUp] a message is a dead letter, which is listed and can be sent again;
//   - a violation that nobody acknowledges in time is told to somebody else, once;
//   - where the outbox cannot be used (it is damaged, the disk is full) messages are kept
//     in memory, and that is said.
//
// Bursts: the first events of a while are told after [Lead], so that somebody hears early;
// what follows gathers for Config.Group from the last message on. The end of an audit does
// not wait.
//
// It does not know how messages read (package notify) or what receivers speak (package
// notify/transport). To debug it: Config.Log at debug level has each attempt with its
// outcome; `telltale notify list` shows what waits, and why.
package delivery
