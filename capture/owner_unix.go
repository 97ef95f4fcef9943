//go:build unix

package capture

import (
	"io/fs"
	"os"
	"syscall"
)

// isOwn reports whether a file belongs to this user: others may put theirs into the same
// folder for temporary files.
func isOwn(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int64(stat.Uid) == int64(os.Geteuid())
}
