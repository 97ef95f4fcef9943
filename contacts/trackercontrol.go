package contacts

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"telltale/flow"
)

// trackerControlNeeds are the columns without which a row says nothing.
const trackerControlNeeds = "daddr, time, uncertain, …"

// trackerControlRows reads the tables that TrackerControl exports: that of all apps, with
// the columns uid, daddr, time, uncertain, Tracker, Category, Package and App, and that of
// one app, with daddr, time, uncertain, Tracker Name and Tracker Category, whose package
// only the name of the file has ("org.example.app_20261121.csv"). The time is that of the
// last contact, in milliseconds.
type trackerControlRows struct {
	in   *input
	time string   // name of the column
	app  flow.App // of all rows; zero where each has its own
	// uncertain counts the rows whose host is one of several.
	uncertain int
}

// oneApp is how TrackerControl names the file of one app.
var oneApp = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)+)_[0-9]{8}\b`)

func newTrackerControlRows(in *input, t *table) *trackerControlRows {
	rows := &trackerControlRows{in: in, time: "time"}
	if !t.columns.have("time") && t.columns.have("time(ms)") {
		rows.time = "time(ms)"
	}
	if t.columns.have("package") || t.columns.have("app") {
		return rows
	}
	if m := oneApp.FindStringSubmatch(path.Base(strings.ReplaceAll(in.opts.Name, `\`, "/"))); m != nil {
		rows.app.ID = m[1]
		in.note("The rows do not name the app; its name was taken from that of the file.")
	} else {
		in.note("The rows do not name the app.")
	}
	return rows
}

// row makes a flow of a row.
func (r *trackerControlRows) row(t *table) error {
	if len(t.row) < t.width {
		return fmt.Errorf("expected %d fields, found %d", t.width, len(t.row))
	}
	host := t.text("daddr")
	if !isHost(host) {
		return errHost
	}
	f := r.in.flow(t.line)
	f.Server.Asked = r.in.intern(host)
	f.Client.App = r.app
	if f.Client.App.ID == "" {
		f.Client.App = flow.App{Name: r.in.text(t.text("app")), ID: r.in.text(t.text("package"))}
	}
	last := moment(t.text(r.time))
	if last.IsZero() {
		r.in.note(noTime)
	}
	f.Times = times(last, last)
	r.remarks(t, f)
	return r.in.deliver(f)
}

// remarks says what TrackerControl thinks of the host.
func (r *trackerControlRows) remarks(t *table, f *flow.Flow) {
	tracker, category := t.text("tracker"), t.text("category")
	if tracker == nil {
		tracker, category = t.text("tracker name"), t.text("tracker category")
	}
	switch {
	case len(tracker) > 0 && len(category) > 0:
		f.Notes = append(f.Notes, fmt.Sprintf("TrackerControl knows the host as a tracker of %q (%s).", r.in.text(tracker), r.in.text(category)))
	case len(tracker) > 0:
		f.Notes = append(f.Notes, fmt.Sprintf("TrackerControl knows the host as a tracker of %q.", r.in.text(tracker)))
	}
	// 0 is certain; from 1 on, several names had led to the address.
	if amount(t.text("uncertain")) > 0 {
		r.uncertain++
		f.Notes = append(f.Notes, "TrackerControl is not certain of the host: several names had led to its address.")
	}
}

// finish says of how many contacts the name is a guess.
func (r *trackerControlRows) finish() error {
	if r.uncertain > 0 {
		r.in.note(fmt.Sprintf("The names of %s are not certain: several names had led to the address, and TrackerControl shows one of them.", contactsCount(r.uncertain)))
	}
	return nil
}
