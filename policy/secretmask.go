package policy

import (
	"slices"
	"strings"

	"telltale/flow"
)

// Mask returns the text with every value under never-send replaced by [flow.Redacted], in
// whatever form of docs/never-send.md it stands there: hashes are taken out too, since
// whoever knows the value recognises it by them. Where a value shows only when the text is
// taken apart as the search does, the parameter, segment or word that holds it is replaced,
// in the last resort the whole text. For bodies there is [Policy.MaskBody].
func (p *Policy) Mask(text string) string {
	if p.forms == nil || len(text) < minSecret {
		return text
	}
	return p.hidden(p.masked(text, nil))
}

// MaskAs is Mask, except that as says what takes the place of each value, so that equal ones
// stay recognisable. It has to contain no value. Where a part was replaced because only
// taking it apart brings a value out, [flow.Redacted] stands there all the same.
func (p *Policy) MaskAs(text string, as func(Secret) string) string {
	if p.forms == nil || len(text) < minSecret {
		return text
	}
	return p.hidden(p.masked(text, as))
}

// masked returns the text without the values that stand in one of its readings. as may be
// nil.
func (p *Policy) masked(text string, as func(Secret) string) string {
	held := false
	readings([]byte(text), false, func(r *reading) bool {
		p.forms.find(r.text, func(*secretForm, int, int) bool {
			held = true
			return false
		})
		return !held
	})
	if !held { // nearly always
		return text
	}
	var spans []secretSpan
	readings([]byte(text), true, func(r *reading) bool {
		p.forms.find(r.text, func(form *secretForm, start, end int) bool {
			if form.alphabet != nil {
				start, end = form.withSharedBits(r.text, start, end)
			}
			spans = append(spans, secretSpan{span{r.origin(start).start, r.origin(end - 1).end}, form.secret})
			return true
		})
		return true
	})
	return redact(text, spans, func(secret int) string {
		if as == nil {
			return flow.Redacted
		}
		return as(p.secrets[secret])
	})
}

// secretSpan is where a value stands in a text.
type secretSpan struct {
	span
	secret int // index of the value
}

// withSharedBits widens a place in base64 by the characters beside it that hold bits of the
// ends of the value.
func (f *secretForm) withSharedBits(text []byte, start, end int) (int, int) {
	if 8*f.offset%6 != 0 && start > 0 && base64Byte[text[start-1]] {
		start--
	}
	if 8*(f.offset+f.length)%6 != 0 && end < len(text) && base64Byte[text[end]] {
		end++
	}
	return start, end
}

// MaskBody returns the content of a message as it may be shown: masked where
// values stand in it, and replaced by [flow.Redacted] as a whole where it still holds a value that only
// taking it apart brings out, such as in something compressed within it. The header says
// what the content is.
func (p *Policy) MaskBody(header []flow.Field, body flow.Body) []byte {
	if p.forms == nil || len(body.Content) < minSecret {
		return body.Content
	}
	if masked := p.masked(string(body.Content), nil); masked != string(body.Content) {
		body.Content = []byte(masked)
	}
	message := flow.Request{Body: body}
	for _, field := range header {
		switch strings.ToLower(field.Name) {
		case "content-type", "content-encoding", "grpc-encoding":
			message.Header = append(message.Header, field)
		}
	}
	if p.forms.held(&flow.Flow{Kind: flow.HTTP, Request: &message}) != nil {
		return []byte(flow.Redacted)
	}
	return body.Content
}

// redact returns the text with each of the spans, in any order, replaced once.
func redact(text string, spans []secretSpan, as func(secret int) string) string {
	slices.SortFunc(spans, func(a, b secretSpan) int { return int(a.start - b.start) })
	var b strings.Builder
	done := 0
	for _, sp := range spans {
		if int(sp.end) <= done {
			continue
		}
		if int(sp.start) > done || done == 0 {
			b.WriteString(text[done:max(int(sp.start), done)] + as(sp.secret))
		}
		done = int(sp.end)
	}
	return b.String() + text[done:]
}
