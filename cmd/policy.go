package cmd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"telltale/actions"
	"telltale/capture"
	"telltale/flow/plain"
	"telltale/intake"
	"telltale/policy"
)

func newPolicy(s *streams) *cobra.Command {
	c := command("policy", nil)
	c.AddCommand(newPolicyInit(s), newPolicyLint(s), newPolicyExplain(s), newPolicySchema(s))
	return c
}

func newPolicyInit(s *streams) *cobra.Command {
	var from []string
	var output, name string
	var force bool
	c := command("policy init", func(c *cobra.Command, _ []string) error {
		draft, err := draftPolicy(c, s, name, from)
		if err != nil {
			return err
		}
		if output == intake.StandardInput {
			_, err := s.out.Write(draft)
			return err
		}
		return writeNew(s, output, draft, force)
	})
	c.Args = noArguments
	c.Flags().StringArrayVar(&from, "from", nil, "suggest entries from the hosts of `capture`; repeatable")
	c.Flags().StringVarP(&output, "output", "o", defaultPolicy, "`file` to write; - prints the policy")
	c.Flags().StringVar(&name, "name", "", "`name` of the policy, for reports")
	c.Flags().BoolVar(&force, "force", false, "replace the file where it exists")
	return c
}

// draftPolicy writes a first policy, from captures where there are some.
func draftPolicy(c *cobra.Command, s *streams, name string, from []string) ([]byte, error) {
	if len(from) == 0 {
		return policy.Draft(name, nil), nil
	}
	nothing, err := policy.New(nil)
	if err != nil {
		return nil, err
	}
	ctx, stop := interruptible(c.Context(), 0)
	defer stop()
	in, troubles := intake.Find(ctx, from, s.in)
	defer in.Close()
	sum, _, _, more := judge(ctx, in, nothing, intake.Options{})
	if err := errors.Join(append(troubles, more...)...); err != nil {
		return nil, err
	}
	if sum.Inconclusive() {
		return nil, errors.New("the capture holds no contact to write a policy from")
	}
	return policy.Draft(name, draftHosts(sum)), nil
}

// draftHosts describes each host by one of its flows. Judged by a policy that
// allows nothing, every host has a violation that remembers its first flow.
func draftHosts(sum capture.Summary) []policy.DraftHost {
	seen := map[string]capture.Violation{}
	for _, v := range sum.Violations {
		if _, ok := seen[v.Finding.Host]; !ok {
			seen[v.Finding.Host] = v
		}
	}
	var hosts []policy.DraftHost
	for _, h := range sum.Hosts {
		if h.Crowd() {
			continue // nobody has seen what it would allow
		}
		v := seen[h.Name]
		hosts = append(hosts, policy.DraftHost{Name: h.Name, Flows: h.Flows, Method: v.Method, URL: v.URL, UserAgent: v.App})
	}
	return hosts
}

// writeNew writes a file that must not exist yet.
func writeNew(s *streams, file string, content []byte, force bool) error {
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if force {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(file, flags, 0o644) //nolint:gosec // policies and certificates are for sharing
	if errors.Is(err, fs.ErrExist) {
		return withHint(fmt.Errorf("%s exists already", file), "add --force to replace it, or --output to write elsewhere")
	}
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(file) // half of it is of no use, and would be in the way of the next try
		return fmt.Errorf("cannot write %s: %w", file, err)
	}
	s.say("wrote %s", file)
	return nil
}

func newPolicyLint(s *streams) *cobra.Command {
	c := command("policy lint", func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			args = []string{defaultPolicy}
		}
		failed := false
		for _, file := range args {
			failed = lintPolicy(s, file) || failed
		}
		if failed {
			return exitCode(ExitFailed)
		}
		return nil
	})
	return c
}

