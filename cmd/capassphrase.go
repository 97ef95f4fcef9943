package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"telltale/ca"
)

// maxPassphrase bounds a file that should hold one line.
const maxPassphrase = 1024

// Variables that hold a passphrase. Programs that telltale starts do not see them.
const (
	keyVariable    = "TELLTALE_CA_PASSPHRASE"
	newKeyVariable = "TELLTALE_CA_NEW_PASSPHRASE"
	fileVariable   = "TELLTALE_FILE_PASSPHRASE"
)

var secretVariables = []string{keyVariable, newKeyVariable, fileVariable}

// A passphraseSource is where a passphrase comes from: a file that a flag names, a
// variable, or the person at the terminal, in this order. The value of a flag would be
// seen by every user of the machine.
type passphraseSource struct {
	what     string // "the passphrase of the authority's key"
	flag     string // without dashes
	variable string
	file     string
}

// keyPassphrase is for the key in the folder of the authority.
func keyPassphrase() passphraseSource {
	return passphraseSource{what: "the passphrase of the authority's key", flag: "ca-passphrase-file", variable: keyVariable}
}

func (p *passphraseSource) register(f *pflag.FlagSet) {
	f.StringVar(&p.file, p.flag, "", "`file` with "+p.what+" (default: "+p.variable+", or the terminal asks)")
}

// given reports whether a flag or a variable says where the passphrase is.
func (p *passphraseSource) given() bool { return p.file != "" || os.Getenv(p.variable) != "" }

// unlock lets package ca ask for the passphrase if it has to.
func (p *passphraseSource) unlock(s *streams) ca.Option {
	return ca.Unlock(func() ([]byte, error) { return p.read(s, askOnce) })
}

// choose returns a passphrase for something new; a person types it twice. The caller
// wipes it.
func (p *passphraseSource) choose(s *streams) ([]byte, error) { return p.read(s, askTwice) }

// unlock lets package ca ask for the passphrase of the authority of an audit.
func (l *liveFlags) unlock(s *streams) ca.Option { return l.caPassphrase.unlock(s) }

func (p *passphraseSource) read(s *streams, ask func(*streams, string) ([]byte, error)) ([]byte, error) {
	if p.file != "" {
		passphrase, err := readPassphrase(s, p.file)
		if err != nil {
			return nil, fmt.Errorf("--%s: %w", p.flag, err)
		}
		return passphrase, nil
	}
	if value := os.Getenv(p.variable); value != "" {
		return []byte(value), nil
	}
	passphrase, err := ask(s, p.what)
	if errors.Is(err, errNoTerminal) {
		return nil, withHint(fmt.Errorf("%s is needed, and there is no terminal to ask on", p.what), "give it with --%s FILE or in %s", p.flag, p.variable)
	}
	return passphrase, err
}

// readPassphrase returns the first line of a file, without its end. As ssh does with
// keys, it says when others can read it; a pipe, as `<(pass show telltale)` is one, has
// nobody else.
func readPassphrase(s *streams, file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		s.say("warning: %s can be read by other users of this machine; make it private with chmod 600 %s", file, quote(file))
	}
	content, err := io.ReadAll(io.LimitReader(f, maxPassphrase+1))
	if err != nil {
		return nil, err
	}
	line, rest, _ := bytes.Cut(content, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	switch {
	case len(content) > maxPassphrase:
		return nil, fmt.Errorf("%s is longer than a passphrase may be, which is %d bytes", file, maxPassphrase)
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, fmt.Errorf("%s has more than one line, and a passphrase is one", file)
	case len(line) == 0:
		return nil, fmt.Errorf("%s is empty", file)
	}
	return line, nil
}

var errNoTerminal = errors.New("there is no terminal")

// askOnce asks the person at the terminal for a passphrase.
func askOnce(s *streams, what string) ([]byte, error) {
	passphrase, err := typed(s, "Type "+what)
	if err == nil && len(passphrase) == 0 {
		err = errors.New("no passphrase was typed")
	}
	return passphrase, err
}

