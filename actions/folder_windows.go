package actions

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// hold opens a folder so that nobody can delete it meanwhile
// (learn.microsoft.com/windows/win32/fileio/creating-and-opening-files).
func hold(path string) (*os.File, error) {
	return openFolder(path, windows.FILE_LIST_DIRECTORY, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE)
}

// claim takes a folder that nobody holds any more: one that may be opened for deletion.
func claim(path string) (*folder, error) {
	f, err := openFolder(path, windows.DELETE, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE)
	if err != nil {
		return nil, err
	}
	return &folder{path: path, lock: f}, nil
}

func openFolder(path string, access, share uint32) (*os.File, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	const flags = windows.FILE_FLAG_BACKUP_SEMANTICS | windows.FILE_FLAG_OPEN_REPARSE_POINT // the first opens folders, the second no links
	h, err := windows.CreateFile(name, access, share, nil, windows.OPEN_EXISTING, flags, 0)
	switch {
	case errors.Is(err, windows.ERROR_SHARING_VIOLATION):
		return nil, errHeld
	case err != nil:
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}

// remove lets the folder go and removes it with all that is in it. Processes that were
// ended hold their files for a moment longer.
func (f *folder) remove() error {
	f.lock.Close()
	for until := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		err := removeAll(f.path)
		if err == nil || time.Now().After(until) {
			return err
		}
	}
}
