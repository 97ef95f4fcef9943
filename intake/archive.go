package intake

import (
	"archive/zip"
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync/atomic"
)

// archive reads the captures in a ZIP archive, as Playwright writes one with its
// bodies, and as CI systems pack what a job leaves. One that holds a single
// capture goes by its own name.
func (r *reading) archive(in input, f *os.File, size int64) []Info {
	defer r.set.done.Add(size) // of members, only the whole counts
	digest := fileDigest(in.path)
	broken := func(err error) []Info { return []Info{{File: in.name, SHA256: digest, Err: err}} }
	z, err := zip.NewReader(f, size)
	if err != nil {
		return broken(fmt.Errorf("%s: expected a ZIP archive, as its first bytes promise: %w", in.name, err))
	}
	members := captureMembers(z)
	if len(members) == 0 {
		return broken(&ArchiveError{File: in.name, Found: foundInstead(z)})
	}
	if len(members) == 1 {
		info := r.member(in.name, z, members[0])
		info.SHA256 = digest
		return []Info{info}
	}
	var infos []Info
	for _, m := range members {
		infos = append(infos, r.member(in.name+"/"+m.Name, z, m))
	}
	return infos
}

// captureMembers returns the members that are captures, in the archive's order.
func captureMembers(z *zip.Reader) []*zip.File {
	var all []*zip.File
	for _, m := range z.File {
		if m.Mode().IsRegular() && hasCaptureName(m.Name) && !isArchiveName(m.Name) {
			all = append(all, m)
		}
	}
	return all
}

// encrypted is the flag of a member that needs a password (APPNOTE 4.4.4).
const encrypted = 1

func (r *reading) member(name string, z *zip.Reader, m *zip.File) Info {
	if m.Flags&encrypted != 0 {
		return Info{File: name, Err: fmt.Errorf("%s: the capture in the archive is encrypted; expected one without a password", name)}
	}
	content, err := m.Open()
	if err != nil {
		return Info{File: name, Err: fmt.Errorf("%s: cannot unpack the capture: %w", name, err)}
	}
	defer content.Close()
	return r.stream(name, &counted{ctx: r.ctx, r: bounded(m, content), done: new(atomic.Int64)}, func(attached string) (io.ReadCloser, error) {
		return openMember(z, path.Join(path.Dir(m.Name), attached))
	})
}

// openMember opens what lies beside a capture in the archive. Names reach nothing
// outside of it.
func openMember(z *zip.Reader, name string) (io.ReadCloser, error) {
	for _, m := range z.File {
		if m.Name != name {
			continue
		}
		content, err := m.Open()
		if err != nil {
			return nil, err
		}
		return struct {
			io.Reader
			io.Closer
		}{bounded(m, content), content}, nil
	}
	return nil, fs.ErrNotExist
}

func bounded(m *zip.File, content io.Reader) io.Reader {
	return &expanding{r: bufio.NewReaderSize(content, 64<<10), packed: func() int64 { return int64(m.CompressedSize64) }}
}

// An ArchiveError says that a ZIP archive holds no capture.
type ArchiveError struct {
	File  string
	Found string // what the archive is instead; "" when that is not known
}

// Error names the file and what was expected.
func (e *ArchiveError) Error() string {
	found := ""
	if e.Found != "" {
		found = ", found " + e.Found
	}
	return fmt.Sprintf("%s: expected a capture in the archive (%s)%s", e.File, strings.Join(Extensions[:len(Extensions)-1], ", "), found)
}

// Hint says how to get a capture instead.
func (e *ArchiveError) Hint() string {
	switch e.Found {
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
