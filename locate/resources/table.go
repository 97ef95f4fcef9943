package resources

import (
	"fmt"
	"telltale/locate/reading"
)

// Names makes a [Resolve] of an app's resource table.
func Names(table []byte) (Resolve, error)                  { return nil, nil }
func openTable(data []byte) (reading.Document, error)      { return nil, fmt.Errorf("x") }
func openProtoTable(data []byte) (reading.Document, error) { return nil, fmt.Errorf("x") }
func isProtoTable(data []byte) bool                        { return false }
func isProtoXML(data []byte) bool                          { return false }
func openProtoXML(data []byte) *compiled                   { return nil }
