package locate

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"strings"

	"telltale/locate/app"
	"telltale/locate/hermes"
	"telltale/locate/reading"
	"telltale/locate/script"
)

// A mapShelf keeps source maps, and the bundles with leads in them, until all files were
// seen: a map may come before its bundle or behind it.
type mapShelf struct {
	maps    []*keptFile
	bundles map[string]*keptFile // by app and path
	held    int64
}

// A keptFile is a source map or a bundle.
type keptFile struct {
	app  int // -1 for a map that the user named
	path string
	data []byte
	used bool // it said something of a lead
}

// mostKept is how much memory maps and bundles may take, in bytes.
const mostKept = 64 << 20

// name takes the maps that the user named.
func (s *search) nameMaps(files []string) error {
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("cannot read the source map: %w", err)
		}
		if _, err := script.OpenMap(file, data); err != nil {
			return fmt.Errorf("%s is no source map: %w", file, err)
		}
		s.maps.maps = append(s.maps.maps, &keptFile{app: -1, path: file, data: data})
	}
	return nil
}

// keepMap takes over a file that is a source map.
func (s *search) keepMap(f app.File) bool {
	if !strings.HasSuffix(f.Path, ".map") || !bytes.Contains(f.Data[:min(len(f.Data), headSize)], []byte(`"version"`)) && !bytes.Contains(f.Data, []byte(`"mappings"`)) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.maps.held+f.Size > mostKept {
		return false
	}
	s.maps.held += f.Size
	s.maps.maps = append(s.maps.maps, &keptFile{app: f.App, path: f.Path, data: bytes.Clone(f.Data)})
	return true
}

// keepBundle takes over a file with leads that a source map may know more of.
func (s *search) keepBundle(x *examination) {
	switch x.doc.(type) {
	case *script.Doc, *hermes.Bytecode:
	default:
		return
	}
	if len(x.found) == 0 || s.maps.held+x.file.Size > mostKept {
		return
	}
	s.maps.held += x.file.Size
	if s.maps.bundles == nil {
		s.maps.bundles = map[string]*keptFile{}
	}
	s.maps.bundles[bundleKey(x.file.App, x.file.Path)] = &keptFile{app: x.file.App, path: x.file.Path, data: bytes.Clone(x.file.Data)}
}

func bundleKey(app int, path string) string { return fmt.Sprint(app, " ", path) }

// trace asks source maps where the leads in bundles were written, and looks into the sources of
// maps that came without their bundle.
func (s *search) trace() {
	for key, bundle := range s.maps.bundles {
		doc, err := open(bundle.path, bundle.data)
		if err != nil {
			continue // said when it was searched
		}
		m := s.mapOf(bundle, doc)
		for i := range s.found {
			if f := &s.found[i]; bundleKey(f.App, f.File) == key {
				if source := sourceOf(doc, m, f); source != nil {
					f.Place.Source = source
				}
				first := f.Place.Source
				f.Place.Source = s.follow(first)
				f.ofBundle = first == f.Place.Source && m != nil && len(m.Files()) == 1
				f.settle()
			}
		}
	}
	for _, kept := range s.maps.maps {
		if !kept.used && kept.app >= 0 {
			s.searchSources(kept)
		}
	}
	s.maps = mapShelf{}
}

// mapOf returns the source map of a bundle: the one that lies beside it or that it names, else
// the one that the user named for it.
func (s *search) mapOf(bundle *keptFile, doc reading.Document) *script.Map {
	named := ""
	if js, ok := doc.(*script.Doc); ok {
		named = js.MapName()
	}
	if data, ok := script.DataURL(named); ok {
		m, _ := script.OpenMap(bundle.path, data)
		return m
	}
	var given []*keptFile
	for _, kept := range s.maps.maps {
		switch {
		case kept.app < 0:
			given = append(given, kept)
		case kept.app == bundle.app && (kept.path == bundle.path+".map" || named != "" && kept.path == path.Join(path.Dir(bundle.path), named)):
			return s.openMap(kept)
		}
	}
	for _, kept := range given {
		if base := path.Base(strings.ReplaceAll(kept.path, `\`, "/")); len(given) == 1 || base == path.Base(bundle.path)+".map" {
			return s.openMap(kept)
		}
	}
	return nil
}

func (s *search) openMap(kept *keptFile) *script.Map {
	m, err := script.OpenMap(path.Base(kept.path), kept.data)
	if err != nil {
		s.fail(kept.path, err)
		return nil
	}
	kept.used = true
	return m
}

// sourceOf returns where a lead was written.
func sourceOf(doc reading.Document, m *script.Map, f *found) *reading.Source {
	if m == nil {
		return nil
	}
	switch doc := doc.(type) {
	case *script.Doc:
		at := int(f.Offset)
		return doc.WithMap(m).Place(at, at+1).Source
	case *hermes.Bytecode:
		for _, u := range f.Place.Users {
			line, column := doc.MapPosition(u.Offset)
			if source := m.At(line, column-1); source != nil {
				return source
			}
		}
	}
	return nil
}

// settle gives a source that is named in relation to its map the folder of the bundle beside
// which the map lies: in a package of a source tree, that says whose it is.
func (f *found) settle() {
	source := f.Place.Source
	if source == nil || !strings.Contains(f.File, "node_modules/") || strings.Contains(source.File, "node_modules/") || strings.Contains(source.File, ":") || path.IsAbs(source.File) {
		return
	}
	settled := *source
	settled.File = path.Join(path.Dir(f.File), source.File)
	f.Place.Source = &settled
}

// mostSteps is how often code may have been made of other code: bytecode of a bundle of sources.
const mostSteps = 4

// follow asks the map of a source that was made of others itself, as bytecode is made of a bundle.
func (s *search) follow(source *reading.Source) *reading.Source {
	for range mostSteps {
		if source == nil {
			return nil
		}
		next := (*reading.Source)(nil)
		for _, kept := range s.maps.maps {
			if path.Base(kept.path) == path.Base(source.File)+".map" {
				if m := s.openMap(kept); m != nil {
					next = m.At(source.Line, source.Column-1)
				}
			}
		}
		if next == nil {
			return source
		}
		source = next
	}
	return source
}

// searchSources searches the sources that a map holds as if they were files of the app.
func (s *search) searchSources(kept *keptFile) {
	m, err := script.OpenMap(kept.path, kept.data)
	if err != nil {
		s.fail(kept.path, err)
		return
	}
	m.Contents(func(file string, text []byte) bool {
		first := len(s.found)
		inside := strings.TrimLeft(path.Clean("/"+file), "/")
		_ = s.file(app.File{App: kept.app, Path: kept.path + "!/" + inside, Size: int64(len(text)), Data: text})
		for i := first; i < len(s.found); i++ {
			p := &s.found[i].Place
			p.Source = &reading.Source{File: file, Line: p.Line, Column: p.Column, By: path.Base(kept.path)}
		}
		return true
	})
}