// lintPolicy prints what is wrong or doubtful in a policy file. Only what is wrong
// fails.
func lintPolicy(s *streams, file string) (failed bool) {
	pol, err := policy.Load(file, policyOptions())
	if err != nil {
		s.complain(err)
		return true
	}
	warnings := policy.Lint(pol, time.Now())
	for _, w := range warnings {
		fmt.Fprintf(s.out, "warning: %s\n", w)
	}
	missing := actions.Check(pol.Actions())
	for _, err := range missing {
		fmt.Fprintf(s.out, "warning: %v\n", err)
	}
	fmt.Fprintf(s.out, "%s: valid, %s\n", file, plural(len(warnings)+len(missing), "warning"))
	return false
}

func plural(n int, noun string) string {
	switch n {
	case 0:
		return "no " + noun + "s"
	case 1:
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func newPolicyExplain(s *streams) *cobra.Command {
	var flags policyFlags
	var method, device string
	c := command("policy explain", func(c *cobra.Command, args []string) error {
		pol, err := flags.load()
		if err != nil {
			return err
		}
		client, err := explainedDevice(pol, device)
		if err != nil {
			return err
		}
		violating := false
		for _, url := range args {
			e, err := pol.ExplainFrom(client, method, url)
			if err != nil {
				return err
			}
			e.URL = pol.Mask(e.URL)
			explain(s.out, e)
			violating = violating || e.Verdict == policy.Violation
		}
		if violating {
			return exitCode(ExitViolations)
		}
		return nil
	})
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return withHint(errors.New("policy explain needs a URL"), "telltale policy explain https://example.com/")
		}
		return nil
	}
	flags.register(c)
	c.Flags().StringVar(&method, "method", "GET", "request `method` to explain")
	c.Flags().StringVar(&device, "device", "", "explain for a `device`: its IP address, or its name in the policy")
	return c
}

// explainedDevice returns the address of a device by its address or by its name; the zero
// address for "".
func explainedDevice(pol *policy.Policy, device string) (netip.Addr, error) {
	if device == "" {
		return netip.Addr{}, nil
	}
	if addr, err := netip.ParseAddr(device); err == nil {
		return addr, nil
	}
	if addr, ok := pol.DeviceAddress(device); ok {
		return addr, nil
	}
	return netip.Addr{}, withHint(fmt.Errorf("--device: %q is neither an IP address nor the name of a device in the policy", plain.Text(device)), "the policy names devices in its section devices")
}

// explain prints which line decides a request, and how it came to that.
func explain(w io.Writer, e policy.Explanation) {
	fmt.Fprintf(w, "%s %s\n", e.Method, plain.Text(e.URL))
	if e.Device != "" {
		fmt.Fprintf(w, "  device: %s\n", plain.Text(e.Device))
	}
	if e.Verdict == policy.Unjudged {
		fmt.Fprintln(w, "  verdict: none; it is no contact, so no policy is about it")
		return
	}
	fmt.Fprintf(w, "  verdict: %s\n", e.Verdict)
	fmt.Fprintf(w, "  decided by: %s\n", e.Source.String())
	if e.Category != "" {
		fmt.Fprintf(w, "  known as: %s\n", e.Category)
	}
	for _, step := range e.Steps {
		mark := " "
		if step.Decided {
			mark = ">"
		}
		fmt.Fprintf(w, "  %s %-9s %s: %s\n", mark, step.Stage, step.Source.String(), step.Text)
	}
	for _, f := range e.Findings {
		fmt.Fprintf(w, "  rule: %s (%s)\n    %s\n", f.Rule, f.Severity, f.Title)
		indented(w, "    why: ", f.Message)
		indented(w, "    remedy: ", f.Remedy)
	}
}

func indented(w io.Writer, label, text string) {
	if text != "" {
		fmt.Fprintf(w, "%s%s\n", label, strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", len(label))))
	}
}

func newPolicySchema(s *streams) *cobra.Command {
	c := command("policy schema", func(*cobra.Command, []string) error {
		schema, err := policy.Schema()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(s.out, strings.TrimSpace(string(schema)))
		return err
	})
	c.Args = noArguments
	return c
}
