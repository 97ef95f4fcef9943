package rules

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"

	"github.com/google/martian/v3"
	"github.com/google/martian/v3/cookie"
	"github.com/google/martian/v3/fifo"
	"github.com/google/martian/v3/filter"
	"github.com/google/martian/v3/header"
	"github.com/google/martian/v3/martianurl"
	"github.com/google/martian/v3/method"
	"github.com/google/martian/v3/parse"
	"github.com/google/martian/v3/priority"
	"github.com/google/martian/v3/querystring"

	// Their modifiers are made by package parse.
	_ "github.com/google/martian/v3/body"
	_ "github.com/google/martian/v3/noop"
	_ "github.com/google/martian/v3/status"
)

// readBounded reads a file, one byte more than may be at most.
func readBounded(r io.Reader) ([]byte, error) { return io.ReadAll(io.LimitReader(r, maxFile+1)) }

// A builder makes martian's modifiers of a tree that was checked.
type builder struct {
	d    *document
	m    *mistakes
	base string // of the file's name
}

// A part is one modifier of the tree that is being made.
type part struct {
	*Modifier
	whole  *node // {"name": {…}}
	fields *node
	place  string // "rules.json:7"
}

// A maker makes one modifier. Nil for what it does not alter.
type maker func(b *builder, p part) (martian.RequestModifier, martian.ResponseModifier)

// one makes a modifier, and keeps to its scope.
func (b *builder) one(n *node) (martian.RequestModifier, martian.ResponseModifier) {
	name := n.members[0]
	line, _ := b.d.place(name.at)
	p := part{lookup(name.name), n, name.value, b.base + ":" + strconv.Itoa(line)}
	req, res := p.make(b, p)
	requests, answers := reach(p.Modifier, p.fields)
	if !requests {
		req = nil
	}
	if !answers {
		res = nil
	}
	return req, res
}

// reach says what a modifier is for, by what it can do and by its scope.
func reach(m *Modifier, fields *node) (requests, answers bool) {
	list := fields.member("scope")
	if list == nil {
		return m.Requests, m.Answers
	}
	for _, item := range list.items {
		requests = requests || item.text == "request"
		answers = answers || item.text == "response"
	}
	return requests && m.Requests, answers && m.Answers
}

// text returns the text of a field, "" where it is absent.
func (p part) text(name string) string {
	if n := p.fields.member(name); n != nil {
		return n.text
	}
	return ""
}

func makeFIFO(b *builder, p part) (martian.RequestModifier, martian.ResponseModifier) {
	g := fifo.NewGroup()
	if all := p.fields.member("aggregateErrors"); all != nil {
		g.SetAggregateErrors(all.truth)
	}
	for _, item := range p.fields.member("modifiers").items {
		req, res := b.one(item)
		if req != nil {
			g.AddRequestModifier(req)
		}
		if res != nil {
			g.AddResponseModifier(res)
		}
	}
	return g, g
}

func makePriority(b *builder, p part) (martian.RequestModifier, martian.ResponseModifier) {
	g := priority.NewGroup()
	for _, item := range p.fields.member("modifiers").items {
		rank, _ := strconv.ParseInt(item.member("priority").text, 10, 64)
		req, res := b.one(item.member("modifier"))
		if req != nil {
			g.AddRequestModifier(req, rank)
		}
		if res != nil {
			g.AddResponseModifier(res, rank)
		}
	}
	return g, g
}

// fill gives a filter what it does.
func (b *builder) fill(p part, f *filter.Filter) (martian.RequestModifier, martian.ResponseModifier) {
	req, res := b.one(p.fields.member("modifier"))
	f.RequestWhenTrue(req)
	f.ResponseWhenTrue(res)
	if other := p.fields.member("else"); other != nil {
		req, res = b.one(other)
		f.RequestWhenFalse(req)
		f.ResponseWhenFalse(res)
	}
	return f, f
}

func makeURLFilter(b *builder, p part) (martian.RequestModifier, martian.ResponseModifier) {
	u := &url.URL{Scheme: p.text("scheme"), Host: lower(p.text("host")), Path: p.text("path"), RawQuery: p.text("query")}
	f := martianurl.NewFilter(u)
	c := condition{matcher: martianurl.NewMatcher(u), port: (&url.URL{Host: u.Host}).Port() != ""}
	f.SetRequestCondition(c)
	f.SetResponseCondition(c)
	return b.fill(p, f.Filter)
}

func makeURLRegexFilter(b *builder, p part) (martian.RequestModifier, martian.ResponseModifier) {
	r := regexp.MustCompile(p.text("regex"))
	f := martianurl.NewRegexFilter(r)
	c := condition{matcher: martianurl.NewRegexMatcher(r)}
	f.SetRequestCondition(c)
	f.SetResponseCondition(c)
	return b.fill(p, f.Filter)
}

func makeMethodFilter(b *builder, p part) (martian.RequestModifier, martian.ResponseModifier) {
	return b.fill(p, method.NewFilter(p.text("method")).Filter)
}

func makeHeaderFilter(b *builder, p part) (martian.RequestModifier, martian.ResponseModifier) {
	return b.fill(p, header.NewFilter(p.text("name"), p.text("value")).Filter)
}

func makeHeaderRegexFilter(b *builder, p part) (martian.RequestModifier, martian.ResponseModifier) {
	f := header.NewValueRegexFilter(regexp.MustCompile(p.text("regex")), p.text("header"))
	req, res := b.one(p.fields.member("modifier"))
	f.SetRequestModifier(req)
	f.SetResponseModifier(res)
	return f, f
}

func makeQueryFilter(b *builder, p part) (martian.RequestModifier, martian.ResponseModifier) {
	return b.fill(p, querystring.NewFilter(p.text("name"), p.text("value")).Filter)
}

func makeCookieFilter(b *builder, p part) (martian.RequestModifier, martian.ResponseModifier) {
	looked := &http.Cookie{Name: p.text("name"), Value: p.text("value")} //nolint:gosec // compared, never set
	return b.fill(p, cookie.NewFilter(looked))
}

// makePortFilter makes a filter by martian's general one. Its own fails at every answer
// whose URL has no port, which would end the group that it is in.
func makePortFilter(b *builder, p part) (martian.RequestModifier, martian.ResponseModifier) {
	f := filter.New()
	c := condition{matcher: portIs(p.text("port")), port: true}
	f.SetRequestCondition(c)
	f.SetResponseCondition(c)
	return b.fill(p, f)
}

// makeLeaf makes a modifier by martian's own parser, which has nothing left to refuse.
func makeLeaf(prepare func(fields *node) alterer) maker {
	return func(b *builder, p part) (martian.RequestModifier, martian.ResponseModifier) {
		made, err := parse.FromJSON(b.d.text[p.whole.at:p.whole.end])
		if err != nil {
			b.m.add(p.whole.at, p.whole.path, "%s", clip(err.Error()))
			return nil, nil
		}
		l := &leaf{name: p.Name, place: p.place, request: made.RequestModifier(), response: made.ResponseModifier(), alterer: prepare(p.fields)}
		return martian.RequestModifierFunc(l.ModifyRequest), martian.ResponseModifierFunc(l.ModifyResponse)
	}
}

// decoded returns the content of a base64 field that was checked.
func decoded(n *node) []byte {
	b, err := base64.StdEncoding.DecodeString(n.text)
	if err != nil {
		panic(fmt.Sprintf("rules: base64 was not checked: %v", err))
	}
	return b
}
