package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"telltale/ca"
	"telltale/intake"
	"telltale/setup"
)

// caFormats are the forms in which devices take a CA, and those of them that can hold
// the key too.
var caFormats = []struct {
	name, file string
	bytes      func(*ca.Root) ([]byte, error)
	withKey    func(*ca.Authority, []byte) ([]byte, error)
}{
	{"pem", "telltale-ca.pem", func(r *ca.Root) ([]byte, error) { return r.PEM(), nil }, (*ca.Authority).PEMWithKey},
	{"der", "telltale-ca.cer", func(r *ca.Root) ([]byte, error) { return r.DER(), nil }, nil},
	{"p12", "telltale-ca.p12", (*ca.Root).PKCS12, (*ca.Authority).PKCS12WithKey},
	{"mobileconfig", "telltale-ca.mobileconfig", func(r *ca.Root) ([]byte, error) { return setup.Profile(r) }, nil},
	{"android", "", func(r *ca.Root) ([]byte, error) { return r.PEM(), nil }, nil},
}

func caFormatNames() []string {
	var names []string
	for _, f := range caFormats {
		names = append(names, f.name)
	}
	return names
}

// caExport is one call of ca export.
type caExport struct {
	*caFlags
	format, output string
	withKey, force bool
	export         passphraseSource
}

// filePassphrase is for a file that holds a whole authority, here or from elsewhere.
func filePassphrase() passphraseSource {
	return passphraseSource{what: "the passphrase of the file", flag: "passphrase-file", variable: fileVariable}
}

func newCAExport(s *streams, f *caFlags) *cobra.Command {
	e := &caExport{caFlags: f, export: filePassphrase()}
	c := command("ca export", func(*cobra.Command, []string) error {
		i := slices.Index(caFormatNames(), e.format)
		if i < 0 {
			return fmt.Errorf("--format: unknown format %q; the formats are %s", e.format, strings.Join(caFormatNames(), ", "))
		}
		if e.withKey {
			return e.wholeAuthority(s, i)
		}
		root, err := ca.OpenRoot(e.dir())
		if err != nil {
			return err
		}
		content, err := caFormats[i].bytes(root)
		if err != nil {
			return err
		}
		if e.output == intake.StandardInput {
			_, err := s.out.Write(content)
			return err
		}
		if e.output == "" {
			if e.output = caFormats[i].file; e.output == "" {
				e.output = root.AndroidName()
			}
		}
		return writeNew(s, e.output, content, e.force)
	})
	c.Args = noArguments
	c.Flags().StringVar(&e.format, "format", "pem", "`form` of the certificate: "+strings.Join(caFormatNames(), ", "))
	c.Flags().StringVarP(&e.output, "output", "o", "", "`file` to write (default: named after the format); - prints it")
	c.Flags().BoolVar(&e.force, "force", false, "replace the file where it exists")
	c.Flags().BoolVar(&e.withKey, "with-key", false, "the whole authority, with its key, for another machine: pem and p12 alone")
	e.export.register(c.Flags())
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(caFormatNames(), cobra.ShellCompDirectiveNoFileComp))
	return c
}

// wholeAuthority writes certificate and key, encrypted.
func (e *caExport) wholeAuthority(s *streams, format int) error {
	chosen := caFormats[format]
	switch {
	case chosen.withKey == nil:
		return withHint(fmt.Errorf("--with-key: %s holds no key", chosen.name), "choose --format pem or --format p12")
	case e.output == intake.StandardInput && isTerminal(s.out):
		return withHint(errors.New("a key does not belong on a screen"), "write it to a file with --output FILE")
	case e.output == "":
		e.output = strings.Replace(chosen.file, "-ca.", "-ca-with-key.", 1)
	}
	if _, err := os.Lstat(e.output); err == nil && e.output != intake.StandardInput && !e.force {
		return existsAlready(e.output) // before anything is typed
	}
	a, err := ca.Load(e.dir(), e.passphrase.unlock(s))
	if err != nil {
		return err
	}
	passphrase, err := e.export.choose(s)
	if err != nil {
		return err
	}
	defer clear(passphrase)
	content, err := chosen.withKey(a, passphrase)
	if err != nil {
		return err
	}
	if e.output == intake.StandardInput {
		_, err = s.out.Write(content)
	} else {
		err = writePrivate(s, e.output, content, e.force)
	}
	if err != nil {
		return err
	}
	s.say("warning: whoever has this file and its passphrase can read the traffic of every device that trusts %s; delete it once it has arrived", a.Name())
	return nil
}

func existsAlready(file string) error {
	return withHint(fmt.Errorf("%s exists already", file), "add --force to replace it, or --output to write elsewhere")
}

// writePrivate writes a file that its owner alone can read, from the first byte on. One
// that is to be replaced may have another mode, or be a link: a new one takes its name.
func writePrivate(s *streams, file string, content []byte, force bool) error {
	var f *os.File
	var err error
	if force {
		f, err = os.CreateTemp(filepath.Dir(file), ".telltale-*.tmp") // mode 0600
	} else {
		f, err = os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	}
	if errors.Is(err, fs.ErrExist) {
		return existsAlready(file)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err == nil && force {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("cannot write %s: %w", file, err), os.Remove(f.Name()))
	}
	s.say("wrote %s", file)
	return nil
}
