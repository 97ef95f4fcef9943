package cmd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"telltale/capture"
	"telltale/flow"
	"telltale/intake"
	"telltale/policy"
	"telltale/redact"
)

func newCapturesRedact(s *streams) *cobra.Command {
	flags := &policyFlags{}
	var out string
	c := command("captures redact", func(c *cobra.Command, args []string) error {
		if out == "" {
			return withHint(errors.New("nothing says where the copy goes"), "telltale captures redact %s -o copy.telltale", quote(args[0]))
		}
		path, err := keptCapture(args[0])
		if err != nil {
			return err
		}
		pol, err := flags.orNothing()
		if err != nil {
			return err
		}
		if len(pol.Secrets()) == 0 {
			s.say("note: no policy names values under never-send, so the copy lacks only what looks like a secret or is called like one")
		}
		store, err := capture.Open(path, capture.Options{})
		if err != nil {
			return err
		}
		defer store.Close()
		masks, err := redact.New(pol)
		if err != nil {
			return err
		}
		ctx, stop := interruptible(c.Context(), 0)
		defer stop()
		done, err := redact.Capture(ctx, store, out, masks, nil)
		if err != nil {
			return fmt.Errorf("cannot write the copy: %w", err)
		}
		s.tellRedacted(done)
		s.say("wrote %s", out)
		return nil
	})
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) != 1 {
			return withHint(fmt.Errorf("%s takes one capture, found %d arguments", c.CommandPath(), len(args)), "%s --help", c.CommandPath())
		}
		return nil
	}
	c.Flags().StringVarP(&out, "output", "o", "", "`file` of the copy (.telltale)")
	_ = c.MarkFlagFilename("output", "telltale")
	flags.register(c)
	return c
}

// masks returns what makes flows safe to hand over. It has read the inputs once: a value that
// shows for what it is in a later flow is masked in earlier ones too.
func masks(ctx context.Context, in *intake.Set, pol *policy.Policy, reveal bool) (*redact.Redactor, error) {
	if reveal {
		return nil, errors.New("--redact and --reveal say the opposite of each other")
	}
	r, err := redact.New(pol)
	if err != nil {
		return nil, err
	}
	_, err = in.Read(ctx, intake.Options{Bodies: true}, func(f *flow.Flow) error { // what is wrong with an input is said when it is judged
		r.Learn(f)
		return nil
	})
	return r, err
}

// asRedacted tells a format that flows were masked already; nil where they were not.
func asRedacted(by func(*flow.Flow) *flow.Flow) func(*flow.Flow) *flow.Flow {
	if by == nil {
		return nil
	}
	return func(f *flow.Flow) *flow.Flow { return f }
}

// tellRedacted says what a copy lacks.
func (s *streams) tellRedacted(r redact.Report) {
	s.say("copied %s", plural(r.Flows, "flow"))
	for _, kind := range slices.Sorted(maps.Keys(r.Masked)) {
		s.say("  masked %s: %s", kind, plural(r.Masked[kind], "place"))
	}
	for _, why := range slices.Sorted(maps.Keys(r.LeftOut)) {
		s.say("  left out, %s: %s", why, plural(r.LeftOut[why], "content"))
	}
}
