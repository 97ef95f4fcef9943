// Command profiled is telltale with a CPU profile of itself, for measurements.
//
// It takes telltale's arguments and does what telltale does. When the command
// ends, the profile is in the folder that the variable TELLTALE_PROFILES names,
// under the command's name: record.pprof, check.pprof. It is a program of its own
// so that telltale needs no flag for this, and so that the baselines, which are
// the measuring program itself, do not carry telltale's weight in memory.
//
// `make profile RUN=h1` builds it, drives the scenario through it and shows where
// the time went.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/pprof"

	"telltale/cmd"
)

// folderVariable names the folder of the profiles.
const folderVariable = "TELLTALE_PROFILES"

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run runs telltale under the profiler and returns its exit code, or 2 when there
// can be no profile.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	name := "telltale"
	if len(args) > 0 {
		name = filepath.Base(args[0])
	}
	f, err := os.Create(filepath.Join(os.Getenv(folderVariable), name+".pprof"))
	if err != nil {
		fmt.Fprintln(stderr, "error:", err)
		return 2
	}
	defer f.Close()
	if err := pprof.StartCPUProfile(f); err != nil {
		fmt.Fprintln(stderr, "error:", err)
		return 2
	}
	defer pprof.StopCPUProfile()
	return cmd.Main(args, stdin, stdout, stderr)
}
