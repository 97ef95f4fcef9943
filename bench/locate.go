package main

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// What `locate` is asked for, and its limits.
const (
	locateHosts = 100
	locateHost  = "clients3.google.com" // that the app has
	locateLimit = 3 * time.Second
	locatePeak  = 200 << 20
)

// bigApp is a real app of about 100 MB, made of packages of the npm registry.
const bigApp = "bin/artefacts/big/big.apk"

// locateApp measures the search of an app for a hundred hosts beside grep over the same files,
// which were unpacked for it.
func (b *bench) locateApp() ([]row, error) {
	info, err := os.Stat(bigApp)
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(os.Stderr, " (left out: there is no %s, which locate/artefacts/make.sh big makes)", bigApp)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(b.dir, "app")
	defer os.RemoveAll(folder)
	if err := unpack(bigApp, folder); err != nil {
		return nil, err
	}
	patterns := filepath.Join(b.dir, "hosts")
	hosts := []string{locateHost}
	for i := 1; i < locateHosts; i++ {
		hosts = append(hosts, fmt.Sprintf("h%d.%s", i, domain))
	}
	if err := os.WriteFile(patterns, []byte(strings.Join(hosts, "\n")+"\n"), 0o600); err != nil {
		return nil, err
	}
	var command []string
	if b.telltale != "" {
		command = []string{b.telltale, "locate", "--quiet", bigApp}
		for _, host := range hosts {
			command = append(command, "--host", host)
		}
	}
	grep, err := exec.LookPath("grep")
	if err != nil {
		return nil, err
	}
	jobs, err := b.inTurn([]string{grep, "-racF", "-f", patterns, folder}, command)
	if err != nil {
		return nil, err
	}
	return locateRows(jobs, info.Size()), nil
}

func locateRows(jobs []job, size int64) []row {
	rows := make([]row, 0, len(jobs))
	for i, j := range jobs {
		rows = append(rows, row{
			scenario: "locate", subject: []string{"grep -r, unpacked", telltaleName}[i],
			cost:  fmt.Sprintf("%.2f s CPU", j.cpu.Seconds()),
			rate:  fmt.Sprintf("%.0f MB/s", float64(size)/1e6/j.took.Seconds()),
			peak:  mebibytes(j.peak),
			ratio: fmt.Sprintf("%.2f s for %.0f MB", j.took.Seconds(), float64(size)/1e6),
		})
	}
	if len(jobs) > 1 {
		rows[1].wanted = fmt.Sprintf("< %.0f s, < %s", locateLimit.Seconds(), mebibytes(locatePeak))
		rows[1].met = jobs[1].took < locateLimit && jobs[1].peak < locatePeak
	}
	return rows
}

// unpack writes the files of a ZIP archive of ours into a folder.
func unpack(archive, folder string) error {
	r, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer r.Close()
	for i, f := range r.File {
		if f.FileInfo().IsDir() {
			continue
		}
		if err := unpackOne(f, filepath.Join(folder, fmt.Sprint(i), filepath.Base(f.Name))); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return nil
}

func unpackOne(f *zip.File, to string) (err error) {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	in, err := f.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	return err
}
