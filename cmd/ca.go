package cmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"telltale/ca"
)

// caFlags are those of every command about the authority.
type caFlags struct {
	folder     string
	passphrase passphraseSource
}

func (f *caFlags) dir() string { return caFolder(f.folder) }

func newCA(s *streams) *cobra.Command {
	f := &caFlags{passphrase: keyPassphrase()}
	c := command("ca", nil)
	c.PersistentFlags().StringVar(&f.folder, "ca", "", "`folder` of the certificate authority (default: "+caFolderHelp+")")
	f.passphrase.register(c.PersistentFlags())
	_ = c.MarkPersistentFlagDirname("ca")
	_ = c.MarkPersistentFlagFilename(f.passphrase.flag)
	c.AddCommand(newCAShow(s, f), newCAExport(s, f), newCAImport(s, f), newCARotate(s, f), newCAPassphrase(s, f), newCARemove(s, f))
	return c
}

func newCAShow(s *streams, f *caFlags) *cobra.Command {
	var format string
	c := command("ca show", func(*cobra.Command, []string) error {
		root, err := ca.LoadRoot(f.dir())
		switch {
		case format != "text" && format != "json":
			return fmt.Errorf("--format: unknown format %q; the formats are text, json", format)
		case errors.Is(err, fs.ErrNotExist) && format == "json": // a script wants to know, and nothing else
			return withHint(err, "telltale ca show makes one")
		case errors.Is(err, fs.ErrNotExist):
			if root, err = ca.OpenRoot(f.dir()); err == nil {
				s.say("note: there was no authority, so a new one was made")
			}
		}
		if err != nil {
			return err
		}
		for _, warning := range root.Warnings() {
			s.say("warning: %s", warning)
		}
		if format == "json" {
			return showJSON(s, root)
		}
		showText(s, root)
		return nil
	})
	c.Args = noArguments
	c.Flags().StringVar(&format, "format", "text", "`form` of the output: text, json, which makes no authority")
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func showText(s *streams, root *ca.Root) {
	cert := root.Certificate()
	key := root.KeyKind() + ", protected by a passphrase"
	if !root.Protected() {
		key = root.KeyKind() + ", without passphrase"
	}
	lines := [][2]string{
		{"name", root.Name()},
		{"SHA-256 fingerprint", root.Fingerprint()},
		{"SHA-1 fingerprint", root.FingerprintSHA1()},
		{"valid from", cert.NotBefore.Format(time.DateOnly)},
		{"valid until", cert.NotAfter.Format(time.DateOnly) + ", " + daysLeft(root)},
		{"key", key},
		{"origin", originOf(root)},
		{"certificate", root.CertPath()},
		{"key file", root.KeyPath()},
		{"Android system-store name", root.AndroidName()},
	}
	for _, doubt := range ca.Doubts(cert) {
		lines = append(lines, [2]string{"note", doubt})
	}
	for _, line := range lines {
		fmt.Fprintln(s.out, harmless(fmt.Sprintf("%-26s %s", line[0]+":", line[1])))
	}
}

func originOf(root *ca.Root) string {
	if imported := root.Imported(); imported != "" {
		return "imported " + imported
	}
	return "made by telltale"
}

// daysLeft says how long a root is still valid.
func daysLeft(root *ca.Root) string {
	left := root.Left()
	switch days := int(left / (24 * time.Hour)); {
	case left < 0:
		return "expired"
	case days == 0:
		return "less than a day left"
	default:
		return plural(days, "day") + " left"
	}
}

// shownCA is an authority as scripts see it. Keys may be added.
type shownCA struct {
	Name      string            `json:"name"`
	SHA256    string            `json:"sha256"`
	SHA1      string            `json:"sha1"`
	NotBefore time.Time         `json:"not_before"`
	NotAfter  time.Time         `json:"not_after"`
	DaysLeft  int               `json:"days_left"` // whole ones; negative when it has expired
	Expired   bool              `json:"expired"`
	Soon      bool              `json:"expires_soon"`
	Key       string            `json:"key"`
	Protected bool              `json:"protected"`
	Origin    string            `json:"origin"` // "made", or "imported"
	Imported  string            `json:"imported,omitempty"`
	Android   string            `json:"android_name"`
	Files     map[string]string `json:"files"`
	Warnings  []string          `json:"warnings"`
	Notes     []string          `json:"notes"`
}

func showJSON(s *streams, root *ca.Root) error {
	cert, left := root.Certificate(), root.Left()
	days := int(left / (24 * time.Hour))
	if left < 0 {
		days--
	}
	shown := shownCA{
		Name: harmless(root.Name()), SHA256: root.Fingerprint(), SHA1: root.FingerprintSHA1(),
		NotBefore: cert.NotBefore.UTC(), NotAfter: cert.NotAfter.UTC(), DaysLeft: days, Expired: left < 0, Soon: root.ExpiresSoon(),
		Key: root.KeyKind(), Protected: root.Protected(), Origin: "made", Imported: root.Imported(), Android: root.AndroidName(),
		Files:    map[string]string{"certificate": root.CertPath(), "key": root.KeyPath()},
		Warnings: append([]string{}, root.Warnings()...), Notes: append([]string{}, ca.Doubts(cert)...),
	}
	if shown.Imported != "" {
		shown.Origin = "imported"
	}
	encoder := json.NewEncoder(s.out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(shown)
}

func newCARotate(s *streams, f *caFlags) *cobra.Command {
	var lifetime, platform string
	c := command("ca rotate", func(c *cobra.Command, _ []string) error {
		life, err := parseLifetime(lifetime)
		if err != nil {
			return fmt.Errorf("--lifetime: %w", err)
		}
		wanted, err := undoPlatforms(platform)
		if err != nil {
			return err
		}
		old, _ := ca.LoadRoot(f.dir()) // one that is broken is replaced all the same
		passphrase, err := f.protection(c, s, old)
		if err != nil {
			return err
		}
		defer clear(passphrase)
		a, err := ca.Rotate(f.dir(), ca.Lifetime(life), ca.Protect(passphrase))
		if err != nil {
			return err
		}
		s.say("a new authority is in place: %s", a.Fingerprint())
		s.say("it is called %s and is valid until %s; install it on the devices from %s", a.Name(), a.Certificate().NotAfter.Format(time.DateOnly), a.CertPath())
		sayReplaced(s, old)
		if old != nil && platform != "" {
			printUndo(s, old, wanted)
		}
		return nil
	})
	c.Args = noArguments
	c.Flags().StringVar(&lifetime, "lifetime", "90d", "how long the new one lives: days, as 30d, or a `duration`; 1d to 825d")
	addPlatform(c, &platform)
	addProtect(c)
	return c
}

// addProtect adds the flag of commands that put a key into the folder.
func addProtect(c *cobra.Command) {
	c.Flags().Bool("passphrase", false, "protect the key by a passphrase (default: if the former key was)")
}

// protection returns the passphrase for a key that is put into the folder, nil for none.
// Unless the flag says otherwise, it is protected if the former one was. The caller
// wipes it.
func (f *caFlags) protection(c *cobra.Command, s *streams, old *ca.Root) ([]byte, error) {
	protect, _ := c.Flags().GetBool("passphrase")
	if !c.Flags().Changed("passphrase") && old != nil && old.Protected() {
		protect = true
		s.say("note: the new key is protected by a passphrase, as the former one; --passphrase=false keeps it without")
	}
	if !protect {
		return nil, nil
	}
	passphrase, err := f.passphrase.choose(s)
	if err != nil || c.Flags().Changed("passphrase") || old == nil {
		return passphrase, err
	}
	// Nobody asked for another one: a slip is not to lock the new key.
	if _, err := ca.Load(f.dir(), known(passphrase)); errors.Is(err, ca.ErrPassphrase) {
		clear(passphrase)
		return nil, withHint(fmt.Errorf("the passphrase is not that of the former key: %w", err), "telltale ca rotate --passphrase takes another one")
	}
	return passphrase, nil
}

// sayReplaced says what devices have to forget, now that another authority is in place.
func sayReplaced(s *streams, old *ca.Root) {
	if old == nil {
		return
	}
	s.say("devices trust the old one until you remove it there: %s, SHA-256 %s", old.Name(), old.Fingerprint())
	s.say("it can do no harm if its key, which is deleted here, was never copied; how to remove it: telltale ca remove lists the steps, and deletes nothing unless told")
}

// parseLifetime reads 30d or a duration of Go.
func parseLifetime(text string) (time.Duration, error) {
	var life time.Duration
	var err error
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n int
		n, err = strconv.Atoi(days)
		life = time.Duration(min(max(n, -1), 100_000)) * 24 * time.Hour // no overflow
	} else {
		life, err = time.ParseDuration(text)
	}
	if err != nil {
		return 0, fmt.Errorf("%q is neither a number of days such as 30d nor a duration such as 720h", text)
	}
	return life, ca.CheckLifetime(life)
}
