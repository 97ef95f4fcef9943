package actions

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
)

// minSecret is how long a value must be, in bytes, to be looked for in what a program says:
// shorter ones stand in any text.
const minSecret = 4

// An environment is what a program gets of it.
type environment struct {
	all    []string          // NAME=value
	masked *strings.Replacer // replaces values that the rule asked for by their names
}

// environment returns PATH and LANG of ours, the folder as the place of temporary files,
// the event's ID, and the variables that the rule names. Windows adds SYSTEMROOT by itself
// (os/exec).
func (r rule) environment(folder, event string) environment {
	var e environment
	ours := [][2]string{{"TELLTALE_EVENT", event}, {"TMPDIR", folder}}
	if runtime.GOOS == "windows" {
		ours = append(ours, [2]string{"TMP", folder}, [2]string{"TEMP", folder})
	}
	known := []string{"PATH", "LANG"}
	var replacements []string
	for _, name := range append(slices.Clone(known), r.Environment...) {
		value, set := os.LookupEnv(name)
		if !set {
			continue
		}
		e.all = append(e.all, name+"="+value)
		if len(value) >= minSecret && !slices.Contains(known, name) {
			replacements = append(replacements, value, fmt.Sprintf("[%s]", name))
		}
	}
	for _, kv := range ours {
		e.all = append(e.all, kv[0]+"="+kv[1]) // of a name that stands twice the last counts (os/exec.Cmd.Env)
	}
	e.masked = strings.NewReplacer(replacements...)
	return e
}
