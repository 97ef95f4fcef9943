package lists

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// readJSON reads Disconnect's services or Exodus' trackers.
func (l *List) readJSON(data []byte) error {
	r := &jsonReader{dec: json.NewDecoder(bytes.NewReader(data)), data: data, line: 1, list: l}
	if bytes.TrimLeft(data, " \t\r\n")[0] == '[' {
		l.Format = Exodus
		return r.trackers()
	}
	err := r.object("an object with categories or trackers", func(key string) error {
		switch {
		case key == "categories" && l.Format == "":
			l.Format = Disconnect
			return r.services()
		case key == "trackers" && l.Format == "":
			l.Format = Exodus
			return r.trackers()
		}
		return r.skip()
	})
	if err == nil && l.Format == "" {
		return l.fail(1, 1, `expected the key "categories" (Disconnect) or "trackers" (Exodus), found neither`)
	}
	return err
}

// jsonReader reads JSON piece by piece and knows the line it is in.
type jsonReader struct {
	dec     *json.Decoder
	data    []byte
	began   int // where the last token begins
	counted int // bytes up to which lines are counted
	line    int
	list    *List
}

// at returns the line of the token that was read last.
func (r *jsonReader) at() int {
	if end := min(int(r.dec.InputOffset()), len(r.data)); end > r.counted {
		r.line += bytes.Count(r.data[r.counted:end], []byte("\n"))
		r.counted = end
	}
	return r.line
}

// ahead returns where the next token begins.
func (r *jsonReader) ahead() int {
	offset := min(int(r.dec.InputOffset()), len(r.data))
	return len(r.data) - len(bytes.TrimLeft(r.data[offset:], " \t\r\n:,"))
}

// fail returns an error about the token that was read last.
func (r *jsonReader) fail(message string) error {
	line, column := place(r.data, r.began)
	return r.list.fail(line, column, message)
}

// note keeps what was not understood at an offset.
func (r *jsonReader) note(offset int, message string) {
	line, column := 0, 0
	if r.list.quotesMore() { // else the place is not needed, and to find it takes a while
		line, column = place(r.data, offset)
	}
	r.list.note(line, column, message)
}

// next returns the next token.
func (r *jsonReader) next() (json.Token, error) {
	r.began = r.ahead()
	t, err := r.dec.Token()
	if err != nil {
		return nil, r.broken(err)
	}
	return t, nil
}

func (r *jsonReader) broken(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		line, column := place(r.data, len(r.data))
		return r.list.fail(line, column, "expected more JSON, found the end of the file")
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		line, column := place(r.data, r.ahead())
		return r.list.fail(line, column, "expected JSON: "+syntax.Error())
	}
	return r.fail("expected JSON: " + err.Error())
}

// begin reads the bracket that what begins with.
func (r *jsonReader) begin(bracket json.Delim, what string) error {
	t, err := r.next()
	if err == nil && t != bracket {
		err = r.unexpected(what, t)
	}
	return err
}

func (r *jsonReader) unexpected(what string, found json.Token) error {
	return r.fail(fmt.Sprintf("expected %s, found %s", what, quoted(fmt.Sprint(found))))
}

// object calls member for each key of an object; member reads its value.
func (r *jsonReader) object(what string, member func(key string) error) error {
	if err := r.begin('{', what); err != nil {
		return err
	}
	for r.dec.More() {
		t, err := r.next()
		if err != nil {
			return err
		}
		key, ok := t.(string)
		if !ok {
			return r.unexpected("a key", t)
		}
		if err := member(key); err != nil {
			return err
		}
	}
	_, err := r.next()
	return err
}

// array calls item for each item of an array, which reads it.
func (r *jsonReader) array(what string, item func() error) error {
	if err := r.begin('[', what); err != nil {
		return err
	}
	for r.dec.More() {
		if err := item(); err != nil {
			return err
		}
	}
	_, err := r.next()
	return err
}

// skip reads over a value.
func (r *jsonReader) skip() error {
	var value json.RawMessage
	if err := r.dec.Decode(&value); err != nil {
		return r.broken(err)
	}
	return nil
}

// text reads a string.
func (r *jsonReader) text(what string) (string, error) {
	t, err := r.next()
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", r.unexpected(what, t)
	}
	return s, nil
}

// starts returns the character that the next value starts with.
func (r *jsonReader) starts() byte {
	if at := r.ahead(); at < len(r.data) {
		return r.data[at]
	}
	return 0
}
