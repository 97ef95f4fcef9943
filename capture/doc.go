// Package capture is the store: one way in, many readers.
package capture
