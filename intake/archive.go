package intake

import (
	"archive/zip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// archive reads the captures in a ZIP archive, as Playwright writes one with its
// bodies, and as CI systems pack what a job leaves. One that holds a single
// capture goes by its own name.
func (r *reading) archive(in input, f *os.File, size int64) []Info {
	defer r.set.done.Add(size) // of members, only the whole counts
	digest := fileDigest(in.path)
	broken := func(err error) []Info { return []Info{{File: in.name, SHA256: digest, Err: err}} }
	z, err := zip.NewReader(&packedFile{f, &r.expansion}, size)
	if err != nil {
		return broken(fmt.Errorf("%s: expected a ZIP archive, as its first bytes promise: %w", in.name, err))
	}
	infos := r.members(in.name, z, 0)
	switch {
	case len(infos) == 0:
		return broken(&archiveError{file: in.name, found: foundInstead(z)})
	case len(infos) == 1 && infos[0].File == in.name:
		infos[0].SHA256 = digest
	}
	return infos
}

// maxNesting is how deep archives in archives are opened: a CI system packs what
// Playwright has packed.
const maxNesting = 1

// members reads the captures of an archive, those in its archives too.
func (r *reading) members(name string, z *zip.Reader, depth int) (infos []Info) {
	captures, beside := captureMembers(z), r.byName(z)
	for _, m := range captures {
		place := name + "/" + shown(m.Name)
		if len(captures) == 1 && !isArchiveName(m.Name) {
			place = name
		}
		switch {
		case m.Flags&encrypted != 0:
			infos = append(infos, Info{File: place, Err: fmt.Errorf("%s: it is encrypted in its archive; expected one without a password", place)})
		case !isArchiveName(m.Name):
			infos = append(infos, r.member(place, m, beside))
		case depth >= maxNesting:
			infos = append(infos, Info{File: place, Err: &packedError{file: place, what: "an archive in an archive in an archive"}})
		default:
			infos = append(infos, r.nested(place, m, depth)...)
		}
	}
	return infos
}

// captureMembers returns the members that may be captures, or archives with some, in
// the archive's order. What macOS puts beside each file is none, nor is a table that
// lists no contacts.
func captureMembers(z *zip.Reader) []*zip.File {
	var all []*zip.File
	for _, m := range z.File {
		if !m.Mode().IsRegular() || !hasCaptureName(path.Base(m.Name)) || strings.HasPrefix(m.Name, "__MACOSX/") {
			continue
		}
		if !mayBeAnything(m.Name) || memberHoldsContacts(m) {
			all = append(all, m)
		}
	}
	return all
}

// memberHoldsContacts looks at the first bytes of a member. One that cannot be unpacked
// says so when it is read.
func memberHoldsContacts(m *zip.File) bool {
	if m.Flags&encrypted != 0 {
		return true
	}
	content, err := m.Open()
	if err != nil {
		return true
	}
	defer content.Close()
	return holdsContacts(content)
}

// encrypted is the flag of a member that needs a password (APPNOTE 4.4.4).
const encrypted = 1

// member reads a capture. Names of what lies beside it reach nothing outside of the
// archive.
func (r *reading) member(name string, m *zip.File, beside map[string]*zip.File) Info {
	content, err := m.Open()
	if err != nil {
		return Info{File: name, Err: fmt.Errorf("%s: cannot unpack it: %w", name, err)}
	}
	defer content.Close()
	return r.stream(name, &interruptibleReader{r.ctx, r.expansion.limit(content)}, func(attached string) (io.ReadCloser, error) {
		return r.openMember(beside[path.Join(path.Dir(m.Name), attached)])
	})
}

// nested reads the captures of an archive in an archive. It is unpacked to a file
// first: the directory of an archive stands at its end. One that holds none is no
// error: it was nobody's wish to have it read.
func (r *reading) nested(name string, m *zip.File, depth int) []Info {
	broken := func(err error) []Info {
		return []Info{{File: name, Err: fmt.Errorf("%s: cannot unpack the archive in its archive: %w", name, err)}}
	}
	content, err := m.Open()
	if err != nil {
		return broken(err)
	}
	defer content.Close()
	unpacked, err := os.CreateTemp("", temporary) // 0600
	if err != nil {
		return broken(err)
	}
	defer os.Remove(unpacked.Name())
	defer unpacked.Close()
	size, err := io.Copy(unpacked, &interruptibleReader{r.ctx, r.expansion.limit(content)})
	if err != nil {
		return broken(err)
	}
	z, err := zip.NewReader(unpacked, size)
	if err != nil {
		return broken(err)
	}
	return r.members(name, z, depth+1)
}

// byName finds the members that captures may name, of several with one name the first.
func (r *reading) byName(z *zip.Reader) map[string]*zip.File {
	if !r.opts.contents() {
		return nil
	}
	members := make(map[string]*zip.File, len(z.File))
	for _, m := range z.File {
		if members[m.Name] == nil {
			members[m.Name] = m
		}
	}
	return members
}

// openMember opens what lies beside a capture in the archive; m is nil when nothing
// does.
func (r *reading) openMember(m *zip.File) (io.ReadCloser, error) {
	if m == nil {
		return nil, fs.ErrNotExist
	}
	content, err := m.Open()
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{r.expansion.limit(content), content}, nil
}

// archiveError says that a ZIP archive holds no capture.
type archiveError struct {
	file  string
	found string // what the archive is instead; "" when that is not known
}

// Error names the file and what was expected.
func (e *archiveError) Error() string {
	found := ""
	if e.found != "" {
		found = ", found " + e.found
	}
	return fmt.Sprintf("%s: expected a capture in the archive (%s)%s", e.file, strings.Join(Extensions, ", "), found)
}

// Hint says how to get a capture instead.
func (e *archiveError) Hint() string {
	switch e.found {
	case playwrightTrace:
		return "record a HAR beside the trace: browser.newContext({ recordHar: { path: 'run.har.zip' } })"
	case fiddlerArchive:
		return "in Fiddler: File › Export Sessions › HTTPArchive v1.2"
	}
	return ""
}

// What else comes as a ZIP archive.
const (
	playwrightTrace = "a trace of Playwright"
	fiddlerArchive  = "a session archive of Fiddler"
)

func foundInstead(z *zip.Reader) string {
	for _, m := range z.File {
		switch {
		case strings.HasSuffix(m.Name, ".trace"):
			return playwrightTrace
		case strings.HasPrefix(m.Name, "raw/") && strings.HasSuffix(m.Name, "_c.txt"):
			return fiddlerArchive
		}
	}
	return ""
}
