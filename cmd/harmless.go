package cmd

import (
	"bytes"
	"io"
	"os"
	"strings"

	"telltale/flow/plain"
)

// harmless returns a text of several lines for people, in which what came from
// elsewhere, as the name of a file in an archive does, cannot act on a terminal or
// pass for a workflow command of a CI system.
func harmless(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		line = strings.ReplaceAll(line, "\t", "    ")
		if strings.ContainsFunc(line, hides) {
			line = plain.Text(line)
		}
		lines[i] = inert(line)
	}
	return strings.Join(lines, "\n")
}

// hides reports whether a character does not show as itself. Marks that combine with
// others do, in names of many languages.
func hides(r rune) bool { return !plain.Shows(r) && plain.Text("e"+string(r)) != "e"+string(r) }

// inert returns a line that GitHub's runner takes for text: a command begins with "::"
// after white space, or has "##[" anywhere (ActionCommand of actions/runner).
func inert(line string) string {
	if rest := strings.TrimSpace(line); strings.HasPrefix(rest, "::") {
		line = strings.Replace(line, "::", `:\:`, 1)
	}
	return strings.ReplaceAll(line, "##[", `#\#[`)
}

// onGitHub reports whether the program runs in a step of GitHub Actions
// (docs.github.com/actions, "Default environment variables").
func onGitHub() bool { return os.Getenv("GITHUB_ACTIONS") == "true" }

// printTo writes a document of a format to standard output. Where GitHub's runner reads
// it, no line of a text is a command; the other formats see to that themselves.
func printTo(out io.Writer, format string, write func(io.Writer) error) error {
	if onGitHub() && (format == "text" || format == "markdown") {
		return writeInert(out, write)
	}
	return write(out)
}

// writeInert writes what write does, a document for people, so that no line of it is a
// command.
func writeInert(out io.Writer, write func(io.Writer) error) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	lines := strings.SplitAfter(b.String(), "\n")
	for i, line := range lines {
		lines[i] = inert(line)
	}
	_, err := io.WriteString(out, strings.Join(lines, ""))
	return err
}

// maskedError is an error that may quote a capture, without never-send values.
type maskedError struct {
	error
	mask func(string) string
}

func (m maskedError) Error() string { return m.mask(m.error.Error()) }
func (m maskedError) Unwrap() error { return m.error }

// masked takes never-send values out of an error; a nil mask changes nothing.
func masked(err error, mask func(string) string) error {
	if mask == nil {
		return err
	}
	return maskedError{err, mask}
}
