package cmd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/spf13/cobra"

	"telltale/capture"
	"telltale/evidence"
	"telltale/flow/plain"
	"telltale/policy"
	"telltale/policy/catalog"
	"telltale/reports"
)

// evidenceFolder holds the key that signs what this machine has recorded.
func evidenceFolder() string { return filepath.Join(dataHome(), "telltale", "evidence") }

// sealed has each session of the capture signed when it ends. Without a key the recording
// is as good, and nothing signs it.
func (a *audit) sealed(s *streams) func(capture.Chain) []byte {
	key, err := evidence.OpenKey(evidenceFolder())
	if err != nil {
		s.say("warning: the capture will not be signed: %v", err)
		return nil
	}
	go programDigest() // so that the end of the audit does not wait for it
	return key.Seal(func() evidence.Manifest {
		m := evidence.Manifest{
			Tool: evidence.Tool{Name: "telltale", Version: version(), SHA256: programDigest()}, WaysIn: a.ways.modes(),
		}
		pol := a.policy.Load()
		m.Policy = &evidence.Source{Name: pol.Name(), File: pol.File(), SHA256: pol.Digest()}
		m.Lists = listSources(pol)
		for _, d := range a.store.Summary().Health.Devices {
			m.Devices = append(m.Devices, evidence.Device{Address: d.Addr, Name: d.Name})
		}
		return m
	})
}

// programDigest is the SHA-256 of this program's file, "" where it cannot be read.
var programDigest = sync.OnceValue(func() string {
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return ""
	}
	return hex.EncodeToString(sum.Sum(nil))
})

// listSources are the catalogue and the lists of trackers that a policy was read with.
func listSources(pol *policy.Policy) []evidence.Source {
	out := []evidence.Source{{Name: "catalogue", SHA256: catalog.Digest()}}
	for _, l := range pol.Lists() {
		out = append(out, evidence.Source{Name: "list", File: l.Name, SHA256: l.Digest})
	}
	return out
}

// verifyFlags say by what a capture is verified.
type verifyFlags struct {
	keys           []string
	manifest, kept string
	format         string
}

func newCapturesVerify(s *streams) *cobra.Command {
	flags := &verifyFlags{}
	c := command("captures verify", func(c *cobra.Command, args []string) error {
		opts, err := flags.options()
		if err != nil {
			return err
		}
		if flags.manifest != "" && len(args) > 1 {
			return errors.New("--manifest: several captures have several manifests; name one capture")
		}
		ctx, stop := interruptible(c.Context(), 0)
		defer stop()
		code := ExitClean
		for _, arg := range args {
			result, err := verifyOne(ctx, arg, opts)
			if err != nil {
				s.complain(err)
				code = ExitFailed
				continue
			}
			if err := flags.show(s, &result); err != nil {
				return err
			}
			if !result.OK() && code == ExitClean {
				code = ExitViolations
			}
		}
		if code != ExitClean {
			return exitCode(code)
		}
		return nil
	})
	c.Args = atLeastOneCapture
	f := c.Flags()
	f.StringArrayVar(&flags.keys, "key", nil, "who must have signed: a `fingerprint`, or a file with the public key; repeatable")
	f.StringVar(&flags.manifest, "manifest", "", "write the newest signed manifest to a new `file`")
	f.StringVar(&flags.kept, "against", "", "compare with a manifest that was kept in `file`")
	f.StringVar(&flags.format, "format", "text", "how the result is printed: `text` or json")
	return c
}

func (v *verifyFlags) options() (evidence.Options, error) {
	var opts evidence.Options
	if v.format != "text" && v.format != "json" {
		return opts, fmt.Errorf("--format: %q is neither text nor json", v.format)
	}
	for _, text := range v.keys {
		key, err := evidence.ReadFingerprint(text)
		if err != nil {
			return opts, fmt.Errorf("--key: %w", err)
		}
		opts.Trusted = append(opts.Trusted, key)
	}
	if v.kept != "" {
		kept, err := evidence.ReadManifest(v.kept)
		if err != nil {
			return opts, withHint(fmt.Errorf("--against: %w", err), "name a file that captures verify --manifest has written")
		}
		opts.Kept = &kept
	}
	switch key, err := evidence.LoadKey(evidenceFolder()); {
	case err == nil:
		own := key.Fingerprint()
		opts.Own = &own
	case !errors.Is(err, fs.ErrNotExist):
		return opts, err
	}
	return opts, nil
}

func verifyOne(ctx context.Context, arg string, opts evidence.Options) (evidence.Result, error) {
	path, err := keptCapture(arg)
	if err != nil {
		return evidence.Result{}, err
	}
	return evidence.Verify(ctx, path, opts)
}

// show prints a result, and writes its manifest where that was asked for.
func (v *verifyFlags) show(s *streams, r *evidence.Result) error {
	if v.format == "json" {
		if err := reports.NewLines(s.out).Encode(r); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(s.out, "%s: ", plain.Text(r.File))
		for _, line := range r.Lines() {
			fmt.Fprintln(s.out, line)
		}
	}
	if v.manifest == "" {
		return nil
	}
	if r.Verdict == evidence.Broken {
		s.say("no manifest was written: %s is not as it was recorded", r.File)
		return nil
	}
	document := r.Manifest()
	if document == nil {
		return fmt.Errorf("--manifest: no session of %s is signed", r.File)
	}
	return keepManifest(s, v.manifest, document)
}

// keepManifest writes a manifest to a new file. A file that is there may be the only witness
// of what a capture once was, or the capture itself.
func keepManifest(s *streams, path string, document []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return withHint(fmt.Errorf("--manifest: %s exists, and is not overwritten", path), "name a new file; --against compares with a manifest that was kept")
	}
	if err != nil {
		return fmt.Errorf("--manifest: %w", err)
	}
	_, err = file.Write(document)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		os.Remove(path)
		return fmt.Errorf("--manifest: %w", err)
	}
	s.say("wrote %s", path)
	return nil
}

func newCapturesKey(s *streams) *cobra.Command {
	c := command("captures key", func(*cobra.Command, []string) error {
		key, err := evidence.OpenKey(evidenceFolder())
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "fingerprint: %s\n", key.Fingerprint())
		fmt.Fprintf(s.out, "key file:    %s\n\n", plain.Text(filepath.Join(evidenceFolder(), evidence.KeyFile)))
		_, err = s.out.Write(key.PublicPEM())
		return err
	})
	c.Args = noArguments
	return c
}
