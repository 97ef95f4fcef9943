package locate

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"telltale/locate/app"
	"telltale/locate/hermes"
	"telltale/locate/reading"
	"telltale/locate/script"
)

// A mapShelf keeps source maps, and the bundles with leads in them, until all files were
// seen: a map may come before its bundle or behind it. Where they are more than may be held, it
// keeps the first ones of their order, and not those that happened to come first.
type mapShelf struct {
	given []*keptFile // maps that the user named
	kept  []*keptFile // those of the apps, in their order
	held  int64
	cut   *keptFile // the first in their order that was not kept; nil for none
	bad   []*keptFile
}

// A keptFile is a source map or a bundle.
type keptFile struct {
	app  int // -1 for a map that the user named
	path string
	data []byte
	m    *script.Map // nil for a bundle
	err  error       // of a file that is called a map and is none, which is kept without data
	used bool        // it said something of a lead
}

// mostKept is how much memory maps and bundles may take, in bytes.
const mostKept = 64 << 20

// compare orders what is kept: bundles, maps, and last maps of other packages, which mostly have no
// bundle here.
func (k *keptFile) compare(o *keptFile) int {
	return cmp.Or(cmp.Compare(k.rank(), o.rank()), cmp.Compare(k.app, o.app), strings.Compare(k.path, o.path))
}

func (k *keptFile) rank() int {
	switch {
	case k.m == nil:
		return 0
	case !strings.Contains(k.path, "node_modules/"):
		return 1
	}
	return 2
}

// put keeps a file, and returns those that are kept no longer for it: itself, maybe.
func (m *mapShelf) put(k *keptFile) (out []*keptFile) {
	if m.cut != nil && k.compare(m.cut) > 0 {
		return []*keptFile{k}
	}
	at, _ := slices.BinarySearchFunc(m.kept, k, (*keptFile).compare)
	m.kept = slices.Insert(m.kept, at, k)
	m.held += int64(len(k.data))
	for m.held > mostKept {
		last := len(m.kept) - 1
		m.cut = m.kept[last]
		m.held -= int64(len(m.cut.data))
		out = append(out, m.cut)
		m.kept = m.kept[:last]
	}
	return out
}

// nameMaps takes the maps that the user named.
func (s *search) nameMaps(files []string) error {
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("cannot read the source map: %w", err)
		}
		m, err := script.OpenMap(filepath.Base(file), data)
		if err != nil {
			return fmt.Errorf("%s is no source map: %w", file, err)
		}
		s.maps.given = append(s.maps.given, &keptFile{app: -1, path: filepath.ToSlash(file), m: m})
	}
	return nil
}

// keepMap takes over a file that is a source map. It is not searched by itself as long as its bundle
// is: it has what the build left out, too.
func (s *search) keepMap(f app.File) bool {
	if path.Ext(f.Path) != ".map" || f.Size > mostKept {
		return false
	}
	if _, err := script.OpenMap(path.Base(f.Path), f.Data); err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.maps.bad = append(s.maps.bad, &keptFile{app: f.App, path: f.Path, err: err})
		return false
	}
	data := bytes.Clone(f.Data) // which outlives the file's own
	m, err := script.OpenMap(path.Base(f.Path), data)
	if err != nil {
		return false
	}
	s.shelve(&keptFile{app: f.App, path: f.Path, data: data, m: m})
	return true
}

// keepBundle takes over a file with leads that a source map may know more of.
func (s *search) keepBundle(x *examination) {
	switch x.doc.(type) {
	case *script.Doc, *hermes.Bytecode:
	default:
		return
	}
	if len(x.found) > 0 && x.file.Size <= mostKept {
		s.shelve(&keptFile{app: x.file.App, path: x.file.Path, data: bytes.Clone(x.file.Data)})
	}
}

// shelve keeps a file, and searches the maps for which that leaves no room.
func (s *search) shelve(k *keptFile) {
	s.mu.Lock()
	out := s.maps.put(k)
	s.mu.Unlock()
	for _, k := range out {
		if k.m != nil {
			s.searchMap(k)
		}
	}
}

// trace asks source maps where the leads in bundles were written, and looks into maps that came
// without their bundle. The error says that ctx was cancelled.
func (s *search) trace(ctx context.Context) error {
	type file struct {
		app  int
		path string
	}
	leads := map[file][]int{}
	for i, f := range s.found {
		leads[file{f.App, f.File}] = append(leads[file{f.App, f.File}], i)
	}
	for _, kept := range s.maps.kept {
		if err := ctx.Err(); err != nil {
			return err
		}
		switch {
		case kept.m == nil:
			s.traceBundle(ctx, kept, leads[file{kept.app, kept.path}])
		case !kept.used:
			s.searchMap(kept) // it stands behind all bundles
		}
	}
	s.maps = mapShelf{}
	return ctx.Err()
}

