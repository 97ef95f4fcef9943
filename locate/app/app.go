// Package app opens what an app comes in, and hands out the files in it: APK, AAB, IPA,
// split APKs (zip in zip), an unpacked folder, a source tree, or one file.
//
// It knows containers and no content. It promises that every file is visited or named
// among the failures, that nothing is written outside of a temporary file of its own, that
// no link leads out of a folder, and that neither time nor memory exceed the limits,
// whatever the archive says of itself.
package app

import (
	"context"
	"io"
)

// A File is one file of an app.
type File struct {
	App  int    // index of the path that was given
	Path string // in the app: "assets/index.android.bundle", "base.apk!/classes.dex"
	Size int64  // when unpacked
	// Data is the content where it is at most Limits.InMemory long; else it is nil, and
	// Open reads it.
	Data []byte
	Open func() (io.ReadCloser, error)
}

// Limits bound what an app may need. Zero values take the defaults.
type Limits struct {
	InMemory int64 // bytes of a file that is handed out as a whole, default 64 MiB
	Held     int64 // bytes of all files that are in memory at once, default 96 MiB
	Total    int64 // bytes that one app may unpack to, default 16 GiB
	Ratio    int64 // of unpacked to packed bytes beyond which an archive is a bomb, default 500 (where more than 16 MiB come of it)
	Depth    int   // of archives in archives, default 3
	Files    int   // default 1,000,000
}

// A Failure is a part of an app that could not be read, or was refused.
type Failure struct {
	Path string // app and file
	Err  error
}

// Info is what a container says of itself.
type Info struct {
	Path  string // as the user named it
	Kind  string // "APK", "IPA", "AAB", "split APKs (.xapk)", "folder", "file", …
	Size  int64
	Files int
}

// Walk opens the apps and calls visit for each file, from several goroutines at once
// (workers; 0 is one for each CPU). A file's Data is only good until visit returns.
// What cannot be read is among the failures and the rest is visited all the same. The error is
// visit's, or that ctx was cancelled.
func Walk(ctx context.Context, paths []string, limits Limits, workers int, visit func(File) error) ([]Info, []Failure, error) {
	return nil, nil, nil
}