// askTwice asks for a new passphrase, which nobody can read while it is typed.
func askTwice(s *streams, what string) ([]byte, error) {
	first, err := askOnce(s, what)
	if err != nil {
		return nil, err
	}
	second, err := typed(s, "Type it again")
	if err == nil && !bytes.Equal(first, second) {
		err = errors.New("the two passphrases differ; nothing was changed")
	}
	clear(second)
	if err != nil {
		clear(first)
		return nil, err
	}
	return first, nil
}

// typed reads a line from the terminal without showing it. The question goes to
// whichever stream is the screen: watch keeps what is said on standard error for later.
func typed(s *streams, question string) ([]byte, error) {
	in, ok := s.in.(*os.File)
	screen := s.err
	if !isTerminal(screen) {
		screen = s.out
	}
	if !ok || !isTerminal(in) || !isTerminal(screen) {
		return nil, errNoTerminal
	}
	fmt.Fprint(screen, harmless(question)+": ")
	defer fmt.Fprintln(screen)
	return readHidden(in)
}

// readHidden reads a line while the terminal shows nothing, and leaves the terminal as
// it was, also when a signal ends the program meanwhile.
func readHidden(in *os.File) ([]byte, error) {
	before, err := term.GetState(int(in.Fd()))
	if err != nil {
		return nil, err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	type result struct {
		line []byte
		err  error
	}
	read := make(chan result, 1)
	go func() {
		line, err := term.ReadPassword(int(in.Fd()))
		read <- result{line, err}
	}()
	select {
	case r := <-read:
		if errors.Is(r.err, io.EOF) {
			return nil, errors.New("no passphrase was typed")
		}
		return r.line, r.err
	case <-signals: // whoever reads on is left alone: the program is about to end
		return nil, errors.Join(errors.New("interrupted while the passphrase was typed"), term.Restore(int(in.Fd()), before))
	}
}

func newCAPassphrase(s *streams, f *caFlags) *cobra.Command {
	var remove bool
	fresh := passphraseSource{what: "the new passphrase", flag: "new-passphrase-file", variable: newKeyVariable}
	c := command("ca passphrase", func(*cobra.Command, []string) error {
		root, err := ca.LoadRoot(f.dir())
		if err != nil {
			return err
		}
		if !root.Protected() {
			if fresh.given() {
				return f.protectFirst(s, root, &fresh, remove)
			}
			return f.protectFirst(s, root, &f.passphrase, remove)
		}
		present, err := f.passphrase.read(s, askOnce)
		if err != nil {
			return err
		}
		defer clear(present)
		if _, err := ca.Load(f.dir(), known(present)); err != nil { // before the new one is typed in vain
			return err
		}
		var passphrase []byte
		if !remove {
			if passphrase, err = fresh.choose(s); err != nil {
				return err
			}
			defer clear(passphrase)
		}
		if err := ca.SetPassphrase(f.dir(), passphrase, known(present)); err != nil {
			return err
		}
		if remove {
			s.say("the key has no passphrase any more: whoever can read %s can use it", root.KeyPath())
		} else {
			s.say("the passphrase is changed; the certificate is the same, and devices notice nothing")
		}
		return nil
	})
	c.Args = noArguments
	c.Flags().BoolVar(&remove, "remove", false, "keep the key without a passphrase")
	fresh.register(c.Flags())
	c.MarkFlagsMutuallyExclusive("remove", fresh.flag)
	return c
}

// known is a passphrase that was read before. The caller wipes it.
func known(passphrase []byte) ca.Option {
	return ca.Unlock(func() ([]byte, error) { return bytes.Clone(passphrase), nil })
}

// protectFirst gives a key its first passphrase.
func (f *caFlags) protectFirst(s *streams, root *ca.Root, from *passphraseSource, remove bool) error {
	if remove {
		s.say("the key of %s has no passphrase", root.Name())
		return nil
	}
	passphrase, err := from.choose(s)
	if err != nil {
		return err
	}
	defer clear(passphrase)
	if err := ca.SetPassphrase(f.dir(), passphrase); err != nil {
		return err
	}
	s.say("the key is protected; the certificate is the same, and devices notice nothing")
	s.say("note: the disk may still hold the key as it was before; for one that never was without passphrase: telltale ca rotate --passphrase")
	return nil
}
