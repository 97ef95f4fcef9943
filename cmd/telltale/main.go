// Command telltale audits whom an app talks to. It is one line long: package cmd
// knows the commands, their flags and their exit codes, and is what tests run. It
// does nothing else, so that there is nothing here to debug or to test.
package main

import (
	"os"

	"telltale/cmd"
)

func main() { os.Exit(cmd.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
