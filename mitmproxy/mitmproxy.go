// Package mitmproxy reads mitmproxy's own flow files, which `mitmdump -w FILE` and
// the w key of mitmproxy write (https://docs.mitmproxy.org/stable/).
//
// A file is a row of typed netstrings, one for each flow: "12:" and twelve bytes
// and a letter for their type (https://tnetstrings.info/, with mitmproxy's ";" for
// text in UTF-8). What stands in a flow changed with the years; each says in which
// version of the format it is. [Read] knows 0.10 to 21, which are mitmproxy of
// 2014 to 12, by the names that members had in each, and reads newer ones for what
// it knows of them.
//
// Read promises to hold one flow at a time, and of that only a bounded part,
// whatever lengths a file claims. The one exception is a connection that an other
// flow may explain: a CONNECT, or the handshake of a WebSocket in versions before
// 12, waits for it. It is strict about netstrings, so that a damaged file is never
// taken for a whole one, and lenient about everything inside a flow: nulls, wrong
// types and missing members are read as "not known". A flow whose inside is broken
// is damage, and those behind it are read. It judges nothing and opens no file.
//
// mitmproxy saves no connection that failed before a request: clients that refuse its
// certificate are in no file, nor are hosts that it was told to ignore.
//
// What a person did to flows in mitmproxy, marks and comments, is dropped; that a
// flow was edited or replayed is kept in flow.Flow's Altered.
//
// To debug an import, look at the flow's number in Origin and at the number and the
// byte that [Error] names, and compare with `mitmdump -nr FILE`.
package mitmproxy

import (
	"fmt"
	"strings"
)

// Info is what is known of a file after it was read.
type Info struct {
	Producer string // program and version as far as the file tells: "mitmproxy 0.18", "mitmproxy"
	Version  string // of the flow format, the newest in the file: "0.18", "21"; "" when none says
	Entries  int    // flows found, those included that are no contacts or are damaged
	// Skipped counts the flows that are no contact with a server, by their type
	// ("tcp", "udp", …): those that name no server.
	Skipped map[string]int
	// Notes are sentences on what had to be assumed or could not be kept.
	Notes []string
}

// Error says what is wrong with a file and where. It is what [Read] returns for
// damaged input; flows outside the damage were delivered.
type Error struct {
	File    string // the name given in Options
	Entry   int    // 1-based number of the flow; 0 when the place is outside the flows
	Offset  int64  // bytes from the start of the file
	Message string // what was found and what was expected
	More    int    // further damaged flows
	Err     error  // the cause outside the file, a failing disk for instance; often nil
	hint    string
	fatal   bool // nothing behind it can be read
}

// Error formats the place as file, flow and byte.
func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
	} else {
		b.WriteString("mitmproxy flows")
	}
	b.WriteString(": ")
	if e.Entry > 0 {
		fmt.Fprintf(&b, "flow %d: ", e.Entry)
	}
	fmt.Fprintf(&b, "%s (byte %d)", e.Message, e.Offset)
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	switch {
	case e.More == 1:
		b.WriteString("; one more flow is damaged")
	case e.More > 1:
		fmt.Fprintf(&b, "; %d more flows are damaged", e.More)
	}
	return b.String()
}

// Unwrap returns the cause outside the file.
func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do about it, "" when there is nothing better than to save the
// flows again.
func (e *Error) Hint() string { return e.hint }

// Recognise reports whether a file that begins with these bytes is one that [Read]
// reads: a netstring whose first member has a name. 64 bytes are enough.
func Recognise(head []byte) bool {
	outer, rest, ok := netstringLength(head)
	if !ok {
		return false
	}
	inner, rest, ok := netstringLength(rest)
	if !ok || inner == 0 || inner >= outer || inner >= int64(len(rest)) {
		return false
	}
	for _, c := range rest[:inner] {
		if (c < 'a' || c > 'z') && c != '_' {
			return false
		}
	}
	return rest[inner] == kindText || rest[inner] == kindBytes
}

// netstringLength parts "12:rest".
func netstringLength(b []byte) (n int64, rest []byte, ok bool) {
	for i, c := range b {
		switch {
		case c == ':' && i > 0:
			return n, b[i+1:], true
		case c < '0' || c > '9' || i == maxLengthDigits:
			return 0, nil, false
		}
		n = n*10 + int64(c-'0')
	}
	return 0, nil, false
}
