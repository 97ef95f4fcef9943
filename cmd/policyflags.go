package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"telltale/policy"
)

// defaultPolicy is the policy file that is used when it is in the working folder.
const defaultPolicy = "telltale.yaml"

// policyFlags choose the policy of an audit.
type policyFlags struct {
	file  string
	allow []string
	facts factFlags
}

func (p *policyFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&p.file, "policy", "", "policy `file` (default: "+defaultPolicy+" in the working folder, where there is one)")
	c.Flags().StringArrayVar(&p.allow, "allow", nil, "also allow hosts that match `pattern`; repeatable")
	_ = c.MarkFlagFilename("policy", "yaml", "yml")
	p.facts.register(c)
}

// errNoPolicy says that neither a file nor a flag allows anything.
var errNoPolicy = withHint(errors.New("no policy: nothing says which hosts are allowed"),
	"add --allow '*.example.com', or write a policy with: telltale policy init")

// load returns the policy that the flags and the working folder choose. Without
// any, a verdict has nothing to go by, which is errNoPolicy.
func (p *policyFlags) load() (*policy.Policy, error) {
	file, err := p.chosenFile()
	if err != nil {
		return nil, err
	}
	switch {
	case file == "" && len(p.allow) == 0:
		return nil, errNoPolicy
	case file == "":
		pol, err := policy.New(p.allow)
		if err != nil {
			return nil, fmt.Errorf("--allow: %w", err)
		}
		return pol, p.facts.tell(pol)
	}
	pol, err := policy.Load(file, policyOptions())
	if err != nil {
		return nil, err
	}
	return pol, p.complete(pol)
}

// complete adds to the policy of a file what other flags say.
func (p *policyFlags) complete(pol *policy.Policy) error {
	for _, pattern := range p.allow {
		if err := pol.AllowAlso(pattern); err != nil {
			return fmt.Errorf("--allow: %w", err)
		}
	}
	return p.facts.tell(pol)
}

// chosenFile returns the file that the flag names, else the one in the working
// folder, else "".
func (p *policyFlags) chosenFile() (string, error) {
	if p.file != "" {
		return p.file, nil
	}
	_, err := os.Stat(defaultPolicy)
	switch {
	case err == nil:
		return defaultPolicy, nil
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	}
	return "", fmt.Errorf("cannot read the policy: %w", err)
}

// orNothing returns the chosen policy or, without any, one that allows nothing:
// traffic can be recorded and listed before there is a policy.
func (p *policyFlags) orNothing() (*policy.Policy, error) {
	pol, err := p.load()
	if errors.Is(err, errNoPolicy) {
		if pol, err = policy.New(nil); err == nil {
			err = p.facts.tell(pol)
		}
	}
	return pol, err
}

func policyOptions() policy.Options {
	return policy.Options{Env: os.LookupEnv, Now: time.Now}
}
