// Package rules reads files of martian's JSON modifiers, strictly, and applies them.
//
// It knows which of martian's modifiers a file may have ([Modifiers] is the only list; what
// is refused, and why, is in [Refused]), and what each of their fields may hold. martian itself
// takes a misspelt field for an absent one; here everything is checked before anything is
// built, and a mistake is told with its line and column.
//
// It promises that a file that was accepted holds nothing that is ignored, that each change
// of a message is said by an [proxy.Alteration] without the values of headers, queries and
// contents, and that what it hands on is a sound message: its length is that of its content,
// and no rule sets a header that frames it. A [Rules] keeps nothing of a message and may be
// used by any number of goroutines.
//
// The doing is martian's: its groups, filters and modifiers. Where they have faults, these are
// worked round, beside a comment that says which. martian's contexts, a global map of requests,
// are not used. This package sends nothing; package proxy asks it for each message.
//
// To debug a file: apply it to a message in a test like those of this package, or run
// "telltale record --modify FILE -- curl …" and look at what the flow says.
package rules

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"syscall"

	"github.com/google/martian/v3"

	"telltale/proxy"
)

// Rules are the modifiers of one file.
type Rules struct {
	name     string
	warnings []string
	request  martian.RequestModifier  // nil: no request is altered
	response martian.ResponseModifier // nil: no answer is altered
}

var _ proxy.Modifier = (*Rules)(nil)

// Read reads a file. The error has a line for each mistake: file:line:column: what is wrong.
func Read(file string) (*Rules, error) {
	f, err := open(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read the rules: %w", err)
	}
	defer f.Close()
	text, err := readBounded(f)
	if err != nil {
		return nil, fmt.Errorf("cannot read the rules %s: %w", file, err)
	}
	if info, err := f.Stat(); err == nil && len(text) == 0 && info.Mode()&os.ModeNamedPipe != 0 {
		return nil, fmt.Errorf("cannot read the rules %s: it is a pipe to which nobody writes", file)
	}
	return Parse(file, text)
}

// open opens a file. One that is a pipe is not waited for: nobody may ever write to it.
func open(file string) (*os.File, error) {
	if file == "-" {
		return nil, errors.New("- is no file; /dev/stdin is standard input")
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		return os.Open(file)
	}
	return os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// descriptor is how a shell names a pipe: <(jq …).
var descriptor = regexp.MustCompile(`^/(dev/fd|proc/self/fd)/([0-9]+)$`)

// baseOf returns what a record calls a file.
func baseOf(name string) string {
	if m := descriptor.FindStringSubmatch(name); m != nil {
		return "pipe" + m[2]
	}
	return filepath.Base(name)
}

// Parse makes rules of the text of a file. name is what mistakes call it.
func Parse(name string, text []byte) (*Rules, error) {
	d := &document{name: name, text: text}
	m := &mistakes{d: d}
	if d.read(m) {
		(&checker{m: m}).modifier(d.root)
	}
	if err := m.err(); err != nil {
		return nil, err
	}
	base := baseOf(name)
	b := &builder{d: d, m: m, base: base}
	request, response := b.one(d.root)
	if err := m.err(); err != nil {
		return nil, err
	}
	return &Rules{name: "modify " + base, warnings: warn(d), request: request, response: response}, nil
}

// Name is what the experiment is called: "modify rules.json".
func (r *Rules) Name() string { return r.name }

// Warnings are what is right in the file, and yet likely not what was meant, each with its
// place.
func (r *Rules) Warnings() []string { return r.warnings }

// ModifyRequest alters a request in place, and says what was altered.
func (r *Rules) ModifyRequest(req *http.Request) (done []proxy.Alteration, err error) {
	if r.request == nil {
		return nil, nil
	}
	rec := &record{by: r.name}
	defer func() { done, err = rec.done, rec.outcome(recover(), err) }()
	w := req.WithContext(rec.within(req.Context()))
	defer func() {
		req.URL, req.Host, req.Header, req.Body, req.GetBody = w.URL, w.Host, w.Header, w.Body, w.GetBody
		req.ContentLength, req.TransferEncoding, req.Trailer = w.ContentLength, w.TransferEncoding, w.Trailer
	}()
	if w.Header == nil {
		w.Header = http.Header{}
	}
	return nil, r.request.ModifyRequest(w)
}

// ModifyResponse alters an answer in place, and says what was altered. The answer must have
// its request.
func (r *Rules) ModifyResponse(res *http.Response) (done []proxy.Alteration, err error) {
	switch {
	case r.response == nil || res.StatusCode < 200:
		return nil, nil // what is switched to another protocol is no message any more
	case res.Request == nil:
		return nil, errors.New(r.name + ": an answer without its request")
	}
	rec, asked := &record{by: r.name}, res.Request
	defer func() { done, err = rec.done, rec.outcome(recover(), err) }()
	defer func() { res.Request = asked }()
	res.Request = asked.WithContext(rec.within(asked.Context()))
	if res.Header == nil {
		res.Header = http.Header{}
	}
	return nil, r.response.ModifyResponse(res)
}

// A record keeps what was done to one message. It travels with the message's context through
// martian's groups and filters, which know nothing of it.
type record struct {
	by   string
	done []proxy.Alteration
}

type recordKey struct{}

// within returns a context that has the record.
func (r *record) within(ctx context.Context) context.Context {
	return context.WithValue(ctx, recordKey{}, r)
}

// note keeps what a modifier did, in the record of a message's context.
func note(ctx context.Context, place, name, what string) {
	if rec, ok := ctx.Value(recordKey{}).(*record); ok && what != "" {
		rec.done = append(rec.done, proxy.Alteration{By: rec.by, What: place + " " + name + ": " + what})
	}
}

// outcome is the error of a message: a fault of martian's ends no connection.
func (r *record) outcome(fault any, err error) error {
	switch {
	case fault != nil:
		return fmt.Errorf("%s: a modifier failed: %v", r.by, fault)
	case err != nil:
		return fmt.Errorf("%s: %w", r.by, err)
	}
	return nil
}
