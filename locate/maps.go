package locate

import (
	"bytes"
	"strings"

	"telltale/locate/app"
)

// A mapShelf keeps the source maps of a search until a lead needs them.
type mapShelf struct {
	maps []keptMap
	held int64
}

// A keptMap is a source map as it was found.
type keptMap struct {
	app  int // -1 for one that was named by the user
	path string
	data []byte
}

// mostMaps is how much memory source maps may take, in bytes.
const mostMaps = 64 << 20

// keep takes over a file that is a source map.
func (m *mapShelf) keep(f app.File) bool {
	if !strings.HasSuffix(f.Path, ".map") || m.held+f.Size > mostMaps {
		return false
	}
	m.held += f.Size
	m.maps = append(m.maps, keptMap{f.App, f.Path, bytes.Clone(f.Data)})
	return true
}
