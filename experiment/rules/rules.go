// Package rules reads files of martian's JSON modifiers, strictly, and applies them.
package rules
