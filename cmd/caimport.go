package cmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"telltale/ca"
)

func newCAImport(s *streams, f *caFlags) *cobra.Command {
	var force bool
	source := filePassphrase()
	c := command("ca import", func(c *cobra.Command, files []string) error {
		foreign, err := ca.ReadForeign(files, source.unlock(s))
		if err != nil {
			return err
		}
		old, _ := ca.LoadRoot(f.dir()) // one that is broken is replaced all the same
		if old != nil && !force {
			return withHint(fmt.Errorf("%s holds an authority already: %s", f.dir(), old.Name()), "add --force to replace it; its key is deleted, and devices trust it until it is removed there")
		}
		passphrase, err := f.protection(c, s, old)
		if err != nil {
			return err
		}
		defer clear(passphrase)
		options := []ca.Option{ca.Protect(passphrase)}
		if force {
			options = append(options, ca.Replace())
		}
		a, err := ca.Import(f.dir(), foreign, options...)
		if err != nil {
			return err
		}
		s.say("imported %s, %s: %s", a.Name(), a.KeyKind(), a.Fingerprint())
		for _, doubt := range ca.Doubts(a.Certificate()) {
			s.say("warning: %s", doubt)
		}
		for _, warning := range a.Warnings() {
			s.say("warning: %s", warning)
		}
		if old != nil && old.Fingerprint() != a.Fingerprint() {
			sayReplaced(s, old)
		}
		s.say("note: the key is still in %s too", foreign.KeyFile())
		return nil
	})
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) < 1 || len(args) > 2 {
			return withHint(fmt.Errorf("%s takes one or two files, found %d", c.CommandPath(), len(args)), "%s --help", c.CommandPath())
		}
		return nil
	}
	c.Flags().BoolVar(&force, "force", false, "replace the authority that is there")
	source.register(c.Flags())
	addProtect(c)
	return c
}
