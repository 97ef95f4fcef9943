package cmd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"telltale/capture"
)

func newCaptures(s *streams) *cobra.Command {
	c := command("captures", nil)
	c.AddCommand(newCapturesList(s), newCapturesRemove(s), newCapturesPurge(s), newCapturesRedact(s), newCapturesVerify(s), newCapturesKey(s))
	return c
}

func newCapturesList(s *streams) *cobra.Command {
	c := command("captures list", func(*cobra.Command, []string) error {
		kept, err := capture.List(capturesFolder())
		if err != nil {
			return err
		}
		if len(kept) == 0 {
			s.say("no captures are kept in %s", capturesFolder())
			return nil
		}
		table := tabwriter.NewWriter(s.out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(table, "CAPTURE\tFLOWS\tSIZE\tSTARTED\tEXPIRES")
		for _, k := range kept {
			fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\n", k.Path, k.Flows, humanSize(k.Size), localTime(k.Created), expiry(k.Expires))
		}
		return table.Flush()
	})
	c.Args = noArguments
	return c
}

func expiry(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return localTime(t)
}

func localTime(t time.Time) string { return t.Local().Format("2006-01-02 15:04") }

func humanSize(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}

func newCapturesRemove(s *streams) *cobra.Command {
	c := command("captures rm", func(_ *cobra.Command, args []string) error {
		var failed error
		for _, arg := range args {
			path, err := keptCapture(arg)
			if err == nil {
				err = removeCapture(path)
			}
			if err != nil {
				failed = errors.Join(failed, err)
				continue
			}
			s.say("removed %s", path)
		}
		return failed
	})
	c.Args = atLeastOneCapture
	return c
}

// keptCapture finds a capture by its path or by its name in the folder.
func keptCapture(arg string) (string, error) {
	for _, path := range []string{arg, filepath.Join(capturesFolder(), arg), filepath.Join(capturesFolder(), arg+".telltale")} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", withHint(fmt.Errorf("no capture %s", arg), "telltale captures list")
}

func newCapturesPurge(s *streams) *cobra.Command {
	var all bool
	c := command("captures purge", func(*cobra.Command, []string) error {
		now := time.Now()
		if all {
			now = now.AddDate(1000, 0, 0) // past every expiry; captures kept forever have none
		}
		removed, others, err := purge(now)
		s.say("removed %s", plural(len(removed), "capture"))
		if len(others) > 0 {
			s.say("removed %s", plural(len(others), "export"))
		}
		return err
	})
	c.Args = noArguments
	c.Flags().BoolVar(&all, "all", false, "also those that have not expired; captures kept forever stay")
	return c
}
