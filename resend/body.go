package resend

import (
	"bytes"
	"context"
	"encoding/json"
	"mime"
	"net/url"
	"strings"
	"unicode/utf8"

	"telltale/flow"
	"telltale/flow/content"
)

// maxBody is how many bytes of a request are looked into.
const maxBody = 16 << 20

// body returns the body with which a request is sent, whether it is still in its content
// coding, or why it is not sent.
func (s *sending) body(ctx context.Context, f *flow.Flow, t *taking) (body []byte, coded bool, why string) {
	b := f.Request.Body
	if b.Size == 0 && b.Digest == "" && len(b.Content) == 0 {
		return nil, false, ""
	}
	data, err := s.cfg.Store.Content(ctx, b)
	switch {
	case err != nil:
		return nil, false, "its body could not be read again"
	case b.Truncated || f.Omitted || int64(len(data)) < b.Size && !b.Decoded:
		return nil, false, "its body was not recorded whole"
	}
	return t.body(f.Request.Header, b.Decoded, data)
}

// body takes the credentials out of a body. One that has none stays byte for byte, in its
// content coding.
func (t *taking) body(header []flow.Field, decoded bool, data []byte) (body []byte, coded bool, why string) {
	plain := data
	coding := flow.Get(header, "Content-Encoding")
	coded = !decoded && len(content.Codings(coding)) > 0
	if coded {
		var err error
		if plain, err = content.Decode(coding, data, maxBody); err != nil {
			if t.opaque {
				return data, true, ""
			}
			return nil, false, "its body cannot be looked into for credentials"
		}
	}
	if bytes.Contains(plain, []byte("[redacted")) {
		return nil, false, "values were taken out of its body before"
	}
	clean, understood := t.typed(flow.Get(header, "Content-Type"), plain)
	switch {
	case t.stand(t.withoutGiven(string(clean))):
		return nil, false, "a credential stands in its body, where it cannot be replaced"
	case !understood && !t.opaque && len(plain) > 0:
		return nil, false, "its body cannot be looked into for credentials"
	case bytes.Equal(clean, plain):
		return data, coded, ""
	}
	return clean, false, ""
}

// typed takes credentials out of a content of a type: forms and JSON, one or many.
func (t *taking) typed(contentType string, data []byte) (clean []byte, understood bool) {
	kind, _, _ := mime.ParseMediaType(contentType)
	switch {
	case kind == "application/x-www-form-urlencoded":
		return []byte(t.form(string(data), "form")), true
	case len(bytes.TrimSpace(data)) == 0:
		return data, true
	}
	if utf8.Valid(data) {
		return t.json(data)
	}
	return data, false
}

// content learns from a body, whatever can be read of it.
func (t *taking) content(header []flow.Field, b flow.Body, data []byte) {
	if len(data) == 0 {
		return
	}
	if coding := flow.Get(header, "Content-Encoding"); !b.Decoded {
		data, _ = content.Decode(coding, data, maxBody)
	}
	t.typed(flow.Get(header, "Content-Type"), data)
}

// form takes credentials out of a query or a form. What stays, stays byte for byte.
func (t *taking) form(text, what string) string {
	if text == "" {
		return ""
	}
	var kept []string
	for pair := range strings.SplitSeq(text, "&") {
		name, value, has := strings.Cut(pair, "=")
		plainName, plainValue := unescaped(name), unescaped(value)
		_, asked := t.given[bare(plainName)]
		if has && value != "" && (asked || isCredential(plainName, plainValue)) {
			if given, ok := t.replacement(plainName, plainValue); ok {
				if !t.shown {
					given = url.QueryEscape(given)
				}
				kept = append(kept, name+"="+given)
			}
			continue
		}
		if clean := t.nested(plainValue); clean != plainValue {
			pair, plainValue = name+"="+url.QueryEscape(clean), clean
		}
		if !has && t.nested(plainName) != plainName || !t.learning && (t.stand(plainValue) || t.stand(plainName) || isMasked(plainValue)) {
			t.took(what + " " + plainName)
			continue
		}
		t.leave(plainName)
		t.leave(plainValue)
		kept = append(kept, pair)
	}
	return strings.Join(kept, "&")
}

func unescaped(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return flow.Unpercent(s)
}

