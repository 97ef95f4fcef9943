package proxy

import (
	"context"
	"net"
	"net/netip"
	"time"

	"telltale/flow"
)

// dialer reaches servers by name.
type dialer struct{ cfg *Config }

// dialed says what a dial did. The durations are flow.Unmeasured when the stage did not happen.
type dialed struct {
	Addr         netip.AddrPort
	DNS, Connect time.Duration
}

// newDialer returns the dialer of a proxy.
func newDialer(cfg *Config) *dialer { return &dialer{cfg: cfg} }

// dial connects to hostport.
func (d *dialer) dial(ctx context.Context, hostport string) (net.Conn, dialed, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", hostport)
	return c, dialed{DNS: flow.Unmeasured, Connect: flow.Unmeasured}, err
}

// failureOf classes an error of dial or of an exchange.
func failureOf(err error) (flow.Outcome, string) { return flow.UpstreamFailed, flow.FailureReset }
