package cmd

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"telltale/capture"
	"telltale/diagnosis"
	"telltale/setup"
)

// home returns what the set-up page is made from.
func (a *audit) home() setup.Config {
	return setup.Config{
		Authority: a.authority,
		Proxy:     a.address,
		Tunnel:    a.forPage(),
		Progress: func(client netip.Addr) setup.Progress {
			devices := a.store.Summary().Health.Devices
			i := slices.IndexFunc(devices, func(d capture.Device) bool { return d.Addr == client.String() })
			if i < 0 {
				return setup.Progress{}
			}
			now := time.Now()
			return a.progress(devices[i], setup.Place{}, a.diagnose(devices[i], now), now)
		},
	}
}

// diagnose says why connections of a device cannot be read, by the policy in force.
func (a *audit) diagnose(d capture.Device, now time.Time) []diagnosis.Diagnosis {
	pol := a.policy.Load()
	return a.opinions.diagnoses(d, pol, now, func() []diagnosis.Diagnosis {
		return diagnose(pol, a.store.Summary(), masker(pol, a.flags.report.reveal), now)(d)
	})
}

// progress returns how far a device with these diagnoses is on its way to a proxy at a
// place.
func (a *audit) progress(d capture.Device, at setup.Place, found []diagnosis.Diagnosis, now time.Time) setup.Progress {
	pol := a.policy.Load()
	p := setup.Progress{
		Now: now, At: at, Reached: d.First, Page: setup.PageOf(d.Served), Authority: setup.AuthorityOf(d.Served), Decrypted: d.Decrypted,
		AppKnown: pol.KnowsApp(), Contacts: d.Flows, Unread: d.Unread,
		Diagnoses: found, OS: a.opinions.platform(d), Tunnel: a.ways.tunnel.has(d.Addr),
	}
	for _, app := range d.Apps {
		if p.AppKnown && pol.IsApp(app) {
			p.App = d.Last
		}
	}
	if !p.AppKnown && d.Flows > 0 && !p.Decrypted.IsZero() { // before that, plain HTTP of the system would be the app
		p.App = d.Last
	}
	return p
}

// nameDevice gives a device the name that a person wants for it.
func (a *audit) nameDevice(addr, name string) error {
	at, err := netip.ParseAddr(addr)
	if err != nil {
		return fmt.Errorf("name a device: %w", err)
	}
	return a.store.NameDevice(at, name)
}