// json takes credentials out of JSON: a string becomes empty, what else is there null.
// Everything else stays byte for byte. It reports false where the text is no JSON.
func (t *taking) json(data []byte) (clean []byte, understood bool) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	j := &members{taking: t, data: data, dec: dec}
	beside := &pairs{dec: json.NewDecoder(bytes.NewReader(data)), asked: func(name string) bool { return j.isCredential(name, "0123456789") }}
	for beside.dec.More() {
		if _, err := beside.value(); err != nil {
			return data, false
		}
	}
	j.beside = beside.names
	for dec.More() {
		if err := j.value("", false); err != nil {
			return data, false
		}
	}
	if rest := data[dec.InputOffset():]; len(bytes.TrimSpace(rest)) > 0 { // a closing bracket that opens nowhere
		return data, false
	}
	if j.done == 0 {
		return data, true
	}
	return append(j.out, data[j.done:]...), true
}

// members is one pass over JSON.
type members struct {
	*taking
	data []byte
	dec  *json.Decoder
	out  []byte
	done int // bytes of data that were written

	beside map[int]string // names that stand beside their values, see [pairs]
	opened int            // objects and arrays until now
}

// value passes one value. Within a member that is a credential, every text is one.
func (j *members) value(name string, within bool) error {
	before := j.dec.InputOffset()
	token, err := j.dec.Token()
	if err != nil {
		return err
	}
	switch v := token.(type) {
	case json.Delim:
		return j.inside(v, name, within)
	case string:
		j.text(name, v, within, before)
	case json.Number:
		if within || j.isCredential(name, v.String()) {
			j.replace(name, v.String(), "null", before)
		}
	}
	return nil
}

func (j *members) isCredential(name, value string) bool {
	_, asked := j.given[bare(name)]
	return name != "" && value != "" && (asked || isCredential(name, value))
}

// inside passes the values of an object or an array.
func (j *members) inside(open json.Delim, name string, within bool) error {
	within = within || name != "" && holdsCredentials(name)
	paired := j.beside[j.opened]
	j.opened++
	for i := 0; j.dec.More(); i++ {
		inner := name
		if open == '[' && paired != "" && i == 1 {
			inner = paired
		}
		if open == '{' {
			key, err := j.dec.Token()
			if err != nil {
				return err
			}
			inner, _ = key.(string)
			if paired != "" && valuesOf[bare(inner)] {
				inner = paired
			}
		}
		if err := j.value(inner, within); err != nil {
			return err
		}
	}
	_, err := j.dec.Token()
	return err
}

// holdsCredentials reports whether all texts within a member of this name are credentials.
func holdsCredentials(name string) bool {
	b := bare(name)
	for _, word := range []string{"password", "passwd", "secret", "token", "credential", "cookie", "apikey"} {
		if strings.Contains(b, word) {
			return true
		}
	}
	return wholeNames[b]
}

// wholeNames are names of objects in which everything is a credential.
var wholeNames = set(`auth authentication authorization csrf jwt passphrase passwords pwd xsrf`)

// text passes a string.
func (j *members) text(name, value string, within bool, before int64) {
	if value == "" {
		return
	}
	if within || j.isCredential(name, value) {
		j.replace(name, value, `""`, before)
		return
	}
	clean := j.nested(value)
	if j.learning {
		return
	}
	if j.stand(clean) {
		j.took("JSON " + name)
		clean = ""
	}
	j.leave(clean)
	if clean != value {
		j.write(quoted(clean), before)
	}
}

func quoted(s string) string {
	out, _ := json.Marshal(s) //nolint:errchkjson // a string has no error
	return string(out)
}

// replace writes what stands for a credential.
func (j *members) replace(name, value, empty string, before int64) {
	given, ok := j.replacement(name, value)
	if j.learning {
		return
	}
	if ok {
		empty = quoted(given)
	}
	j.write(empty, before)
}

// write puts a text in the place of the token that was read last, which begins behind what
// separates it.
func (j *members) write(text string, before int64) {
	start := int(before)
	for start < len(j.data) && strings.IndexByte(" \t\r\n:,", j.data[start]) >= 0 {
		start++
	}
	j.out = append(append(j.out, j.data[j.done:start]...), text...)
	j.done = int(j.dec.InputOffset())
}
