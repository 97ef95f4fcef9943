package reports

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"telltale/policy"
)

// maxBaseline bounds what is read of an earlier report, in bytes: one with 100,000
// violations has a hundred megabytes.
const maxBaseline = 256 << 20

// ReadBaseline reads which violations an earlier JSON report has, those that it
// knew from a baseline of its own included. isReport is false, without an error,
// for JSON that is a HAR, and for what is no JSON at all.
func ReadBaseline(r io.Reader) (known policy.Baseline, isReport bool, err error) {
	d := json.NewDecoder(io.LimitReader(bufio.NewReader(r), maxBaseline))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return nil, false, nil //nolint:nilerr // whoever reads captures says what is wrong with it
	}
	var schema string
	var counted, waived []baselineViolation
	listed := false
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, schema != "", fmt.Errorf("not a whole JSON report: %w", err)
		}
		switch name {
		case "log":
			return nil, false, nil
		case "schema":
			err = d.Decode(&schema)
		case "violations":
			listed = true
			err = d.Decode(&counted)
		case "waived":
			err = d.Decode(&waived)
		default:
			err = d.Decode(new(json.RawMessage))
		}
		if err != nil {
			return nil, schema != "", fmt.Errorf("not a whole JSON report: member %q: %w", name, err)
		}
	}
	if _, err := d.Token(); err != nil { // the closing brace
		return nil, schema != "", fmt.Errorf("not a whole JSON report: %w", err)
	}
	if schema != Schema {
		return nil, false, fmt.Errorf("expected a capture or a report with the schema %q, found the schema %q", Schema, schema)
	}
	if !listed {
		return nil, true, errors.New(`expected the report to have "violations", found none`)
	}
	return baselineOf(counted, waived)
}

// baselineViolation is as much of a violation as a baseline needs.
type baselineViolation struct {
	ID    string `json:"id"`
	Known bool   `json:"known"`
}

func baselineOf(counted, waived []baselineViolation) (policy.Baseline, bool, error) {
	known := policy.Baseline{}
	for _, v := range counted {
		if v.ID == "" {
			return nil, true, errors.New("a violation without an id; expected a report that telltale wrote")
		}
		known[v.ID] = true
	}
	for _, v := range waived {
		if v.Known {
			known[v.ID] = true
		}
	}
	return known, true, nil
}
