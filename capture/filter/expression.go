package filter

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

// Budgets of one expression: its length in bytes, its nodes, and what it may
// allocate while it runs, in elements. People type a line; lists of hosts are
// the longest that scripts need.
const (
	maxLength    = 32 << 10
	maxNodes     = 4000
	memoryBudget = 10_000
)

// Functions lists the functions of the language, with what they do.
var Functions = []struct{ Name, Help string }{
	{"lower", "lower(host): the text in lower case"},
	{"upper", "upper(method): the text in upper case"},
	{"trim", "trim(error): the text without white space around it"},
	{"len", "len(url): length of the text, in characters"},
	{"indexOf", `indexOf(url, "?"): where the text is found first, -1 if it is not there`},
	{"abs", "abs(sent - received): the number without its sign"},
	{"string", "string(status): the number as a text"},
}

// prototype has every field with its type, for the compiler.
var prototype = func() map[string]any {
	all := make(map[string]any, len(Fields))
	for _, f := range Fields {
		all[f.Name] = f.bind(&sighting{})
	}
	return all
}()

// compile reads an expression. A mistake is an [*Error].
func compile(text string) (*Filter, error) {
	if strings.TrimSpace(text) == "" {
		return &Filter{}, nil
	}
	if len(text) > maxLength {
		return nil, &Error{Expression: text, Column: 1, Message: fmt.Sprintf("the expression is longer than %d bytes", maxLength)}
	}
	calls := &fieldCalls{named: map[string]bool{}}
	program, err := expr.Compile(text, expr.Env(prototype), expr.AsBool(), expr.MaxNodes(maxNodes), expr.Patch(calls))
	if err != nil {
		return nil, newError(text, err)
	}
	node := program.Node()
	bounds := &bounds{}
	ast.Walk(&node, bounds)
	if bounds.refused != nil {
		return nil, newError(text, bounds.refused.Bind(program.Source()))
	}
	if len(calls.named) == 0 {
		return nil, &Error{Expression: text, Column: 1, Message: "the expression names no field, so it says the same of every flow"}
	}
	m := &Filter{program: program, named: calls.named}
	m.host, m.atHost = onlyHost(node)
	m.bind()
	return m, nil
}

// fieldCalls turns the name of a field into a call of what reads it.
type fieldCalls struct{ named map[string]bool }

// Visit implements ast.Visitor.
func (v *fieldCalls) Visit(node *ast.Node) {
	id, ok := (*node).(*ast.IdentifierNode)
	if _, known := fieldByName[nameOf(id)]; !ok || !known {
		return
	}
	v.named[id.Value] = true
	callee := &ast.IdentifierNode{Value: id.Value}
	callee.SetLocation(id.Location())
	ast.Patch(node, &ast.CallNode{Callee: callee})
}

func nameOf(id *ast.IdentifierNode) string {
	if id == nil {
		return ""
	}
	return id.Value
}

// calledField returns the field that a node reads, "" for other nodes.
func calledField(node ast.Node) string {
	call, ok := node.(*ast.CallNode)
	if !ok {
		return ""
	}
	id, _ := call.Callee.(*ast.IdentifierNode)
	return nameOf(id)
}

// bounds refuses what could take time or memory without end: loops, ranges that
// are made of what a flow says, texts that double, patterns that come from the
// wire.
type bounds struct{ refused *file.Error }

// Visit implements ast.Visitor.
func (v *bounds) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.VariableDeclaratorNode, *ast.SequenceNode:
		v.refuse(n, "the language has no variables")
	case *ast.PredicateNode, *ast.PointerNode:
		v.refuse(n, "the language has no loops")
	case *ast.IdentifierNode:
		if n.Value == "$env" {
			v.refuse(n, "unknown field $env")
		}
	case *ast.CallNode:
		if calledField(n) == "" || len(n.Arguments) > 0 {
			v.refuse(n, "a field is no function: write its name alone")
		}
	case *ast.BuiltinNode:
		if !isFunction(n.Name) {
			v.refuse(n, fmt.Sprintf("unknown function %s; the functions are %s", n.Name, functionNames()))
		}
	case *ast.BinaryNode:
		_, constant := n.Right.(*ast.StringNode)
		switch {
		case n.Operator == "matches" && !constant:
			v.refuse(n.Right, `matches needs its pattern in quotes: path matches "^/v[0-9]/"`)
		case n.Operator == "..":
			v.refuse(n, "a range stands after in, with whole numbers: status in 400..499")
		case n.Operator == "+" && !isNumber(n):
			v.refuse(n, "texts cannot be added; compare each of them")
		}
	}
}

func isNumber(node ast.Node) bool {
	t := node.Type()
	return t != nil && reflect.Int <= t.Kind() && t.Kind() <= reflect.Float64
}

func functionNames() string {
	all := make([]string, len(Functions))
	for i, f := range Functions {
		all[i] = f.Name
	}
	return strings.Join(all, ", ")
}

func isFunction(name string) bool {
	for _, f := range Functions {
		if f.Name == name {
			return true
		}
	}
	return false
}

func (v *bounds) refuse(node ast.Node, message string) {
	if v.refused == nil {
		v.refused = &file.Error{Location: node.Location(), Message: message}
	}
}

// onlyHost returns the host of a `host == "…"` that must hold for the whole to.
func onlyHost(node ast.Node) (string, bool) {
	n, ok := node.(*ast.BinaryNode)
	if !ok {
		return "", false
	}
	switch n.Operator {
	case "and", "&&":
		if host, ok := onlyHost(n.Left); ok {
			return host, true
		}
		return onlyHost(n.Right)
	case "==":
		for _, pair := range [][2]ast.Node{{n.Left, n.Right}, {n.Right, n.Left}} {
			if value, ok := pair[1].(*ast.StringNode); ok && calledField(pair[0]) == "host" {
				return value.Value, true
			}
		}
	}
	return "", false
}
