package reports

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"telltale/capture"
)

// This file names files for programs that look them up in a checked-out
// repository: forward slashes, relative to the working folder where that is
// possible, which is where a CI job has the repository.

// A spot is where a violation shows in a file that a reader can open.
type spot struct {
	file string // as the user named it; "" when there is no file
	line int    // 1-based; 0 when unknown
	note string // what stands there
}

// spotOf returns the line of the policy file that decided, or, when no file did,
// the first entry of a capture that shows the violation.
func (r *Report) spotOf(v capture.Violation) spot {
	if s := v.Finding.Source; s.File != "" {
		return spot{s.File, s.Line, s.Text}
	}
	if shown := r.evidence(v, 1); len(shown) > 0 {
		return shown[0]
	}
	for _, c := range r.Captures {
		if c.File != "" {
			return spot{file: c.File}
		}
	}
	return spot{}
}

// spotOfAudit returns the file that stands for the whole audit.
func (r *Report) spotOfAudit() spot {
	if r.Policy.File != "" {
		return spot{file: r.Policy.File}
	}
	return r.spotOf(capture.Violation{})
}

// evidence returns where the first flows of a violation stand in files.
func (r *Report) evidence(v capture.Violation, limit int) []spot {
	var out []spot
	for _, ref := range v.Flows {
		if len(out) == limit {
			break
		}
		file := r.captureOf(ref)
		if file == "" {
			continue
		}
		at := spot{file: file, line: ref.Line}
		switch {
		case ref.Entry > 0:
			at.note = fmt.Sprintf("entry %d", ref.Entry)
		case ref.Line > 0:
			at.note = fmt.Sprintf("line %d", ref.Line)
		default:
			at.note = "a flow"
		}
		out = append(out, at)
	}
	return out
}

// workingFolder is the folder that relative names start from, "" when the system
// does not tell.
func workingFolder() string {
	folder, err := os.Getwd()
	if err != nil {
		return ""
	}
	return folder
}

// slashed returns a file's name with forward slashes, relative to the folder
// where the file lies below it. A name with a drive or a share is one of Windows
// on every system: the report may be written elsewhere than the capture.
func slashed(file, folder string) string {
	file, folder = forward(file), forward(folder)
	switch file {
	case "":
		return ""
	case standardInput:
		return "standard-input"
	}
	if !rooted(file) {
		file = path.Clean(file)
		if !strings.HasPrefix(file, "../") && file != ".." || folder == "" {
			return file
		}
		file = path.Join(folder, file)
	}
	share := strings.HasPrefix(file, "//")
	file = path.Clean(file)
	if share {
		file = "/" + file
	}
	base := strings.TrimSuffix(folder, "/") + "/"
	if folder != "" && len(file) > len(base) && (file[:len(base)] == base || hasDrive(file) && strings.EqualFold(file[:len(base)], base)) {
		return file[len(base):]
	}
	return file
}

// forward returns a name with the separators of this system, or of Windows where
// it can only be from there, as forward slashes.
func forward(file string) string {
	if hasDrive(file) || strings.HasPrefix(file, `\\`) {
		return strings.ReplaceAll(file, `\`, "/")
	}
	return filepath.ToSlash(file)
}

func hasDrive(file string) bool {
	return len(file) >= 3 && file[1] == ':' && (file[2] == '\\' || file[2] == '/') &&
		('a' <= file[0]|0x20 && file[0]|0x20 <= 'z')
}

func rooted(file string) bool { return strings.HasPrefix(file, "/") || hasDrive(file) }

// uriOf returns a name of slashed as a URI reference (RFC 3986): relative, or with
// the scheme file (RFC 8089). Every byte that is not unreserved is escaped, so that
// no name can be taken for a scheme, a query or a parent folder in disguise.
func uriOf(name string) string {
	prefix := ""
	switch {
	case strings.HasPrefix(name, "//"): // a share of Windows: its server is the host
		prefix = "file:"
	case strings.HasPrefix(name, "/"):
		prefix = "file://"
	case hasDrive(name):
		prefix, name = "file:///"+name[:2], name[2:]
	}
	const unreserved = "-._~/"
	var b strings.Builder
	b.WriteString(prefix)
	for i := 0; i < len(name); i++ {
		c := name[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(unreserved, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
