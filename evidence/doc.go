// Package evidence signs what a session of a recorder has made, and says of a capture
// whether it is as it was recorded and who signed it.
//
// It knows the manifest of a session (what was recorded, by which program under which
// policy, and the head of the capture's hash chain), the Ed25519 key of a machine, and how
// both are compared with a capture. It promises that a signature is over the bytes of the
// document as they are kept, never over a new encoding of them; that a key is readable by
// its owner alone; and that whatever a file holds, the answer is a [Result] or an error.
//
// It does not compute the chain (package capture) or print (package cmd). It cannot say
// when something was recorded, nor that the owner of the key was honest: docs/evidence.md
// has what a verification proves.
//
// To see what went wrong: a manifest is text. The part before its signature is JSON, and
// docs/evidence.md shows how openssl checks the rest.
package evidence
