package cmd

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"telltale/capture"
	"telltale/flow"
	"telltale/har"
	"telltale/reports"
)

// standardInput is how the user names standard input.
const standardInput = "-"

// sqliteMagic starts every SQLite file, and so every capture of ours
// (https://www.sqlite.org/fileformat.html, 1.3.1).
var sqliteMagic = []byte("SQLite format 3\x00")

// captureExtensions are the files that a folder is searched for.
var captureExtensions = []string{".har", ".har.gz", ".telltale"}

// inputs reads the captures that the user named, any number of times.
type inputs struct {
	files  []string
	stdin  string // where standard input was kept; "" until it is read
	bodies bool   // load bodies and WebSocket messages
}

// findInputs resolves the arguments of a command to capture files, folders
// included. A folder that holds no capture is an error. A file that is named twice
// is read once, so that nothing is counted twice.
func findInputs(args []string) (*inputs, []error) {
	in := &inputs{}
	var troubles []error
	var seen []fs.FileInfo
	for _, arg := range args {
		files, err := captureFiles(arg)
		if err != nil {
			troubles = append(troubles, err)
			continue
		}
		for _, file := range files {
			if info, err := os.Stat(file); err == nil {
				if slices.ContainsFunc(seen, func(other fs.FileInfo) bool { return os.SameFile(info, other) }) {
					continue
				}
				seen = append(seen, info)
			}
			in.files = append(in.files, file)
		}
	}
	return in, troubles
}

func captureFiles(arg string) ([]string, error) {
	if arg == standardInput {
		return []string{arg}, nil
	}
	info, err := os.Stat(arg)
	if err != nil || !info.IsDir() {
		return []string{arg}, nil //nolint:nilerr // what cannot be opened says so when it is read, and in the report
	}
	var files []string
	err = filepath.WalkDir(arg, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && isCaptureName(d.Name()) {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot search the folder %s: %w", arg, err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("the folder %s holds no capture (%s)", arg, strings.Join(captureExtensions, ", "))
	}
	return files, nil // in lexical order, as WalkDir promises
}

func isCaptureName(name string) bool {
	for _, ext := range captureExtensions {
		if strings.HasSuffix(strings.ToLower(name), ext) {
			return true
		}
	}
	return false
}

// close removes what reading standard input left behind.
func (in *inputs) close() {
	if in.stdin != "" {
		os.Remove(in.stdin)
	}
}

// each hands every flow of every input to observe, in order. It returns one
// entry for each file, with the error of those that could not be read whole;
// flows that came before the damage were delivered.
func (in *inputs) each(ctx context.Context, observe func(*flow.Flow) error) ([]reports.CaptureInfo, []error) {
	var infos []reports.CaptureInfo
	var troubles []error
	for _, file := range in.files {
		info, err := in.read(ctx, file, observe)
		if err != nil {
			troubles = append(troubles, err)
			info.Error = err.Error()
		}
		infos = append(infos, info)
	}
	return infos, troubles
}

// read reads one input of either kind; its first bytes tell which it is.
func (in *inputs) read(ctx context.Context, name string, observe func(*flow.Flow) error) (reports.CaptureInfo, error) {
	path := in.path(name)
	f, err := os.Open(path)
	if err != nil {
		return reports.CaptureInfo{File: name}, fmt.Errorf("cannot read the capture: %w", err)
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 64<<10)
	if magic, _ := r.Peek(len(sqliteMagic)); bytes.Equal(magic, sqliteMagic) {
		return in.readCapture(ctx, name, path, observe)
	}
	return in.readHAR(name, r, observe)
}

// path returns the file to open for an input.
func (in *inputs) path(name string) string {
	if name == standardInput {
		return in.stdin
	}
	return name
}

// keepStdin copies standard input to a temporary file when an input names it. It
// is readable by its owner alone; reports may need a second pass over it.
func (in *inputs) keepStdin(stdin io.Reader) error {
	for _, name := range in.files {
		if name != standardInput || in.stdin != "" {
			continue
		}
		f, err := os.CreateTemp("", "telltale-stdin-*") // 0600
		if err != nil {
			return fmt.Errorf("cannot keep standard input: %w", err)
		}
		in.stdin = f.Name()
		_, err = io.Copy(f, stdin)
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("cannot keep standard input: %w", err)
		}
	}
	return nil
}

func (in *inputs) readHAR(name string, r io.Reader, observe func(*flow.Flow) error) (reports.CaptureInfo, error) {
	digest := &digester{r: r, hash: sha256.New()}
	info, err := har.Read(digest, har.Options{Name: name, Bodies: in.bodies}, observe)
	_, _ = io.Copy(io.Discard, digest) // the digest is of the whole file, also of one that broke off
	return reports.CaptureInfo{File: name, Entries: info.Entries, Producer: info.Producer, Skipped: info.Skipped, Notes: info.Notes, SHA256: digest.String()}, err
}

func (in *inputs) readCapture(ctx context.Context, name, path string, observe func(*flow.Flow) error) (reports.CaptureInfo, error) {
	info := reports.CaptureInfo{File: name, Producer: "telltale"}
	store, err := capture.Open(path, capture.Options{})
	if err != nil {
		return info, err
	}
	defer store.Close()
	err = store.All(ctx, func(f *flow.Flow) error {
		info.Entries++
		seen := *f
		seen.Origin = flow.Origin{Capture: name, Entry: int(f.ID)}
		if in.bodies {
			if err := loadContent(ctx, store, &seen); err != nil {
				return err
			}
		}
		return observe(&seen)
	})
	info.SHA256 = fileDigest(path)
	return info, err
}

// loadContent fills in what a capture keeps apart from its flows: bodies and
// WebSocket messages.
func loadContent(ctx context.Context, store *capture.Store, f *flow.Flow) (err error) {
	if f.Request != nil && f.Request.Body.Digest != "" {
		request := *f.Request
		request.Body.Content, err = store.Content(ctx, request.Body)
		f.Request = &request
	}
	if err == nil && f.Response != nil && f.Response.Body.Digest != "" {
		response := *f.Response
		response.Body.Content, err = store.Content(ctx, response.Body)
		f.Response = &response
	}
	if err == nil && f.Kind == flow.WebSocket {
		f.Frames, err = allFrames(ctx, store, f.ID)
	}
	return err
}

// framePage is how many WebSocket messages one look at the capture fetches.
const framePage = 1000

func allFrames(ctx context.Context, store *capture.Store, id flow.ID) ([]flow.Frame, error) {
	var all []flow.Frame
	for {
		page, err := store.Frames(ctx, id, len(all), framePage)
		all = append(all, page...)
		if err != nil || len(page) < framePage {
			return all, err
		}
	}
}

// digester hashes what is read through it.
type digester struct {
	r    io.Reader
	hash hash.Hash
}

func (d *digester) Read(b []byte) (int, error) {
	n, err := d.r.Read(b)
	d.hash.Write(b[:n])
	return n, err
}

func (d *digester) String() string { return hex.EncodeToString(d.hash.Sum(nil)) }

func fileDigest(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	d := &digester{r: f, hash: sha256.New()}
	if _, err := io.Copy(io.Discard, d); err != nil {
		return ""
	}
	return d.String()
}
