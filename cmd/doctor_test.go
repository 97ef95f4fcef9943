package cmd

import (
	"net/url"
	"os"
)

// distrust is fetch on a device that does not have the authority.
func distrust(args []string) int {
	for _, name := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR"} {
		os.Unsetenv(name)
	}
	return fetch(args)
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
