package locate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"telltale/declarations"
	"telltale/flow"
	"telltale/locate/app"
	"telltale/locate/inventory"
	"telltale/locate/library"
	"telltale/locate/reading"
	"telltale/policy/needle"
)

// Search looks for what is wanted in apps. Trouble with a part of an app is in the result; the
// error says that nothing could be done, or that ctx was cancelled.
func Search(ctx context.Context, apps []string, wanted Wanted, opts Options) (*Result, error) {
	s, err := newSearch(wanted, opts)
	if err != nil {
		return nil, err
	}
	if err := s.nameMaps(opts.SourceMaps); err != nil {
		return nil, err
	}
	infos, failures, err := app.Walk(ctx, apps, opts.Limits, opts.Workers, s.file)
	if err != nil {
		return nil, err
	}
	s.result.Failures = failures
	s.order()
	if err := s.trace(ctx); err != nil {
		return nil, err
	}
	return s.finish(infos), nil
}

// order puts what came from several goroutines into an order of its own.
func (s *search) order() {
	slices.SortStableFunc(s.set, func(a, b set) int {
		return cmp.Or(cmp.Compare(a.app, b.app), strings.Compare(a.file, b.file), cmp.Compare(a.Start, b.Start))
	})
	slices.SortStableFunc(s.found, func(a, b found) int {
		return cmp.Or(cmp.Compare(a.App, b.App), strings.Compare(a.File, b.File), cmp.Compare(a.Offset, b.Offset), strings.Compare(a.Text, b.Text))
	})
}

// A search is one run over apps. Its files come from several goroutines.
type search struct {
	names    []string // the hosts, then the strings
	hosts    int      // how many of them are hosts
	needles  *needles
	progress func(Progress)
	settings []string // names of settings that libraries have

	modules atomic.Int64 // bytes of modules that are kept

	mu         sync.Mutex // guards what follows
	result     Result
	kinds      map[string]int
	troubles   []trouble
	found      []found
	set        []set
	identities []identity
	parts      map[int][]inventory.Component      // of each app
	declared   map[int][]declarations.Declaration // likewise
	maps       mapShelf
}

// A found is a lead with what tells whose it is, until all files were read.
type found struct {
	Lead
	around   []byte // the text of its module
	claims   []library.Claim
	ofBundle bool // its source is a bundle, of which no map says more
}

// A trouble is what is wrong with a file, until it is known how its app is called.
type trouble struct {
	app  int
	file string
	err  error
}

// An identity is what a file says of the app it belongs to.
type identity struct {
	reading.Identity
	app  int
	file string
}

// MinString is the length of the shortest string that can be looked for, in bytes.
const MinString = needle.MinForm

func newSearch(wanted Wanted, opts Options) (*search, error) {
	s := &search{progress: opts.Progress, kinds: map[string]int{}, parts: map[int][]inventory.Component{}, declared: map[int][]declarations.Declaration{}, settings: library.SettingNames()}
	s.result.Listed = len(wanted.Hosts) == 0 && len(wanted.Strings) == 0
	for _, host := range wanted.Hosts {
		if strings.ContainsAny(host, "*/ \t") {
			return nil, fmt.Errorf("%q is no host: name one, or look for a text with --string", host)
		}
		host = flow.CanonicalHost(host)
		if len(host) < MinString {
			return nil, fmt.Errorf("the host %q is too short to look for: at least %d characters are needed", host, MinString)
		}
		if !slices.Contains(s.names, host) {
			s.names = append(s.names, host)
		}
	}
	s.hosts = len(s.names)
	s.result.Wanted.Hosts = slices.Clone(s.names)
	for _, text := range wanted.Strings {
		if len(text) < MinString {
			return nil, fmt.Errorf("the string %q is too short to look for: at least %d bytes are needed", text, MinString)
		}
		if !slices.Contains(s.names[s.hosts:], text) {
			s.names = append(s.names, text)
		}
	}
	s.result.Wanted.Strings = slices.Clone(s.names[s.hosts:])
	s.needles = compile(s.names[:s.hosts], s.names[s.hosts:])
	return s, nil
}

// file examines one file of an app.
func (s *search) file(f app.File) error {
	s.count(f)
	if f.Data == nil {
		return s.stream(f)
	}
	if s.keepMap(f) {
		return nil // a source map says where texts come from
	}
	x := s.examine(f)
	s.keep(x)
	s.keepBundle(x)
	return nil
}

// examine searches a file that is in memory, and reads what it is made of.
func (s *search) examine(f app.File) *examination {
	doc, err := open(f.Path, f.Data)
	if err != nil {
		s.fail(f.App, f.Path, err)
	}
	x := &examination{search: s, file: f, doc: doc}
	x.run()
	return x
}

func (s *search) count(f app.File) {
	s.mu.Lock()
	s.result.Files++
	s.result.Bytes += f.Size
	p := Progress{File: f.Path, Files: s.result.Files, Bytes: s.result.Bytes}
	s.mu.Unlock()
	if s.progress != nil {
		s.progress(p)
	}
}

// fail notes what is wrong with a file.
func (s *search) fail(app int, file string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.troubles = append(s.troubles, trouble{app, file, err})
}

// keep takes over what one file has said.
func (s *search) keep(x *examination) {
	parts, partsErr := components(x.file)
	settings := x.settings()
	declared := x.declared()
	var id reading.Identity
	if doc, ok := x.doc.(reading.Identifier); ok {
		id = doc.Identity()
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.found = append(s.found, x.found...)
	s.set = append(s.set, settings...)
	s.declared[x.file.App] = append(s.declared[x.file.App], declared...)
	s.parts[x.file.App] = append(s.parts[x.file.App], parts...)
	if partsErr != nil {
		s.troubles = append(s.troubles, trouble{x.file.App, x.file.Path, partsErr})
	}
	if id != (reading.Identity{}) {
		s.identities = append(s.identities, identity{id, x.file.App, x.file.Path})
	}
	if x.doc == nil {
		return
	}
	s.kinds[x.doc.Kind()]++
	for _, note := range x.doc.Notes() {
		s.result.Unread = append(s.result.Unread, Unread{x.file.Path, note})
	}
}

// components returns the components that a file names.
func components(f app.File) ([]inventory.Component, error) {
	if !inventory.Knows(f.Path) || int64(len(f.Data)) != f.Size {
		return nil, nil // a window of a file is none
	}
	return inventory.Read(f.Path, f.Data)
}

// Files that are too large to be held are searched in windows. Half of what two of them share
// belongs to either, so that a match has its surroundings.
const (
	windowSize = 4 << 20
	overlap    = 4 << 10
)

// stream searches a file that is too large to be understood, as bytes.
func (s *search) stream(f app.File) error {
	content, err := f.Open()
	if err != nil {
		s.fail(f.App, f.Path, err)
		return nil
	}
	defer content.Close()
	window := make([]byte, 0, windowSize)
	for base := int64(0); ; {
		n, err := io.ReadFull(content, window[len(window):windowSize])
		window = window[:len(window)+n]
		x := examination{search: s, file: f, base: base}
		x.file.Data = window
		if base > 0 {
			x.from = overlap / 2
		}
		if err == nil {
			x.until = len(window) - overlap/2
		}
		x.run()
		s.keep(&x)
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				s.fail(f.App, f.Path, err)
			}
			break
		}
		base += int64(len(window) - overlap)
		window = append(window[:0], window[len(window)-overlap:]...)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.result.Unread = append(s.result.Unread, Unread{f.Path, "it is so large that it was searched as bytes, without looking at its structure"})
	return nil
}
