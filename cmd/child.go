package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// runChild runs CMD with the proxy and the CA in its environment until it ends.
// When the audit is to end before it, CMD is asked to end too.
func (a *audit) runChild(ctx context.Context, s *streams, args []string) error {
	folder, err := os.MkdirTemp("", "telltale-ca-*")
	if err != nil {
		return fmt.Errorf("cannot make a folder for the CA bundle: %w", err)
	}
	defer os.RemoveAll(folder)
	bundle := filepath.Join(folder, "bundle.pem")
	if err := os.WriteFile(bundle, trustBundle(a.authority.PEM()), 0o600); err != nil {
		return fmt.Errorf("cannot write the CA bundle: %w", err)
	}
	child := exec.CommandContext(ctx, args[0], args[1:]...)
	child.Env = a.childEnvironment(os.Environ(), bundle)
	child.Stdin, child.Stdout, child.Stderr = s.in, s.out, s.err
	child.Cancel = func() error {
		if child.Process.Signal(syscall.SIGTERM) == nil {
			return nil
		}
		return child.Process.Kill() // Windows knows no SIGTERM
	}
	child.WaitDelay = grace
	err = child.Run()
	switch exit := (*exec.ExitError)(nil); {
	case err == nil:
		s.say("%s ended with exit code 0", args[0])
		return nil
	case ctx.Err() != nil:
		s.say("%s was ended with the audit", args[0])
		return nil
	case errors.As(err, &exit):
		return fmt.Errorf("%s failed: %s", args[0], exit.ProcessState)
	default:
		return fmt.Errorf("cannot run %s: %w", args[0], err)
	}
}

// childEnvironment points every convention that we know of at the proxy and its
// CA. NO_PROXY goes, because what bypasses the proxy is not seen.
func (a *audit) childEnvironment(inherited []string, bundle string) []string {
	proxy := url.URL{Scheme: "http", Host: a.address()}
	if user, password, ok := strings.Cut(a.flags.auth, ":"); ok {
		proxy.User = url.UserPassword(user, password)
	}
	set := [][2]string{
		{"TELLTALE_PROXY", a.address()},
		{"TELLTALE_CA", a.authority.CertPath()},
		{"SSL_CERT_FILE", bundle},
		{"CURL_CA_BUNDLE", bundle},
		{"REQUESTS_CA_BUNDLE", bundle},
		{"NODE_EXTRA_CA_CERTS", a.authority.CertPath()},
		{"NODE_USE_ENV_PROXY", "1"}, // Node's fetch heeds HTTP_PROXY only with it (nodejs.org/api/cli.html)
		{"NO_PROXY", ""}, {"no_proxy", ""},
	}
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		set = append(set, [2]string{name, proxy.String()}, [2]string{strings.ToLower(name), proxy.String()})
	}
	env := slices.DeleteFunc(slices.Clone(inherited), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains(secretVariables, name)
	})
	for _, kv := range set {
		env = append(env, kv[0]+"="+kv[1]) // the last one counts (os/exec.Cmd.Env)
	}
	return env
}

// systemBundles are where systems keep their roots as one PEM file.
var systemBundles = []string{
	"/etc/ssl/certs/ca-certificates.crt", // Debian, Ubuntu, Arch
	"/etc/pki/tls/certs/ca-bundle.crt",   // Fedora, RHEL
	"/etc/ssl/ca-bundle.pem",             // openSUSE
	"/etc/ssl/cert.pem",                  // macOS, Alpine, BSD
}

// trustBundle joins our CA with the system's roots, which programs still need for
// hosts that are passed through undecrypted.
func trustBundle(ours []byte) []byte {
	for _, file := range systemBundles {
		if roots, err := os.ReadFile(file); err == nil {
			return bytes.Join([][]byte{ours, roots}, []byte("\n"))
		}
	}
	return ours
}

func splitPort(addr string) (host, port string) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr, ""
	}
	return host, port
}