// traceBundle says where the leads in a bundle were written.
func (s *search) traceBundle(ctx context.Context, bundle *keptFile, leads []int) {
	doc, err := open(bundle.path, bundle.data)
	if err != nil {
		return // said when it was searched
	}
	first := s.mapOf(bundle, doc)
	ofOne := first != nil && len(first.m.Files()) == 1
	for _, i := range leads {
		if ctx.Err() != nil {
			return
		}
		f, by := &s.found[i], first
		if by != nil {
			if source := sourceOf(doc, by.m, f); source != nil {
				f.Place.Source = source
			}
		}
		if by == nil {
			by = &keptFile{app: bundle.app, path: bundle.path} // its own debug information
		}
		source, last := s.follow(f.Place.Source, by)
		f.ofBundle = ofOne && source == f.Place.Source
		f.Place.Source = source
		f.settle(last)
	}
}

// mapOf returns the source map of a bundle: the one that it holds or names, or that lies beside it,
// else the one that the user named for it.
func (s *search) mapOf(bundle *keptFile, doc reading.Document) *keptFile {
	named := ""
	if js, ok := doc.(*script.Doc); ok {
		named = js.MapName()
	}
	if data, ok := script.DataURL(named); ok {
		m, err := script.OpenMap(bundle.path, data)
		if err != nil {
			return nil
		}
		return &keptFile{app: bundle.app, path: bundle.path, m: m}
	}
	if named != "" {
		if kept := s.mapAt(bundle.app, path.Join(path.Dir(bundle.path), named)); kept != nil {
			return kept
		}
	}
	if kept := s.mapAt(bundle.app, bundle.path+".map"); kept != nil {
		return kept
	}
	if len(s.maps.given) == 1 {
		return s.maps.given[0]
	}
	return s.givenFor(bundle.path)
}

// mapAt returns the source map at a path in an app, nil where there is none. That it is damaged is
// said where it is asked for, once.
func (s *search) mapAt(of int, path string) *keptFile {
	for _, kept := range s.maps.kept {
		if kept.m != nil && kept.app == of && kept.path == path {
			kept.used = true
			return kept
		}
	}
	for _, bad := range s.maps.bad {
		if bad.app == of && bad.path == path && !bad.used {
			bad.used = true
			s.fail(of, path, bad.err)
		}
	}
	return nil
}

// givenFor returns the only map that the user named which is called as that of a file; nil without one.
func (s *search) givenFor(file string) (only *keptFile) {
	name := path.Base(strings.ReplaceAll(file, `\`, "/")) + ".map"
	for _, kept := range s.maps.given {
		if path.Base(kept.path) == name {
			if only != nil {
				return nil
			}
			only = kept
		}
	}
	return only
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

// settle gives a source that is named in relation to its map the folder of that map: in a package of a
// source tree, that says whose it is.
func (f *found) settle(by *keptFile) {
	source := f.Place.Source
	if source == nil || by.app < 0 || !strings.Contains(by.path, "node_modules/") || strings.Contains(source.File, "node_modules/") || !relative(source.File) {
		return
	}
	settled := *source
	settled.File = path.Join(path.Dir(by.path), source.File)
	f.Place.Source = &settled
}

// relative reports whether a source is named in relation to its map, and by no URL or full path.
func relative(file string) bool { return !strings.Contains(file, ":") && !path.IsAbs(file) }

// mostSteps is how often code may have been made of other code: bytecode of a bundle of sources.
const mostSteps = 4

// follow asks the map of a source that was made of others itself, as bytecode is made of a bundle: the
// map beside it, or else one that the user named. It returns the last map that it asked, too.
func (s *search) follow(source *reading.Source, by *keptFile) (*reading.Source, *keptFile) {
	asked := []*keptFile{by}
	for range mostSteps {
		if source == nil {
			break
		}
		var next *keptFile
		if by.app >= 0 && relative(source.File) {
			next = s.mapAt(by.app, path.Join(path.Dir(by.path), source.File)+".map")
		}
		if next == nil {
			next = s.givenFor(source.File)
		}
		if next == nil || slices.Contains(asked, next) {
			break
		}
		made := next.m.At(source.Line, source.Column-1)
		if made == nil {
			break
		}
		source, by, asked = made, next, append(asked, next)
	}
	return source, by
}

// searchMap searches a map that came without its bundle: the sources that it holds, as if they were
// files of the app, and then its own bytes for what these do not have.
func (s *search) searchMap(kept *keptFile) {
	inSources := map[string]bool{}
	kept.m.Contents(func(file string, text []byte) bool {
		inside := strings.TrimLeft(path.Clean("/"+file), "/")
		x := s.examine(app.File{App: kept.app, Path: kept.path + "!/" + inside, Size: int64(len(text)), Data: text})
		for i := range x.found {
			p := &x.found[i].Place
			p.Source = &reading.Source{File: file, Line: p.Line, Column: p.Column, By: path.Base(kept.path)}
			inSources[x.found[i].Wanted] = true
		}
		s.keep(x)
		return true
	})
	x := s.examine(app.File{App: kept.app, Path: kept.path, Size: int64(len(kept.data)), Data: kept.data})
	x.found = slices.DeleteFunc(x.found, func(f found) bool { return inSources[f.Wanted] })
	s.keep(x)
}
