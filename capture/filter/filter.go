// Package filter is the language in which people pick flows: `telltale flows
// --where 'host endsWith ".google.com" and status >= 400'`.
//
// An expression is typed before it runs, so a misspelt field or a comparison of
// a number with a text is an error with its column, never an empty result. The
// syntax is that of github.com/expr-lang/expr; [Fields] lists the names it knows.
// A filter sees masked values only: it cannot be used to print a secret.
//
// It does not read captures: callers hand it flow after flow.
package filter

import (
	"errors"
	"fmt"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"telltale/flow"
	"telltale/policy"
)

// Field documents one name of the language.
type Field struct {
	Name string
	Type string // "text" or "number"
	Help string
}

// Fields lists what an expression may name.
var Fields = []Field{
	{"host", "text", "host that was contacted"},
	{"port", "text", "port that was contacted"},
	{"method", "text", "request method; CONNECT for a connection that could not be read"},
	{"path", "text", "path of the URL"},
	{"url", "text", "whole URL"},
	{"status", "number", "status of the response; 0 for none"},
	{"size", "number", "bytes of content, both directions"},
	{"sent", "number", "bytes of content sent"},
	{"received", "number", "bytes of content received"},
	{"duration", "number", "milliseconds from start to end"},
	{"verdict", "text", "allowed, ignored, waived or violation"},
	{"rule", "text", "rule that names the violation"},
	{"category", "text", "class of the host in the catalogue"},
	{"protocol", "text", "HTTP/1.1, HTTP/2, WebSocket, TLS, TCP"},
	{"kind", "text", "http, websocket, dns or tunnel"},
	{"mode", "text", "the way in: http, har"},
	{"client", "text", "address of the device"},
	{"app", "text", "User-Agent of the request"},
	{"outcome", "text", "how the flow ended"},
	{"error", "text", "what went wrong, in words"},
	{"phase", "text", "mark that was set when the flow began"},
	{"headers", "text", "header lines of request and response, secrets masked"},
	{"id", "number", "number of the flow in its capture"},
}

// row is what an expression sees of one flow.
type row struct {
	Host     string  `expr:"host"`
	Port     string  `expr:"port"`
	Method   string  `expr:"method"`
	Path     string  `expr:"path"`
	URL      string  `expr:"url"`
	Status   int     `expr:"status"`
	Size     int64   `expr:"size"`
	Sent     int64   `expr:"sent"`
	Received int64   `expr:"received"`
	Duration float64 `expr:"duration"`
	Verdict  string  `expr:"verdict"`
	Rule     string  `expr:"rule"`
	Category string  `expr:"category"`
	Protocol string  `expr:"protocol"`
	Kind     string  `expr:"kind"`
	Mode     string  `expr:"mode"`
	Client   string  `expr:"client"`
	App      string  `expr:"app"`
	Outcome  string  `expr:"outcome"`
	Error    string  `expr:"error"`
	Phase    string  `expr:"phase"`
	Headers  string  `expr:"headers"`
	ID       int64   `expr:"id"`
}

// A Filter picks flows. It may be used from one goroutine at a time.
type Filter struct {
	program *vm.Program
	machine vm.VM
	headers bool // the expression names headers, which cost time to join
}

// Error is a mistake in an expression.
type Error struct {
	Expression string
	Column     int // 1-based
	Message    string
}

func (e *Error) Error() string {
	return fmt.Sprintf("filter, column %d: %s", e.Column, e.Message)
}

// Hint names the command that lists the language.
func (e *Error) Hint() string { return "telltale flows --help" }

// Compile reads an expression. The empty one picks every flow. A mistake is an
// [*Error].
func Compile(expression string) (*Filter, error) {
	if strings.TrimSpace(expression) == "" {
		expression = "true"
	}
	program, err := expr.Compile(expression, expr.Env(row{}), expr.AsBool())
	if err != nil {
		return nil, compileError(expression, err)
	}
	return &Filter{program: program, headers: strings.Contains(expression, "headers")}, nil
}

func compileError(expression string, err error) error {
	e := &Error{Expression: expression, Column: 1, Message: firstLine(err.Error())}
	var at *file.Error
	if errors.As(err, &at) {
		e.Column, e.Message = at.Column+1, at.Message
	}
	if name, ok := strings.CutPrefix(e.Message, "unknown name "); ok {
		e.Message = fmt.Sprintf("unknown field %s; the fields are %s", name, names())
	}
	return e
}

func names() string {
	all := make([]string, len(Fields))
	for i, f := range Fields {
		all[i] = f.Name
	}
	return strings.Join(all, ", ")
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// Match reports whether the filter picks the flow. An expression that fails while
// it runs (a division by zero, say) is an [*Error].
func (m *Filter) Match(f *flow.Flow, j policy.Judgement) (bool, error) {
	got, err := m.machine.Run(m.program, m.row(f, j))
	if err != nil {
		return false, compileError(m.program.Source().String(), err)
	}
	return got.(bool), nil
}

func (m *Filter) row(f *flow.Flow, j policy.Judgement) row {
	r := row{
		Host: f.Host(), Port: f.Port(), Method: f.Method(), Path: f.Path(), URL: f.URL(), Status: f.Status(),
		Sent: f.BytesSent(), Received: f.BytesReceived(), Duration: f.Duration().Seconds() * 1000,
		Verdict: string(j.Verdict), Rule: string(j.Rule()), Category: j.Category,
		Protocol: f.Protocol(), Kind: string(f.Kind), Mode: f.Mode, App: f.UserAgent(),
		Outcome: string(f.Outcome), Error: f.Error, Phase: f.Phase, ID: int64(f.ID),
	}
	r.Size = r.Sent + r.Received
	if f.Client.Addr.IsValid() {
		r.Client = f.Client.Addr.Addr().String()
	}
	if m.headers {
		r.Headers = headerLines(f)
	}
	return r
}

func headerLines(f *flow.Flow) string {
	var b strings.Builder
	write := func(fields []flow.Field) {
		for _, h := range fields {
			b.WriteString(h.String())
			b.WriteByte('\n')
		}
	}
	if f.Request != nil {
		write(f.Request.Header)
	}
	if f.Response != nil {
		write(f.Response.Header)
	}
	return b.String()
}

// Contains reports whether the URL, the app's name or a header line of the flow
// contains the text, which must be in lower case. Secrets cannot be found.
func Contains(f *flow.Flow, lower string) bool {
	return strings.Contains(strings.ToLower(f.URL()), lower) || strings.Contains(strings.ToLower(headerLines(f)), lower)
}
