// Package guard holds the rules of the tree as tests, so that they are enforced
// and not merely known.
//
// It knows the import table of docs/architecture.md: which package may import
// which, and in which package an outside library is at home. It also knows the
// limits on the length of files and functions, what a package comment has to be,
// the words that must not occur, and which documents must agree with the code.
//
// Each rule is a function from a file tree to a list of complaints. The rule is
// run against this repository, which must give none, and against a small
// invented tree that breaks it, which must give exactly the expected ones: a
// guard that cannot fail guards nothing.
//
// Nothing imports this package and it has no code outside its tests. When a rule
// stops you, its message names the file, the rule and the way out; a new package
// or library needs a row in the tables of imports_test.go, and a reason.
package guard
