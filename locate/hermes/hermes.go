// Package hermes reads the bytecode of React Native apps (Hermes).
package hermes

import "telltale/locate/reading"

// Is reports whether a file is of this format, by its path and its first bytes.
func Is(path string, head []byte) bool { return false }

// Open reads a file. The error says what is wrong with it, and where.
func Open(path string, data []byte) (reading.Document, error) { return nil, nil }
