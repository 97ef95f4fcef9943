package cmd

import (
	"path/filepath"
	"time"

	"github.com/adrg/xdg"
)

// The folders that outlive a run, in the user's data folder
// (https://specifications.freedesktop.org/basedir-spec/latest/).
const caFolderHelp = "telltale/ca in your data folder"

func caFolder(flag string) string {
	if absolute, err := filepath.Abs(flag); flag != "" && err == nil {
		return absolute // CMD, which is told of it, may change its folder
	}
	return filepath.Join(dataHome(), "telltale", "ca")
}

const tunnelFolderHelp = "telltale/wireguard in your data folder"

func tunnelFolder(flag string) string {
	if absolute, err := filepath.Abs(flag); flag != "" && err == nil {
		return absolute // clients are told the path of their configuration
	}
	return filepath.Join(dataHome(), "telltale", "wireguard")
}

func capturesFolder() string { return filepath.Join(dataHome(), "telltale", "captures") }

// dataHome asks xdg anew, so that a changed environment counts.
func dataHome() string {
	xdg.Reload()
	return xdg.DataHome
}

// captureName is the name of a capture that is kept without --save: sortable, and
// free of characters that a file system may refuse.
func captureName(now time.Time) string {
	return now.UTC().Format("2006-01-02T15-04-05.000Z") + ".telltale"
}
