package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"telltale/capture"
	"telltale/diagnosis"
	"telltale/flow"
	"telltale/flow/plain"
	"telltale/intake"
	"telltale/policy"
	"telltale/reports"
	"telltale/setup"
)

// doctor examines captures: what of them can be read, and why the rest cannot.
type doctor struct {
	policy policyFlags
	report reportFlags
	format string
	device string

	troubles diagnosis.Troubles
	unnamed  unnamedDevice
}

func newDoctor(s *streams) *cobra.Command {
	d := &doctor{}
	c := command("doctor", func(c *cobra.Command, args []string) error { return d.run(c.Context(), s, args) })
	c.Args = atLeastOneCapture
	d.policy.register(c)
	c.Flags().StringVar(&d.format, "format", "text", "`format` on standard output: "+strings.Join(reports.DoctorFormats, ", "))
	c.Flags().StringVar(&d.device, "device", "", "examine only the device with this `address or name`")
	c.Flags().BoolVar(&d.report.allowEmpty, "allow-empty", false, "accept a capture without any contact")
	c.Flags().BoolVar(&d.report.reveal, "reveal", false, "show never-send values instead of [redacted]")
	c.Flags().BoolVar(&d.report.noColor, "no-color", false, "print without colours (also: NO_COLOR)")
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(reports.DoctorFormats, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (d *doctor) run(ctx context.Context, s *streams, args []string) error {
	if !slices.Contains(reports.DoctorFormats, d.format) {
		return fmt.Errorf("--format: unknown format %q; the formats are %s", d.format, strings.Join(reports.DoctorFormats, ", "))
	}
	pol, err := d.policy.orNothing()
	if err != nil {
		return err
	}
	tradeTimeForMemory()
	ctx, release := interruptible(ctx, 0)
	defer release()
	in, troubles := intake.Find(ctx, args, s.in)
	defer in.Close()
	stop := startMeter(s, readingOf(in), false)
	sum, infos, modes, more := judge(ctx, in, pol, needed(pol), d.troubles.Add, d.unnamed.add)
	stop()
	if ctx.Err() != nil {
		return errInterrupted
	}
	troubles = append(troubles, more...)
	mask := masker(pol, d.report.reveal)
	if len(troubles) > 0 && nothingRead(infos) {
		return unreadable(s, troubles, mask)
	}
	for _, t := range troubles {
		s.complain(masked(t, mask))
	}
	e, err := d.examination(pol, sum, captureInfos(infos), modes)
	if err != nil {
		return err
	}
	e.Color, e.Width = colour(s.out, d.report.noColor), width(s.out)
	if err := printTo(s.out, d.format, func(w io.Writer) error { return e.Write(w, d.format) }); err != nil {
		return err
	}
	return d.exit(e, len(troubles) > 0)
}

// nothingRead reports whether no capture had an entry.
func nothingRead(infos []intake.Info) bool {
	return !slices.ContainsFunc(infos, func(info intake.Info) bool { return info.Err == nil || info.Entries > 0 })
}

// unreadable is for captures of which nothing could be read: there is nothing to examine.
func unreadable(s *streams, troubles []error, mask func(string) string) error {
	last := len(troubles) - 1
	for _, t := range troubles[:last] {
		s.complain(masked(t, mask))
	}
	err := masked(troubles[last], mask)
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		return err
	}
	return withHint(err, "name a recording of telltale, a HAR file or a flow file of mitmproxy: telltale doctor CAPTURE")
}

// exit returns the code of what was found. Trouble outweighs it, as what could not be
// read was not examined.
func (d *doctor) exit(e *reports.Examination, trouble bool) error {
	switch verdict := e.Verdict(); {
	case trouble:
		return exitCode(ExitFailed)
	case verdict == reports.Unread:
		return exitCode(ExitViolations)
	case verdict == reports.Empty && !d.report.allowEmpty:
		return withHint(errors.New("no contact was recorded, so there is nothing to examine"), "record again as it says above, or accept this with --allow-empty")
	}
	return nil
}

// examination assembles what the document says.
func (d *doctor) examination(pol *policy.Policy, sum capture.Summary, captures []reports.CaptureInfo, modes []string) (*reports.Examination, error) {
	unseen := appUnseen(pol, sum)
	pick, err := d.pick(&sum, masker(pol, d.report.reveal))
	if err != nil {
		return nil, err
	}
	doc := d.report.document(pol, d.policy.allow, sum, captures)
	doc.Modes = modes
	return &reports.Examination{
		Report: doc, Device: d.device, Unnamed: d.unnamed.device(d.device), Untold: d.unnamed.untoldOf(d.device),
		AppUnseen: unseen, Skew: d.troubles.Skew(),
		Fetched:  func(device capture.Device) time.Time { return setup.AuthorityOf(device.Served) },
		Failures: d.troubles.Failures(pick), Away: d.troubles.TurnedAway(pick),
	}, nil
}

// pick leaves the devices in the summary that the flag names, and returns what picks
// their addresses; nil for all.
func (d *doctor) pick(sum *capture.Summary, mask func(string) string) (func(client string) bool, error) {
	if d.device == "" {
		return nil, nil
	}
	all := sum.Health.Devices
	addr, err := netip.ParseAddr(d.device)
	isAddress := err == nil
	addr = addr.Unmap().WithZone("") // the forms of one address are one device
	are := func(is func(capture.Device) bool) []capture.Device {
		return slices.DeleteFunc(slices.Clone(all), func(device capture.Device) bool { return !is(device) })
	}
	picked := are(func(device capture.Device) bool { return isAddress && device.Addr == addr.String() })
	if len(picked) == 0 { // no name takes the place of an address
		picked = are(func(device capture.Device) bool { return device.Name != "" && strings.EqualFold(device.Name, d.device) })
	}
	if len(picked) == 0 {
		hint := devicesThere(all, mask)
		if file, err := d.policy.chosenFile(); err == nil && file == "" && !isAddress && len(all) > 0 {
			hint += "; a name that a policy gives needs --policy FILE"
		}
		return nil, withHint(fmt.Errorf("--device: there is no device %q in the capture", d.device), "%s", hint)
	}
	sum.Health.Devices = picked
	return func(client string) bool {
		return slices.ContainsFunc(picked, func(device capture.Device) bool { return device.Addr == client })
	}, nil
}

// maxNamed is how many devices a hint names.
const maxNamed = 10

// devicesThere names the devices that can be asked for.
func devicesThere(all []capture.Device, mask func(string) string) string {
	if len(all) == 0 {
		return "leave out --device: the capture does not tell its devices apart"
	}
	var names []string
	for i, device := range all {
		if i == maxNamed {
			names = append(names, fmt.Sprintf("%d more", len(all)-i))
			break
		}
		name := device.Addr
		if device.Name != "" {
			if mask != nil {
				device.Name = mask(device.Name)
			}
			name += " (" + plain.Text(device.Name) + ")"
		}
		names = append(names, name)
	}
	return "its devices are " + strings.Join(names, ", ")
}

// unnamedDevice gathers the contacts whose device the capture does not tell.
type unnamedDevice struct {
	contacts, unread int
	untold           int // of unread: without that it is known why
	outcomes         map[flow.Outcome]int
	first, last      time.Time
	evidence         diagnosis.Collector
}

func (u *unnamedDevice) add(f *flow.Flow) {
	if f.Client.Addr.IsValid() || !f.IsContact() {
		return
	}
	u.evidence.Add(f)
	u.contacts++
	if f.Unread() {
		u.addUnread(f)
	}
	at := f.Times.Start
	if at.IsZero() {
		return
	}
	if u.first.IsZero() || at.Before(u.first) {
		u.first = at
	}
	if at.After(u.last) {
		u.last = at
	}
}

// addUnread counts one that could not be read. A file of a browser or of another proxy
// does not tell whether a certificate was refused to that proxy or by it, nor what a
// tunnel held.
func (u *unnamedDevice) addUnread(f *flow.Flow) {
	u.unread++
	if u.outcomes == nil {
		u.outcomes = map[flow.Outcome]int{}
	}
	u.outcomes[f.Outcome]++
	switch f.Outcome {
	case flow.ClientRefused, flow.ClientSilent, flow.HandshakeFailed, flow.Tunnelled:
		u.untold++
	case flow.UpstreamFailed:
		if f.Failure == flow.FailureCertificate || f.Failure == flow.FailureTLS || f.Failure == "" {
			u.untold++
		}
	}
}

// untoldOf returns how many could not be read without that it is known why.
func (u *unnamedDevice) untoldOf(picked string) int {
	if picked != "" {
		return 0
	}
	return u.untold
}

// device returns them as a device where some of them could not be read: else there is
// nothing to say of it.
func (u *unnamedDevice) device(picked string) *capture.Device {
	if u.unread == 0 || picked != "" {
		return nil
	}
	return &capture.Device{
		Flows: u.contacts, Unread: u.unread, Outcomes: u.outcomes, First: u.first, Last: u.last, Evidence: u.evidence.Evidence(),
	}
}
