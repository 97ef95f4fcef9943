// Command bench measures what telltale costs beside what any proxy must cost.
//
// It starts real processes on loopback and drives the same load through each in
// turn, round after round, so that noise from the machine falls on all alike:
// telltale as it is shipped, recording and judging; the smallest interceptor that
// Go can make, which records nothing (interceptor.go); and a plain CONNECT tunnel,
// the kernel's share (tunnel.go). The load and the servers behind the proxies live
// in this process and are written to cost little, so that the proxy is what
// limits the rate.
//
// It promises CPU time of the proxy's process alone, with the work that it puts
// off until after the load counted in, medians over the rounds, and ratios made
// within a round. It does not measure a network, a phone, or more cores than this
// machine has, and it is no test: a loaded machine makes every number worse.
//
// To look closer, choose one scenario (-run h1) and fewer rounds (-rounds 1), or
// let `make profile RUN=h1` show where telltale spends its time under that load.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// options are the flags.
type options struct {
	telltale string         // path of the program; "" leaves it out
	only     *regexp.Regexp // scenarios to run
	rounds   int            // times that each contender is measured
	period   time.Duration  // of one round
	pairMiB  byte           // sent each way through an empty pair of stacks, in one round
	markdown string         // document whose results are replaced; "" for none
}

func run(args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == roleCommand {
		return serve(args[1:], stderr)
	}
	o := options{pairMiB: tunnelMiB}
	var only string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.telltale, "telltale", "", "the telltale `binary` to measure; without it the baselines alone")
	flags.StringVar(&only, "run", ".", "scenarios to run, a `regexp`: "+names())
	flags.IntVar(&o.rounds, "rounds", 5, "times that each contender is measured")
	flags.DurationVar(&o.period, "time", 1500*time.Millisecond, "length of one round")
	flags.StringVar(&o.markdown, "markdown", "", "write the results into this `document`, between its bench markers")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	var err error
	if o.only, err = regexp.Compile(only); err == nil {
		err = measure(o, stdout, stderr)
	}
	if err != nil {
		fmt.Fprintln(stderr, "error:", err)
		return 2
	}
	return 0
}

// measure runs the chosen scenarios and shows their rows.
func measure(o options, stdout, stderr io.Writer) error {
	b, err := newBench(o)
	if err != nil {
		return err
	}
	defer b.close()
	var rows []row
	for _, s := range scenarios {
		if !o.only.MatchString(s.name) {
			continue
		}
		fmt.Fprintf(stderr, "%-9s %s", s.name, s.title)
		start := time.Now()
		more, err := s.run(b)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Fprintf(stderr, "  %.0f s\n", time.Since(start).Seconds())
		rows = append(rows, more...)
	}
	text := machine() + "\n\n" + table(rows)
	fmt.Fprint(stdout, text)
	if o.markdown == "" {
		return nil
	}
	return insert(o.markdown, text)
}
