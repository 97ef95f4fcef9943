package cmd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"telltale/capture"
	"telltale/capture/filter"
	"telltale/flow"
	"telltale/policy"
	"telltale/resend"
)

// resendFlags say which requests of a recording are sent again, where, and how.
type resendFlags struct {
	against    string
	hosts      []string
	where      string
	secrets    []string
	headers    []string
	methods    []string
	pace       string
	limit      int
	limited    bool // --limit was given
	timeout    time.Duration
	upstreamCA string
	keepHost   bool
	strict     bool
	opaque     bool
}

// resendNames are the flags that need --against.
var resendNames = []string{"host", "where", "secret", "header", "methods", "pace", "limit", "timeout", "upstream-ca", "keep-host", "strict", "opaque-bodies"}

func (r *resendFlags) register(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&r.against, "against", "", "send the recorded requests to the server at `URL`, and compare its answers")
	f.StringArrayVar(&r.hosts, "host", nil, "requests to hosts that match `pattern` are meant; repeatable; needed where there are several")
	f.StringVarP(&r.where, "where", "w", "", "send only requests that `filter` picks, as in telltale flows")
	f.StringArrayVar(&r.secrets, "secret", nil, "what replaces the credentials of a name: `NAME=env:VARIABLE`; repeatable")
	f.StringArrayVar(&r.headers, "header", nil, "set a field on every request: `'Name: value'`; repeatable")
	f.StringSliceVar(&r.methods, "methods", resend.SafeMethods, "`methods` whose requests are sent, or all; others may change something")
	f.StringVar(&r.pace, "pace", "none", "time between requests: none, as-recorded, or a `duration`")
	f.IntVar(&r.limit, "limit", 0, "send at most `N` requests")
	f.DurationVar(&r.timeout, "timeout", 30*time.Second, "how long one exchange may take: a `duration`")
	f.StringVar(&r.upstreamCA, "upstream-ca", "", "also trust the CAs in `file` (PEM) towards the server")
	f.BoolVar(&r.keepHost, "keep-host", false, "name the recorded host in requests, not that of the URL")
	f.BoolVar(&r.strict, "strict", false, "do not send a request without the credentials that it had")
	f.BoolVar(&r.opaque, "opaque-bodies", false, "also send bodies that cannot be searched for credentials")
}

// refuseWithoutAgainst refuses flags that say how requests are sent where none are.
func (r *resendFlags) refuseWithoutAgainst(set *pflag.FlagSet) error {
	for _, name := range resendNames {
		if set.Changed(name) {
			return withHint(fmt.Errorf("--%s is for --against", name), "leave it out, or name a server with --against URL")
		}
	}
	return nil
}

// config reads the flags. Nothing was sent yet when it fails.
func (r *resendFlags) config() (cfg resend.Config, err error) {
	cfg = resend.Config{Limit: r.limit, KeepHost: r.keepHost, Strict: r.strict, Opaque: r.opaque, Timeout: r.timeout, Secrets: map[string]string{}}
	if cfg.Against, err = parseAgainst(r.against); err != nil {
		return cfg, err
	}
	if r.limit < 0 || r.limited && r.limit == 0 {
		return cfg, withHint(errors.New("--limit: expected a number from 1 on"), "leave it out to send everything")
	}
	if r.timeout <= 0 {
		return cfg, errors.New("--timeout: expected more than nothing")
	}
	for _, text := range r.secrets {
		name, value, err := parseReplacement(text)
		if err != nil {
			return cfg, err
		}
		cfg.Secrets[name] = value
	}
	for _, text := range r.headers {
		name, value, ok := strings.Cut(text, ":")
		if ok && resend.NotSet(name) {
			return cfg, withHint(fmt.Errorf("--header: %s is made anew for each request, and cannot be set", name), "leave it out; --keep-host names the recorded host")
		}
		if value = strings.TrimSpace(value); !ok || !isToken(name) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return cfg, fmt.Errorf("--header: expected 'Name: value', found %q", name)
		}
		cfg.Header = append(cfg.Header, flow.NewField(name, value))
	}
	for _, method := range r.methods {
		method = strings.ToUpper(strings.TrimSpace(method))
		if !isToken(method) {
			return cfg, withHint(fmt.Errorf("--methods: %q is no method", method), "--methods GET,POST, or --methods all")
		}
		cfg.Methods = append(cfg.Methods, method)
	}
	if len(cfg.Methods) == 0 {
		return cfg, withHint(errors.New("--methods: expected at least one"), "--methods GET,POST, or --methods all")
	}
	if cfg.Pace, err = parsePace(r.pace); err != nil {
		return cfg, err
	}
	cfg.Roots, err = upstreamRoots(r.upstreamCA)
	return cfg, err
}

