package reports

import (
	"telltale/capture"
)

// devicePart is the table of devices.
type devicePart struct {
	Rows []deviceRow
	More int
}

type deviceRow struct {
	Name, Address string
	Kind          string // verdict whose colour its badge has
	Verdict       string
	Note          string // what the verdict is worth
	Flows, Hosts  int
	Violating     int
	Unread        int
	Altered       int    // flows
	Readable      string // since when
}

func newDevicePart(r *Report) devicePart {
	if !r.listsDevices() {
		return devicePart{}
	}
	all := r.Summary.Health.Devices
	part := devicePart{More: max(len(all)-pageListed, 0)}
	for _, d := range all[:len(all)-part.More] {
		part.Rows = append(part.Rows, newDeviceRow(r, d))
	}
	return part
}

// deviceKinds are the badges of the verdicts on a device.
var deviceKinds = map[string]string{Clean: "clean", Violations: "violation", Inconclusive: "warning"}

func newDeviceRow(r *Report, d capture.Device) deviceRow {
	verdict := deviceVerdict(d)
	row := deviceRow{
		Name: r.short(d.Name, maxHost), Address: r.short(d.Addr, maxHost), Kind: deviceKinds[verdict], Verdict: r.deviceVerdictInWords(d),
		Flows: d.Flows, Hosts: d.Hosts, Violating: d.Violating, Unread: d.Unread, Altered: d.Altered, Readable: readableSince(d),
	}
	switch {
	case verdict == Inconclusive:
		row.Note = "it contacted nobody"
	case verdict == Clean && d.Unread >= d.Flows:
		row.Note = "by the names of hosts alone"
	}
	return row
}

// diagnosisPart says why connections could not be read.
type diagnosisPart struct {
	Heading string
	Items   []pageDiagnosis
	More    int
}

type pageDiagnosis struct {
	Title     string // sentence
	Certainty string
	Facts     []fact
	Evidence  []string // sentences
	Next      []string // sentences
}

func newDiagnosisPart(r *Report) diagnosisPart {
	all := r.diagnoses()
	part := diagnosisPart{Heading: unreadHeading, More: max(len(all)-maxDiagnoses, 0)}
	for _, d := range all[:len(all)-part.More] {
		part.Items = append(part.Items, pageDiagnosis{
			Title: opening(d, titleOf(r, d, inHTML)), Certainty: sureness(d.Certainty), Facts: findings(r, d, inHTML),
			Evidence: evidenceOf(r, d.Diagnosis, inHTML), Next: stepsOf(r, d.Diagnosis, inHTML),
		})
	}
	return part
}
