// Command telltale audits whom an app talks to. See package cmd.
package main

import (
	"os"

	"telltale/cmd"
)

func main() { os.Exit(cmd.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
