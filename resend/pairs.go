package resend

import (
	"encoding/json"
)

// namesOf and valuesOf are the members of objects that name a thing and say what it is:
// {"name": "password", "value": "…"}.
var (
	namesOf  = set(`name key field k id param parameter header property attribute`)
	valuesOf = set(`value values val v content data text`)
)

// pairs are the names in JSON that stand as values beside their value, by which object or
// array it is, counted as they open.
type pairs struct {
	dec    *json.Decoder
	asked  func(name string) bool
	opened int
	names  map[int]string
}

// value passes one value, and returns it where it is a string.
func (p *pairs) value() (string, error) {
	token, err := p.dec.Token()
	if err != nil {
		return "", err
	}
	switch v := token.(type) {
	case string:
		return v, nil
	case json.Delim:
		return "", p.inside(v == '{')
	}
	return "", nil
}

func (p *pairs) inside(object bool) error {
	number, count, name := p.opened, 0, ""
	p.opened++
	for ; p.dec.More(); count++ {
		names := count == 0
		if object {
			key, err := p.dec.Token()
			if err != nil {
				return err
			}
			word, _ := key.(string)
			names = namesOf[bare(word)]
		}
		text, err := p.value()
		if err != nil {
			return err
		}
		if names && text != "" && p.asked(text) {
			name = text
		}
	}
	if name != "" && (object || count == 2) {
		if p.names == nil {
			p.names = map[int]string{}
		}
		p.names[number] = name
	}
	_, err := p.dec.Token()
	return err
}
