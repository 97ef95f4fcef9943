package locate

import (
	"telltale/locate/dex"
	"telltale/locate/hermes"
	"telltale/locate/native"
	"telltale/locate/reading"
	"telltale/locate/resources"
	"telltale/locate/script"
)

// A reader understands the files of some formats.
type reader struct {
	is   func(path string, head []byte) bool
	open func(path string, data []byte) (reading.Document, error)
}

// readers are asked in this order; the last ones go by a file's name and text more than by
// its first bytes.
var readers = []reader{
	{dex.Is, dex.Open},
	{hermes.Is, hermes.Open},
	{native.Is, native.Open},
	{script.Is, script.Open},
	{resources.Is, resources.Open},
}

// headSize is how much of a file readers see to recognise it, in bytes.
const headSize = 4096

// open returns what the first reader that recognises a file makes of it; nil where none
// does. The error is that of a file that is not what it says it is.
func open(path string, data []byte) (reading.Document, error) {
	head := data[:min(len(data), headSize)]
	for _, r := range readers {
		if r.is(path, head) {
			return r.open(path, data)
		}
	}
	return nil, nil
}
