// Package app opens what an app comes in, and hands out the files in it: APK, AAB, IPA,
// split APKs (zip in zip), JAR and AAR, npm's tarballs, an unpacked folder, a source tree,
// or one file.
//
// It knows containers and no content. It promises that every file is visited or named
// among the failures, that nothing is written outside of a temporary file of its own, that
// no link leads out of a folder, and that neither time nor memory exceed the limits,
// whatever the archive says of itself.
//
// What something is, its first bytes say and not its name. An archive is read as Android
// reads it (the central directory counts, and not what stands before the files), since
// apps that hide something differ exactly there; what is odd about it is in [Info].Notes.
// Archives in archives are opened in place where they are stored, in memory where they are
// small, and else in a temporary file that nobody else can read; so are tar archives in gzip.
// A gzip of one file is read as a stream. Of a folder only what
// version control keeps (.git and its like) is left out, and the notes say so; links
// are not followed, because what they lead to inside of the folder is visited by its own name.
//
// To see why a file is missing, walk the archive alone and print Info.Notes and the failures.
package app

import (
	"context"
	"io"
	"runtime"
	"strings"
)

// A File is one file of an app.
type File struct {
	App  int    // index of the path that was given
	Path string // in the app: "assets/index.android.bundle", "base.apk!/classes.dex"
	Size int64  // when unpacked
	// Data is the content where it is at most Limits.InMemory long; else it is nil, and
	// Open reads it. Neither is any good after visit returned.
	Data []byte
	Open func() (io.ReadCloser, error)
}

// Limits bound what an app may need. Zero values take the defaults.
type Limits struct {
	InMemory int64 // bytes of a file that is handed out as a whole, default 64 MiB, at most three quarters of Held
	Held     int64 // bytes of all files that are in memory at once, default 96 MiB
	Spooled  int64 // bytes that all apps together may have written to temporary files, default 1 GiB
	Total    int64 // bytes that all archives of one app may unpack to, default 16 GiB
	Ratio    int64 // of unpacked to packed bytes beyond which an archive is a bomb, default 500 (where more than 16 MiB come of it)
	Depth    int   // of archives in archives, default 3; less than 0 is none
	Files    int   // in one app, default 1,000,000
}

// A Failure is a part of an app that could not be read, or was refused, or is not what it
// claims to be.
type Failure struct {
	// Path is that of the app as it was given and the file in it, "app.apk!/classes.dex". It
	// may hold what a screen must not show as it is.
	Path string
	Err  error // says why, in harmless text
}

// Info is what a container says of itself.
type Info struct {
	Path  string // as the user named it
	Kind  string // "APK", "IPA", "AAB", "split APKs (.xapk)", "folder", "file", …; "" where it could not be opened
	Size  int64  // of the file; of a folder, of all files in it
	Files int    // that were visited
	// Folder says that it is a folder, whose files have names of their own.
	Folder bool
	// Notes say what is odd about it, or was left out on purpose, a sentence without a full stop each.
	Notes []string
}

// Inside returns how a file of the app is called with the app: "covid-alert.ipa!/Payload/x",
// "src/app.js".
func (i *Info) Inside(file string) string {
	if i.Kind == "file" { // which is the app itself, or a source that it holds as a map
		source, held := strings.CutPrefix(file, baseName(i.Path)+"!/")
		if !held {
			return i.Path
		}
		file = source
	}
	return inside(i.Path, i.Folder, file)
}

// inside is [Info.Inside] for an app that holds files.
func inside(app string, folder bool, file string) string {
	switch {
	case folder && app == ".":
		return file
	case folder:
		return strings.TrimRight(app, "/") + "/" + file
	}
	return app + "!/" + file
}

const (
	mib = 1 << 20
	// bombFrom is what a small archive may always unpack to, in bytes.
	bombFrom = 16 * mib
	// ratioOfBomb is the default of Limits.Ratio. Deflate reaches 1032 to 1 (RFC 1951) on
	// what is nothing but zeros.
	ratioOfBomb = 500
)

func (l Limits) withDefaults() Limits {
	fill := func(value *int64, standard int64) {
		if *value <= 0 {
			*value = standard
		}
	}
	fill(&l.Held, 96*mib)
	fill(&l.InMemory, 64*mib)
	fill(&l.Spooled, 1<<30)
	fill(&l.Total, 16<<30)
	fill(&l.Ratio, ratioOfBomb)
	l.InMemory = min(l.InMemory, l.Held-l.Held/nestedShare)
	if l.Depth == 0 {
		l.Depth = 3
	}
	if l.Files <= 0 {
		l.Files = 1_000_000
	}
	return l
}

// Walk opens the apps and calls visit for each file, from several goroutines at once
// (workers; 0 is one for each CPU). Big files tend to come first. A file's Data is only good
// until visit returns. There is an Info for each path. What cannot be read is among the
// failures and the rest is visited all the same. The error is visit's, or that ctx was
// cancelled.
func Walk(ctx context.Context, paths []string, limits Limits, workers int, visit func(File) error) ([]Info, []Failure, error) {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	w := newWalker(ctx, paths, limits.withDefaults(), visit)
	defer w.stop()
	w.run(workers)
	return w.result()
}
