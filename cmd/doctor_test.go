package cmd

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"telltale/capture"
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

// An address is that of a device before it is the name of another.
func TestDoctorPicksAddressesBeforeNames(t *testing.T) {
	const one, other = "192.0.2.1", "192.0.2.2"
	d := doctor{device: other}
	for _, asked := range []struct{ device, want string }{{other, other}, {"::ffff:" + one, one}, {"PHONE", other}, {"192.0.2.9", one}} {
		sum := capture.Summary{Health: capture.Health{Devices: []capture.Device{
			{Addr: one, Name: other}, {Addr: other, Name: "phone"},
		}}}
		if asked.device == "192.0.2.9" {
			sum.Health.Devices[0].Name = asked.device
		}
		d.device = asked.device
		pick, err := d.pick(&sum, nil)
		if err != nil || len(sum.Health.Devices) != 1 || sum.Health.Devices[0].Addr != asked.want || !pick(asked.want) {
			t.Errorf("%s picks %+v, %v", asked.device, sum.Health.Devices, err)
		}
	}
}
