//go:build unix

package proxy

import "syscall"

// mostFiles is what is taken for no limit.
const mostFiles = 1 << 20

// openFiles returns how many files this process may open. Go has raised the soft
// limit to the hard one by then.
func openFiles() int {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil {
		return 1024
	}
	return int(min(r.Cur, mostFiles))
}
