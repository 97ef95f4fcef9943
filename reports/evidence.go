package reports

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"telltale/capture"
)

// This file says of a violation who sent it, to which address, when, and where its flows
// stand.

// senders names the apps of a violation that no User-Agent names, and how they are known.
func senders(r *Report, v capture.Violation, st style) string {
	var names []string
	for _, a := range v.Attributed {
		if a.Words != "" {
			names = append(names, st.prose(r.clipped(a.Words, maxText)))
		}
	}
	return strings.Join(firstOf(names), "; ")
}

// addresses says where the packets of a violation were addressed to, and for which name
// DNS gave the address.
func addresses(r *Report, v capture.Violation, st style) string {
	var names []string
	for _, ref := range v.Flows {
		if ref.Destination == "" {
			continue
		}
		text := st.data(r.clipped(ref.Destination, maxHost))
		if ref.Resolved != "" {
			text += ", which DNS gave for " + st.data(r.clipped(ref.Resolved, maxHost))
		}
		if !slices.Contains(names, text) {
			names = append(names, text)
		}
	}
	return strings.Join(firstOf(names), "; ")
}

// place names the flows of a violation: "a.har, entries 3, 5". What stands in a file
// outside its entries, as connections without content do, is named by its line.
func place(r *Report, v capture.Violation, st style) string {
	var parts []string
	shown := 0
	for i := 0; i < len(v.Flows) && shown < maxEntries; {
		file := r.captureOf(v.Flows[i])
		outside := v.Flows[i].Entry == 0
		var numbers []string
		for ; i < len(v.Flows) && shown < maxEntries; i, shown = i+1, shown+1 {
			ref := v.Flows[i]
			if r.captureOf(ref) != file || (ref.Entry == 0) != outside {
				break
			}
			n := ref.Entry
			if outside {
				n = ref.Line
			}
			numbers = append(numbers, strconv.Itoa(n))
		}
		noun := "entr" + ending(len(numbers), "y", "ies")
		if outside {
			noun = "line" + ending(len(numbers), "", "s")
		}
		parts = append(parts, fmt.Sprintf("%s, %s %s", captureName(r, file, st), noun, strings.Join(numbers, ", ")))
	}
	if more := v.Count - shown; more > 0 && shown > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, "; ")
}

// seen says when flows happened, and how often when they have a beat.
func seen(v capture.Violation) string {
	s := times(v.Count)
	switch {
	case v.First.IsZero():
	case v.Count == 1 || v.First.Equal(v.Last):
		s += ", at " + moment(v.First)
	default:
		s += ", " + period(v.First, v.Last)
	}
	if v.Interval > 0 {
		s += ", " + interval(v.Interval)
	}
	return s
}
