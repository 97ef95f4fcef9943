// Package filter is the language in which people pick flows: what is typed after
// `telltale flows --where`, and into the filter line of the terminal UI.
//
// A text is either an expression or plain words, and [Parse] tells which:
//
//	host endsWith ".google.com" and status >= 400
//	generate_204 "captive portal"
//
// An expression is typed before it runs, so a misspelt field or a comparison of
// a number with a text is an error with its column, never an empty result. The
// syntax is that of github.com/expr-lang/expr; [Fields] lists the names that it
// may use, [Functions] what can be done to them. There are no variables, no loops
// and no sums of texts, so that no expression takes more time than the size of
// what it reads, or memory that grows. Texts compare exactly; lower(host) compares
// without case. Words have no syntax but quotes, ignore case, and must all be
// there, anywhere.
//
// Header values are masked where they carry credentials: a filter cannot be used
// to guess one letter by letter. Bodies are as recorded.
//
// The package does not read captures: callers hand it flow after flow, with the
// bodies loaded where [Filter.Names] says that they are asked for. When a filter
// picks the wrong flows, ask [Filter.Words] first: nil says that the text was
// read as an expression.
package filter

import (
	"strings"

	"github.com/expr-lang/expr/vm"

	"telltale/flow"
	"telltale/policy"
)

// A Filter picks flows. It may be used from one goroutine at a time; [Filter.Clone]
// makes another one for another goroutine.
type Filter struct {
	words []string // of plain words; nil for an expression

	program *vm.Program // nil for words
	named   map[string]bool
	host    string
	atHost  bool // host is the only one that can be picked

	machine vm.VM
	env     map[string]any // readers of the named fields, bound to seen
	device  func(*flow.Flow) string
	app     func(*flow.Flow) string
	seen    sighting
	lines   []byte // of the flow that words are looked for in
}

// Parse reads what a person typed into a filter line: an expression, or plain
// words that a flow must all contain. "Quoted words" stay together and are never
// an expression. The empty text picks every flow. What is neither, because it has
// the shape of an expression and is none, or not yet, is an [*Error].
func Parse(text string) (*Filter, error) {
	m, err := compile(text)
	if err == nil {
		return m, nil
	}
	if isAttempt(text) {
		return nil, err
	}
	return &Filter{words: splitWords(text)}, nil
}

// Clone returns a filter that picks the same flows and may be used beside this
// one from another goroutine.
func (m *Filter) Clone() *Filter {
	c := &Filter{words: m.words, program: m.program, named: m.named, host: m.host, atHost: m.atHost, device: m.device, app: m.app}
	c.bind()
	return c
}

// bind makes the environment of the expression, with the fields that it names.
func (m *Filter) bind() {
	m.machine.MemoryBudget = memoryBudget
	m.env = make(map[string]any, len(m.named))
	for name := range m.named {
		m.env[name] = fieldByName[name].bind(&m.seen)
	}
}

// NameDevices makes the filter ask name for the name of a flow's device, as a store knows
// it that has seen all of them (capture.Store.DeviceName). Without it a device has the name
// that the flow carries. Clones that were made before go on as they were.
func (m *Filter) NameDevices(name func(*flow.Flow) string) { m.device = name }

// NameApps makes the filter ask name for the app that made a flow, as a store concludes it
// (capture.Store.AppOf). Without it the field attributed is empty.
func (m *Filter) NameApps(name func(*flow.Flow) string) { m.app = name }

// Words returns the words that a flow must contain, in lower case and each once;
// nil for an expression, and for the empty text.
func (m *Filter) Words() []string { return m.words }

// Names reports whether the expression names the field: what it does not name
// the caller need not load. Plain words name none, and look at everything that
// is loaded.
func (m *Filter) Names(field string) bool { return m.named[field] }

// Host returns the only host that the expression can pick (`host == "a.example"
// and …`), so that an index can be asked for its flows. What it finds there must
// pass Match all the same.
func (m *Filter) Host() (string, bool) { return m.host, m.atHost }

// Match reports whether the filter picks the flow. An expression that fails while
// it runs (a division by zero, say) is an [*Error]; words never fail.
func (m *Filter) Match(f *flow.Flow, j policy.Judgement) (bool, error) {
	if m.program == nil {
		return m.MatchWords(f, j, nil), nil
	}
	m.seen = sighting{flow: f, judgement: j, device: m.device, app: m.app}
	got, err := m.machine.Run(m.program, m.env)
	m.seen = sighting{}
	if err != nil {
		return false, newError(m.program.Source().String(), err)
	}
	return got.(bool), nil
}

// MatchWords is Match for plain words, some of which may be found elsewhere, as in
// a full-text index of bodies: found tells that word i of [Filter.Words] is, and
// may be nil. It is asked only for what the flow itself does not show. A filter
// without words matches.
func (m *Filter) MatchWords(f *flow.Flow, j policy.Judgement, found func(word int) bool) bool {
	if len(m.words) == 0 {
		return true
	}
	m.lines = appendLines(m.lines[:0], &sighting{flow: f, judgement: j, device: m.device})
	for i, word := range m.words {
		if !containsLower(m.lines, word) && (found == nil || !found(i)) {
			return false
		}
	}
	return true
}

// Contains reports whether the URL or a header line of the flow contains the
// text, which must be in lower case. Secrets cannot be found.
func Contains(f *flow.Flow, lower string) bool {
	return strings.Contains(strings.ToLower(f.URL()), lower) || strings.Contains(strings.ToLower(headerLines(f)), lower)
}
