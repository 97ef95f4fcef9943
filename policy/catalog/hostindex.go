package catalog

import "strings"

// hostIndex finds rows by host name: exact names and, under a leading dot, names
// with everything below them.
type hostIndex struct {
	exact  map[string][]int
	suffix map[string][]int
}

func (x *hostIndex) add(row int, hosts []string) {
	if x.exact == nil {
		x.exact, x.suffix = map[string][]int{}, map[string][]int{}
	}
	for _, host := range hosts {
		if name, ok := strings.CutPrefix(host, "."); ok {
			x.suffix[name] = append(x.suffix[name], row)
			continue
		}
		x.exact[host] = append(x.exact[host], row)
	}
}

// find returns the rows of the longest name that covers host.
func (x *hostIndex) find(host string) (found []int) {
	x.covering(host, func(rows []int, _ int) bool {
		found = rows
		return true
	})
	return found
}

// covering calls visit with the rows of each name that covers host, the longest first,
// and a number that is the higher the more specific the name is, until it returns true.
func (x *hostIndex) covering(host string, visit func(rows []int, specific int) bool) {
	if rows, ok := x.exact[host]; ok && visit(rows, 2*len(host)+1) {
		return
	}
	for rest := host; rest != ""; {
		if rows, ok := x.suffix[rest]; ok && visit(rows, 2*len(rest)) {
			return
		}
		_, rest, _ = strings.Cut(rest, ".")
	}
}
