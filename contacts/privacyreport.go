package contacts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// activity is a row of the report (developer.apple.com, "Inspecting app activity data").
// A row names its kind in Type, one of metadata in RecordType or Marker.
type activity struct {
	Type       loose `json:"type"`
	RecordType loose `json:"recordType"`
	Marker     loose `json:"_marker"`
	Stream     loose `json:"stream"`

	Domain         loose `json:"domain"`
	BundleID       loose `json:"bundleID"`
	First          loose `json:"firstTimeStamp"`
	Last           loose `json:"timeStamp"`
	Hits           loose `json:"hits"`
	Initiated      loose `json:"initiatedType"`
	DomainType     loose `json:"domainType"`
	Owner          loose `json:"domainOwner"`
	Classification loose `json:"domainClassification"`
	Context        loose `json:"context"`
}

// loose is a text or a number; empty for anything else.
type loose []byte

// UnmarshalJSON takes any value.
func (l *loose) UnmarshalJSON(b []byte) error {
	*l = nil
	switch {
	case b[0] == '"':
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*l = loose(strings.TrimSpace(s))
	case b[0] == '-' || b[0] >= '0' && b[0] <= '9':
		*l = bytes.Clone(b)
	}
	return nil
}

// privacyReport reads rows of JSON.
func (in *input) privacyReport(r io.Reader) error {
	in.info.Producer = "iOS App Privacy Report"
	s := newRecords(r)
	for {
		line, err := s.next(0)
		switch {
		case err == nil:
			if line = bytes.TrimSpace(line); len(line) == 0 {
				continue
			}
			in.info.Entries++
			err = in.reportRow(line, s.line)
		case errors.Is(err, errLong):
			in.info.Entries++
		case errors.Is(err, io.EOF):
			return nil
		default:
			return &Error{Line: s.line, Message: "cannot read on", Err: err}
		}
		if errors.Is(err, errStopped) {
			return err
		}
		if err != nil {
			in.broken(s.line, "%v", err)
		}
	}
}

// reportRow makes a flow of a row that is a contact.
func (in *input) reportRow(line []byte, at int) error {
	var a activity
	if err := json.Unmarshal(line, &a); err != nil {
		return rowError(line, err)
	}
	switch kind := string(a.Type); {
	case kind == "networkActivity":
	case len(a.Marker) > 0 || kind == "" && len(a.RecordType) > 0:
		in.skip("row of metadata")
		return nil
	case kind == "" && bytes.HasPrefix(a.Stream, []byte("com.apple.privacy.accounting")): // betas of iOS 15
		in.skip(sensorAccess)
		return nil
	case kind == "":
		in.skip("row without a type")
		return nil
	case kind == "access":
		in.skip(sensorAccess)
		return nil
	default:
		in.skip("row of type " + in.text(a.Type[:min(len(a.Type), 32)]))
		return nil
	}
	if !isHost(a.Domain) {
		return errHost
	}
	f := in.flow(at)
	f.Server.Asked = in.intern(a.Domain)
	f.Client.App.ID = in.text(a.BundleID)
	f.Times = times(moment(a.First), moment(a.Last))
	if f.Times.Start.IsZero() {
		in.note(noTime)
	}
	f.Notes = in.remarks(&a)
	return in.deliver(f)
}

// sensorAccess is a row that says when an app used a sensor or personal data.
const sensorAccess = "access to a sensor"

// rowError says what is wrong with a row that is no JSON object.
func rowError(line []byte, err error) error {
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax) && int(syntax.Offset) >= len(line):
		return errors.New("the row ends in the middle")
	case line[0] != '{':
		return fmt.Errorf("expected a JSON object, found %s", shorten(line))
	}
	return fmt.Errorf("expected a JSON object: %w", err)
}

// remarks says what iOS knows beside the host.
func (in *input) remarks(a *activity) []string {
	var all []string
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if hits := amount(a.Hits); hits > 1 {
		add("iOS counted %d contacts.", hits)
	}
	if string(a.Initiated) == "NonAppInitiated" {
		add("The user led the app there, says iOS: a website in a browser of the app, as a rule.")
	}
	if len(a.Context) > 0 {
		add("It was made by the website %q.", in.text(a.Context))
	}
	if string(a.DomainType) == "1" || len(a.DomainType) == 0 && string(a.Classification) == "1" {
		add("Apple lists the domain among those that may follow people across apps and websites.")
	}
	if len(a.Owner) > 0 {
		add("Apple names %q as the owner of the domain.", in.text(a.Owner))
	}
	return all
}
