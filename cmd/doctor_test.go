package cmd

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

// distrust is fetch on a device that does not have the authority. What stands behind
// -- are the arguments of a telltale that runs until it ends with exit code 1: while
// the audit goes on, its capture is behind by a moment.
func distrust(args []string) int {
	for _, name := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR"} {
		os.Unsetenv(name)
	}
	i := slices.Index(args, "--")
	if i < 0 {
		return fetch(args)
	}
	fetch(args[:i])
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var out, err bytes.Buffer
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-tick.C {
		out.Reset()
		err.Reset()
		if Main(args[i+1:], strings.NewReader(""), &out, &err) == 1 {
			fmt.Print(out.String())
			return 0
		}
	}
	fmt.Fprintf(os.Stderr, "never ended with 1:\n%s%s", out.String(), err.String())
	return 1
}

// stranger is fetch by a client that does not know the proxy's password.
func stranger(args []string) int {
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"} {
		if u, err := url.Parse(os.Getenv(name)); err == nil && u.User != nil {
			u.User = nil
			os.Setenv(name, u.String())
		}
	}
	return fetch(args)
}
