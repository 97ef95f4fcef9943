package contacts

import (
	"errors"
	"fmt"
	"strings"
)

// Error says what is wrong with a file and where. It is what [Read] returns for damaged
// input; flows outside the damage were delivered.
type Error struct {
	File    string // the name given in Options
	Line    int    // 1-based line of a list; 0 for packets and where the place is not known
	Packet  int    // 1-based number of a packet; 0 for lists
	Message string // what was found and what was expected
	More    int    // further damaged rows
	Err     error  // the cause outside the file, a failing disk for instance; often nil
	hint    string
}

// Error formats the place as file, line or packet.
func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
	} else {
		b.WriteString("contacts")
	}
	b.WriteString(": ")
	switch {
	case e.Line > 0:
		fmt.Fprintf(&b, "line %d: ", e.Line)
	case e.Packet > 0:
		fmt.Fprintf(&b, "packet %d: ", e.Packet)
	}
	b.WriteString(e.Message)
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	switch {
	case e.More == 1:
		b.WriteString("; one more row is damaged")
	case e.More > 1:
		fmt.Fprintf(&b, "; %d more rows are damaged", e.More)
	}
	return b.String()
}

// Unwrap returns the cause outside the file.
func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do about it, "" when there is nothing better than to export the file
// again.
func (e *Error) Hint() string { return e.hint }

// formats is what a user can do with a file that is none of ours.
const formats = "telltale reads the App Privacy Report of iOS (.ndjson), the connections of PCAPdroid and TrackerControl (.csv) and packet captures (.pcap, .pcapng)"

// errStopped ends the reading; input.stopped has the reason.
var errStopped = errors.New("stopped by the observer")

// broken remembers a row that is no use. Those behind it are read.
func (in *input) broken(line int, format string, args ...any) {
	if in.damage != nil {
		in.damage.More++
		return
	}
	in.damage = &Error{Line: line, Message: fmt.Sprintf(format, args...)}
}

// verdict makes of what stopped the reading, and of damaged rows, what Read returns.
func (in *input) verdict(err error) error {
	if in.stopped != nil {
		return in.stopped
	}
	var last *Error
	errors.As(err, &last)
	switch {
	case last == nil && in.damage == nil:
		return err
	case last == nil:
		last = in.damage
	case in.damage != nil: // the first is told, the last ended the reading
		last.More += in.damage.More + 1
	}
	last.File = in.opts.Name
	return last
}

// shorten makes a text from a file fit for a message.
func shorten(text []byte) string {
	const most = 60
	if len(text) > most {
		return fmt.Sprintf("%q…", text[:most])
	}
	return fmt.Sprintf("%q", text)
}
