package cmd

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"telltale/ca"
	"telltale/intake"
	"telltale/setup"
)

func newCA(s *streams) *cobra.Command {
	var folder string
	c := command("ca", nil)
	c.PersistentFlags().StringVar(&folder, "ca", "", "`folder` of the certificate authority (default: "+caFolderHelp+")")
	c.AddCommand(newCAShow(s, &folder), newCAExport(s, &folder), newCARotate(s, &folder), newCARemove(s, &folder))
	return c
}

func newCAShow(s *streams, folder *string) *cobra.Command {
	c := command("ca show", func(*cobra.Command, []string) error {
		a, err := ca.Open(caFolder(*folder))
		if err != nil {
			return err
		}
		for _, warning := range a.Warnings() {
			s.say("warning: %s", warning)
		}
		cert := a.Certificate()
		for _, line := range [][2]string{
			{"name", cert.Subject.CommonName},
			{"SHA-256 fingerprint", a.Fingerprint()},
			{"valid from", cert.NotBefore.Format("2006-01-02")},
			{"valid until", cert.NotAfter.Format("2006-01-02")},
			{"certificate", a.CertPath()},
			{"Android system-store name", a.AndroidName()},
		} {
			fmt.Fprintf(s.out, "%-26s %s\n", line[0]+":", line[1])
		}
		return nil
	})
	c.Args = noArguments
	return c
}

// caFormats are the forms in which devices take a CA. None holds the key.
var caFormats = []struct {
	name, file string
	bytes      func(*ca.Authority) ([]byte, error)
}{
	{"pem", "telltale-ca.pem", func(a *ca.Authority) ([]byte, error) { return a.PEM(), nil }},
	{"der", "telltale-ca.cer", func(a *ca.Authority) ([]byte, error) { return a.DER(), nil }},
	{"p12", "telltale-ca.p12", func(a *ca.Authority) ([]byte, error) { return a.PKCS12() }},
	{"mobileconfig", "telltale-ca.mobileconfig", func(a *ca.Authority) ([]byte, error) { return setup.Profile(a) }},
	{"android", "", func(a *ca.Authority) ([]byte, error) { return a.PEM(), nil }},
}

func caFormatNames() []string {
	var names []string
	for _, f := range caFormats {
		names = append(names, f.name)
	}
	return names
}

func newCAExport(s *streams, folder *string) *cobra.Command {
	var format, output string
	var force bool
	c := command("ca export", func(*cobra.Command, []string) error {
		i := slices.Index(caFormatNames(), format)
		if i < 0 {
			return fmt.Errorf("--format: unknown format %q; the formats are %s", format, strings.Join(caFormatNames(), ", "))
		}
		a, err := ca.Open(caFolder(*folder))
		if err != nil {
			return err
		}
		content, err := caFormats[i].bytes(a)
		if err != nil {
			return err
		}
		if output == intake.StandardInput {
			_, err := s.out.Write(content)
			return err
		}
		if output == "" {
			if output = caFormats[i].file; output == "" {
				output = a.AndroidName()
			}
		}
		return writeNew(s, output, content, force)
	})
	c.Args = noArguments
	c.Flags().StringVar(&format, "format", "pem", "`form` of the certificate: "+strings.Join(caFormatNames(), ", "))
	c.Flags().StringVarP(&output, "output", "o", "", "`file` to write (default: named after the format); - prints it")
	c.Flags().BoolVar(&force, "force", false, "replace the file where it exists")
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(caFormatNames(), cobra.ShellCompDirectiveNoFileComp))
	return c
}

func newCARotate(s *streams, folder *string) *cobra.Command {
	c := command("ca rotate", func(*cobra.Command, []string) error {
		a, err := ca.Rotate(caFolder(*folder))
		if err != nil {
			return err
		}
		s.say("a new authority is in place: %s", a.Fingerprint())
		s.say("devices trust the old one until you remove it there; install the new one from %s", a.CertPath())
		return nil
	})
	c.Args = noArguments
	return c
}

func newCARemove(s *streams, folder *string) *cobra.Command {
	var yes bool
	c := command("ca remove", func(*cobra.Command, []string) error {
		if !yes {
			return withHint(errors.New("this deletes the authority's key; devices keep trusting its certificate until you remove it there"), "telltale ca remove --yes")
		}
		if err := ca.Remove(caFolder(*folder)); err != nil {
			return err
		}
		s.say("the authority is gone from this machine; now remove its certificate from every device that trusts it")
		return nil
	})
	c.Args = noArguments
	c.Flags().BoolVar(&yes, "yes", false, "really delete it")
	return c
}
