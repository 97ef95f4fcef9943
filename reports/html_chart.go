package reports

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"telltale/capture"
	"telltale/policy"
	"telltale/policy/catalog"
)

// This file computes the charts. Widths are percentages of the drawing and
// heights pixels, so that charts stretch and their text does not. A flow has the
// verdict of its host, which is what the summary knows of each moment.

// kinds are the verdicts in the order in which bars are stacked.
var kinds = []string{string(policy.Violation), string(policy.Waived), string(policy.Allowed), string(policy.Ignored), "unjudged"}

// byKind counts flows by the verdict of their host.
type byKind [5]int

func (c byKind) total() int {
	n := 0
	for _, several := range c {
		n += several
	}
	return n
}

func (c *byKind) add(other byKind) {
	for i, n := range other {
		c[i] += n
	}
}

// words says the counts that are not zero.
func (c byKind) words() string {
	var parts []string
	for i, n := range c {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, kindWords[kinds[i]]))
		}
	}
	return strings.Join(parts, ", ")
}

// kindWords say what a colour stands for.
var kindWords = map[string]string{
	string(policy.Violation): "to hosts with a violation",
	string(policy.Waived):    "to waived hosts",
	string(policy.Allowed):   "to allowed hosts",
	string(policy.Ignored):   "to ignored hosts",
	"unjudged":               "to hosts that were not judged",
}

// legend is what the colours of a chart stand for.
type legend struct {
	Kind, Words string
	Flows       int
}

func legends(c byKind) []legend {
	var out []legend
	for i, n := range c {
		if n > 0 {
			out = append(out, legend{kinds[i], kindWords[kinds[i]], n})
		}
	}
	return out
}

// box is one rectangle of a chart.
type box struct{ Kind, X, Y, W, H string }

// bar is the rectangles of one place of a chart, and what they say.
type bar struct {
	Words string
	Boxes []box
}

// The drawing of contacts over time.
const (
	plotLeft   = 7.0 // percent; left of it stand the numbers
	plotTop    = 26.0
	plotHeight = 150.0
	maxBar     = 3.0 // percent
)

// timeChart is contacts over time.
type timeChart struct {
	Words            string // what it shows, in a sentence
	Bars             []bar
	Grid             []gridLine
	Phases           []phaseMark
	From, Middle, To string
	Rows             []timeRow
	Legends          []legend
	Note             string
}

type gridLine struct {
	Y, LabelY string
	Label     string
}

type phaseMark struct{ X, Label string }

type timeRow struct {
	From  string
	Flows int
	Words string
}

// newTimeChart draws the activity of the hosts. It returns nil where no flow has
// a time.
func newTimeChart(s capture.Summary) *timeChart {
	buckets := bucketsOf(s)
	var all byKind
	peak := 0
	for _, b := range buckets {
		all.add(b)
		peak = max(peak, b.total())
	}
	if peak == 0 {
		return nil
	}
	c := &timeChart{Legends: legends(all)}
	top := niceAbove(peak)
	slot := (100 - plotLeft) / float64(len(buckets))
	width := min(slot*0.82, maxBar)
	for i, b := range buckets {
		if b.total() == 0 {
			continue
		}
		from := s.Activity.Start.Add(time.Duration(i) * s.Activity.Width)
		c.Bars = append(c.Bars, bar{fmt.Sprintf("%s: %s", from.UTC().Format(time.DateTime), b.words()),
			column(b, plotLeft+float64(i)*slot+(slot-width)/2, width, top)})
		c.Rows = append(c.Rows, timeRow{tableTime(from), b.total(), b.words()})
	}
	for _, n := range gridOf(top) {
		y := plotTop + plotHeight*(1-float64(n)/float64(top))
		c.Grid = append(c.Grid, gridLine{number(y), number(y + 4), strconv.Itoa(n)})
	}
	c.axis(s, len(buckets))
	c.Words = fmt.Sprintf("%s in steps of %s. At most %s in one step.", plural(all.total(), "flow", "flows"), duration(s.Activity.Width), plural(peak, "flow", "flows"))
	if n := s.Flows - all.total(); n > 0 {
		c.Note = plural(n, "flow has no time and is", "flows have no time and are") + " not drawn."
	}
	return c
}

// axis names the ends of the chart and where phases began.
func (c *timeChart) axis(s capture.Summary, buckets int) {
	from := s.Activity.Start.UTC()
	length := time.Duration(buckets) * s.Activity.Width
	to := from.Add(length)
	layout := time.TimeOnly
	switch {
	case length >= 72*time.Hour:
		layout = time.DateOnly
	case from.Format(time.DateOnly) != to.Format(time.DateOnly):
		layout = "01-02 15:04"
	}
	c.From, c.Middle, c.To = from.Format(layout), from.Add(length/2).Format(layout), to.Format(layout)
	last := -math.MaxFloat64
	for i, p := range s.Phases {
		x := p.First.Sub(from).Seconds() / length.Seconds()
		if p.First.IsZero() || x < 0 || x > 1 {
			continue
		}
		x = plotLeft + x*(100-plotLeft)
		label := ""
		if x-last > 4 {
			label, last = strconv.Itoa(i+1), x
		}
		c.Phases = append(c.Phases, phaseMark{percent(x), label})
	}
}

