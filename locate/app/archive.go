package app

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// A format is what an archive is.
type format int

const (
	none format = iota
	zipFormat
	gzipFormat
	tarFormat
)

// zipNames are the endings of what is a zip archive even where something stands before it.
var zipNames = []string{".apk", ".aab", ".aar", ".jar", ".ipa", ".zip", ".xapk", ".apks", ".apkm"}

// sniff tells an archive by its first bytes. A zip archive is found from its end, so
// that whatever has such a name, or is the app itself, may be one.
func sniff(head []byte, name string, root bool) format {
	switch {
	case bytes.HasPrefix(head, []byte(localSignature)), bytes.HasPrefix(head, []byte(endSignature)):
		return zipFormat
	case bytes.HasPrefix(head, []byte("\x1f\x8b\x08")): // RFC 1952, 2.3
		return gzipFormat
	case len(head) >= 263 && string(head[257:262]) == "ustar": // POSIX.1-1988 and GNU
		return tarFormat
	case root, slices.Contains(zipNames, strings.ToLower(path.Ext(name))):
		return zipFormat
	}
	return none
}

// unpack adds the files of an archive. It reports false where it is none after all, and
// must be visited as it is.
func (w *walker) unpack(j *job, o opened, f format, open *shelf) bool {
	if j.pack == nil {
		j.pack = &pack{allowed: max(bombFrom, j.size*w.limits.Ratio)}
		if !j.root {
			j.pack.path = j.path
		}
	}
	raw := o.raw
	if raw == nil {
		r, err := o.stream()
		if err != nil {
			w.fail(j, reason(err))
			return true
		}
		defer r.Close()
		var spooled *shelf
		raw, spooled, err = w.spool(r, o.size)
		if spooled != nil {
			defer spooled.release()
		}
		if err != nil {
			w.fail(j, reason(err))
		}
		if raw == nil || errors.Is(err, errSpooled) {
			return true
		}
		open = spooled
	}
	switch f {
	case gzipFormat:
		return w.unpackGzip(j, raw, open)
	case tarFormat:
		return w.unpackTar(j, raw, open)
	default:
		return w.unpackZip(j, raw, open)
	}
}

// namesArchive reports whether the name of a file is one that only archives have.
func namesArchive(file string) bool {
	switch strings.ToLower(path.Ext(file)) {
	case ".apk", ".aab", ".apks", ".xapk", ".apkm", ".aar", ".ipa", ".zip", ".jar":
		return true
	}
	return false
}

// within is the path of a file in an archive.
func within(j *job, name string) string {
	name = strings.ReplaceAll(name, `\`, "/") // as some write it on Windows
	if j.root {
		return name
	}
	return j.path + "!/" + name
}

func (w *walker) child(j *job, name string, size int64, from source, open *shelf) *job {
	c := &job{app: j.app, path: within(j, name), size: size, depth: j.depth + 1, pack: j.pack, from: from}
	if !w.countFile(j.app, j.path) {
		return nil
	}
	if climbs(name) {
		w.fail(c, errors.New("its name leads out of the archive, and would be written there if somebody unpacked it; it was searched"))
	}
	c.in = open.hold()
	return c
}

// climbs reports whether a name leads out of the folder that an archive is unpacked to.
func climbs(name string) bool {
	name = strings.ReplaceAll(name, `\`, "/")
	return strings.HasPrefix(name, "/") || len(name) > 1 && name[1] == ':' || slices.Contains(strings.Split(name, "/"), "..")
}

func (w *walker) unpackZip(j *job, raw *io.SectionReader, open *shelf) bool {
	d, err := readDirectory(raw, w.limits.Files+1)
	if err != nil {
		switch {
		case begins(raw, localSignature):
			w.fail(j, errors.New("it begins as a zip archive, and none of its files can be found; its bytes were searched as they are"))
		case j.root && namesArchive(j.path):
			w.fail(j, errors.New("it is no zip archive, though its name is that of one; its bytes were searched as they are"))
		}
		return false
	}
	if d.damage != nil {
		w.fail(j, d.damage)
	}
	for _, note := range d.notes {
		j.app.note(j.path, note)
	}
	if j.root {
		j.app.setKind(kindOfZip(j.app.path, raw, d.members))
	}
	names := make(map[string]bool, len(d.members))
	var jobs []*job
	if d.begins > 0 {
		if c := w.child(j, "(before the archive)", d.begins, part{io.NewSectionReader(raw, 0, d.begins)}, open); c != nil {
			c.asIs = true // it may begin as an archive whose directory was replaced
			jobs = append(jobs, c)
		}
	}
	for _, m := range d.members {
		if strings.HasSuffix(m.name, "/") && m.size == 0 {
			continue
		}
		if names[m.name] {
			j.app.note(j.path, "it has more than one "+display(m.name))
		}
		names[m.name] = true
		if c := w.child(j, m.name, m.size, zipSource{archive: raw, member: m}, open); c != nil {
			jobs = append(jobs, c)
		}
	}
	w.queue.add(jobs...)
	return true
}

func begins(raw io.ReaderAt, signature string) bool {
	b := make([]byte, len(signature))
	n, _ := raw.ReadAt(b, 0)
	return string(b[:n]) == signature
}

// unpackTar adds the files of a tar archive. Links in it have no content of their own.
func (w *walker) unpackTar(j *job, raw *io.SectionReader, open *shelf) bool {
	r := io.NewSectionReader(raw, 0, raw.Size())
	files := tar.NewReader(r)
	var jobs []*job
	npm := false
	for w.ctx.Err() == nil {
		header, err := files.Next()
		if err == io.EOF {
			break
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			w.fail(j, fmt.Errorf("the archive is damaged after %s: %w", count(len(jobs), "file", "files"), err))
			break
		}
		npm = npm || header.Name == "package/package.json"
		if withoutContent(header.Typeflag) {
			continue
		}
		// The reader stands where the content begins, for it reads whole blocks and no more.
		at, _ := r.Seek(0, io.SeekCurrent) // it only fails for other places
		content := io.NewSectionReader(raw, at, min(header.Size, max(raw.Size()-at, 0)))
		c := w.child(j, header.Name, content.Size(), part{content}, open)
		if c == nil {
			break
		}
		if isSparse(header) {
			w.fail(c, errors.New("not searched: it is a sparse file, which is stored without its gaps; unpack the archive yourself, and name the folder"))
			c.in.release()
			continue
		}
		if content.Size() < header.Size {
			w.fail(c, fmt.Errorf("it is broken off: %d of its %d bytes are there", content.Size(), header.Size))
		}
		jobs = append(jobs, c)
	}
	if j.root {
		j.app.setKind(kindOfTar(j.app.path, npm))
	}
	w.queue.add(jobs...)
	return true
}

// withoutContent reports whether an entry of a tar archive is only a name. What POSIX does not
// know is to be treated as a regular file (pax, "ustar Interchange Format", typeflag).
func withoutContent(typeflag byte) bool {
	switch typeflag {
	case tar.TypeLink, tar.TypeSymlink, tar.TypeChar, tar.TypeBlock, tar.TypeDir, tar.TypeFifo, tar.TypeXGlobalHeader:
		return true
	}
	return false
}

// isSparse reports whether the bytes of a file are not stored one after the other (GNU tar
// manual, "Storing Sparse Files").
func isSparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}
