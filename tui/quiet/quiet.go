// Package quiet keeps Bubble Tea from talking to the terminal before anybody asked
// for a screen: an initializer of version 1 asks the terminal for its colours,
// whatever command is run, and would write escape sequences for `telltale version`
// too. The question is put to standard output, so there is none while that runs.
//
// It depends on the order of initializers, which Go fixes (The Go Programming
// Language Specification, "Program initialization": by import path, dependencies
// first): this package needs nothing but os, Bubble Tea needs text/template, which
// sorts behind it. A test of the command line fails if that ever changes.
package quiet

import "os"

var stdout = os.Stdout

func init() { os.Stdout = nil } //nolint:reassign // given back before main runs

// End gives standard output back.
func End() { os.Stdout = stdout } //nolint:reassign // what init took away