// column stacks one bucket. What is there is seen, however high the others are.
func column(b byKind, x, width float64, top int) []box {
	var out []box
	y := plotTop + plotHeight
	for i, n := range b {
		if n == 0 {
			continue
		}
		h := max(plotHeight*float64(n)/float64(top), 2)
		y -= h
		out = append(out, box{kinds[i], percent(x), number(y), percent(width), number(h)})
	}
	return out
}

// bucketsOf adds up the activity of the hosts in the steps of the whole.
func bucketsOf(s capture.Summary) []byKind {
	whole := s.Activity
	if whole.Width <= 0 || len(whole.Counts) == 0 {
		return nil
	}
	out := make([]byKind, len(whole.Counts))
	for _, h := range s.Hosts {
		kind := slices.Index(kinds, kindOf(h.Verdict))
		for i, n := range h.Activity.Counts {
			at := h.Activity.Start.Unix() + int64(i)*int64(h.Activity.Width/time.Second) - whole.Start.Unix()
			if b := at / int64(whole.Width/time.Second); at >= 0 && b < int64(len(out)) {
				out[b][kind] += n
			}
		}
	}
	return out
}

// niceAbove returns the round number at or above n at which an axis ends.
func niceAbove(n int) int {
	for unit := 1; ; unit *= 10 {
		for _, step := range []int{1, 2, 4, 5, 8} {
			if step*unit >= n {
				return step * unit
			}
		}
	}
}

// gridOf returns the numbers at which an axis has lines.
func gridOf(top int) []int {
	if top%2 == 0 {
		return []int{0, top / 2, top}
	}
	return []int{0, top}
}

// maxOwners is how many bars the chart of owners has.
const maxOwners = 12

// ownerChart is contacts by who runs the host.
type ownerChart struct {
	Words   string
	Height  string
	Bars    []ownerBar
	Legends []legend
}

type ownerBar struct {
	bar
	Name, Label   string
	Value         string
	TextY, TrackY string
	Flows, Hosts  int
	Kinds         string
}

type ownerTotal struct {
	name  string
	hosts int
	flows byKind
}

// newOwnerChart draws who was contacted, nil where nobody was.
func newOwnerChart(r *Report) *ownerChart {
	owners := ownersOf(r)
	if len(owners) == 0 {
		return nil
	}
	const height = 38.0
	c := &ownerChart{Height: number(height * float64(len(owners)))}
	var all byKind
	peak := 0
	for _, o := range owners {
		all.add(o.flows)
		peak = max(peak, o.flows.total())
	}
	for i, o := range owners {
		y := height * float64(i)
		b := ownerBar{Name: o.name, Label: shortened(o.name, 36), Flows: o.flows.total(), Hosts: o.hosts, Kinds: o.flows.words(), TextY: number(y + 14), TrackY: number(y + 20)}
		b.Value = fmt.Sprintf("%d (%.0f %%)", b.Flows, 100*float64(b.Flows)/float64(max(all.total(), 1)))
		b.Words = fmt.Sprintf("%s, %s: %s", o.name, plural(o.hosts, "host", "hosts"), b.Kinds)
		x := 0.0
		for k, n := range o.flows {
			if n > 0 {
				w := max(100*float64(n)/float64(peak), 0.6)
				b.Boxes = append(b.Boxes, box{kinds[k], percent(x), b.TrackY, percent(min(w, 100-x)), "8"})
				x += w
			}
		}
		c.Bars = append(c.Bars, b)
	}
	c.Legends = legends(all)
	c.Words = fmt.Sprintf("%s, by the company that runs the host where it is known, else by registered domain.", plural(all.total(), "flow", "flows"))
	return c
}

// ownersOf adds up the flows by owner, the most contacted first.
func ownersOf(r *Report) []ownerTotal {
	found := map[string]string{} // owner by host, as findings say
	for _, v := range slices.Concat(r.Summary.Waivers, r.Summary.Violations) {
		if v.Finding.Owner != "" {
			found[v.Finding.Host] = v.Finding.Owner
		}
	}
	totals := map[string]*ownerTotal{}
	for _, h := range r.Summary.Hosts {
		name := r.short(ownerOf(h.Name, found[h.Name]), maxHost)
		o := totals[name]
		if o == nil {
			o = &ownerTotal{name: name}
			totals[name] = o
		}
		o.hosts++
		o.flows[slices.Index(kinds, kindOf(h.Verdict))] += h.Flows
	}
	var out []ownerTotal
	for _, name := range sortedKeys(totals) {
		out = append(out, *totals[name])
	}
	slices.SortStableFunc(out, func(a, b ownerTotal) int { return cmp.Compare(b.flows.total(), a.flows.total()) })
	if len(out) <= maxOwners {
		return out
	}
	others := ownerTotal{name: plural(len(out)-maxOwners+1, "other", "others")}
	for _, o := range out[maxOwners-1:] {
		others.hosts += o.hosts
		others.flows.add(o.flows)
	}
	return append(out[:maxOwners-1], others)
}

// shortened cuts harmless text that has no more room in a drawing.
func shortened(s string, n int) string {
	if runes := []rune(s); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return s
}

// ownerOf names who runs a host: the company where the catalogue or a finding
// knows it, else the domain that somebody registered.
func ownerOf(host, found string) string {
	if c, ok := catalog.FindCompany(host); ok {
		return c.Name
	}
	if found != "" {
		return found
	}
	return policy.RegisteredDomain(host)
}

// percent and number write a length with two digits at most.
func percent(x float64) string { return number(x) + "%" }

func number(x float64) string { return strconv.FormatFloat(math.Round(x*100)/100, 'f', -1, 64) }