// isToken reports whether a text can name a header field (RFC 9110, 5.6.2).
func isToken(s string) bool {
	return s != "" && strings.Trim(s, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

func parseAgainst(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, withHint(errors.New("--against: expected the URL of a server, perhaps with a path, and nothing else"), "write it as https://staging.example/api")
	}
	return u, nil
}

// parseReplacement reads NAME=env:VARIABLE. A variable that is not set is a mistake.
func parseReplacement(text string) (name, value string, err error) {
	name, from, ok := strings.Cut(text, "=")
	variable, isEnv := strings.CutPrefix(from, "env:")
	if !ok || name == "" || !isEnv || variable == "" {
		return "", "", withHint(fmt.Errorf("--secret %s: expected NAME=env:VARIABLE, since command lines are seen by others", name), "--secret authorization=env:STAGING_TOKEN")
	}
	if value = os.Getenv(variable); value == "" {
		return "", "", withHint(fmt.Errorf("--secret %s: the variable %s is not set", name, variable), "export %s=…", variable)
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return "", "", withHint(fmt.Errorf("--secret %s: the variable %s has a line break or another control character", name, variable), "export %s=\"$(cat FILE)\" drops the line break at the end", variable)
	}
	return name, value, nil
}

func parsePace(text string) (resend.Pace, error) {
	switch text {
	case "none":
		return resend.Pace{}, nil
	case "as-recorded":
		return resend.Pace{AsRecorded: true}, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return resend.Pace{}, fmt.Errorf("--pace: %q is neither none nor as-recorded nor a duration such as 500ms", text)
	}
	return resend.Pace{Each: d}, nil
}

// replayAgainst sends the requests of a recording to a server, and prints how its answers
// compare.
func replayAgainst(ctx context.Context, s *streams, judge *policyFlags, flags *resendFlags, name, format string) error {
	cfg, err := flags.config()
	if err != nil {
		return err
	}
	pol, err := judge.orNothing()
	if err != nil {
		return err
	}
	w, err := openRecording(ctx, name, pol)
	if err != nil {
		return err
	}
	defer w.close()
	cfg.Store = w.store
	command := "telltale replay " + quote(name) + " --against " + quote(flags.against)
	if cfg.Hosts, err = meantHosts(ctx, w.store, flags.hosts, false, command); err != nil {
		return err
	}
	if flags.where != "" {
		pick, err := filter.Parse(flags.where)
		if err != nil {
			return atColumn(err)
		}
		cfg.Where = picked(ctx, w.store, pick, pol)
	}
	out := newResendPrinter(s, format, masker(pol, false))
	cfg.Result = out.result
	sum, err := resend.Run(ctx, cfg)
	out.summary(cfg.Against.Host, sum)
	var unreachable *resend.UnreachableError
	switch {
	case errors.As(err, &unreachable):
		var untrusted *tls.CertificateVerificationError
		if errors.As(err, &untrusted) {
			return withHint(err, "check the URL; a certificate of your own CA is trusted with --upstream-ca FILE")
		}
		return withHint(err, "check the URL, and that the server runs")
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted before everything was sent")
	case err != nil:
		return err
	case sum.Sent() == 0:
		return withHint(errors.New("no request was sent, so nothing is compared"), "choose others with --host, --where or --methods")
	case sum.Differ+sum.Failed > 0:
		return exitCode(ExitViolations)
	}
	return nil
}

// picked judges flows and asks a filter about them.
func picked(ctx context.Context, store *capture.Store, pick *filter.Filter, pol *policy.Policy) func(*flow.Flow) (bool, error) {
	contents := pick.Names("body") || pick.Words() != nil
	return func(f *flow.Flow) (bool, error) {
		if contents {
			whole, err := withContents(ctx, store, f)
			if err != nil {
				return false, err
			}
			f = whole
		}
		ok, err := pick.Match(f, pol.Judge(f))
		return ok, atColumn(err)
	}
}

// withContents returns a flow with the contents of its bodies.
func withContents(ctx context.Context, store *capture.Store, f *flow.Flow) (*flow.Flow, error) {
	whole := *f
	var err error
	if f.Request != nil {
		request := *f.Request
		request.Body.Content, err = store.Content(ctx, f.Request.Body)
		whole.Request = &request
	}
	if f.Response != nil && err == nil {
		response := *f.Response
		response.Body.Content, err = store.Content(ctx, f.Response.Body)
		whole.Response = &response
	}
	return &whole, err
}

// shortList names the first of many.
func shortList(names []string) string {
	slices.Sort(names)
	if len(names) > 5 {
		names = append(names[:5:5], fmt.Sprintf("%d more", len(names)-5))
	}
	return strings.Join(names, ", ")
}
