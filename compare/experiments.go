package compare

import (
	"fmt"
	"slices"
	"strings"
)

// experiments returns the names of those that were in force or altered something.
func (a *Audit) experiments() []string {
	var names []string
	for _, e := range a.Summary.Experiments {
		names = append(names, e.Name)
	}
	return names
}

// Caveat says that a capture was recorded with experiments, and so what may be missing in
// it; "" where it was not. name is the capture as a sentence begins with it.
func Caveat(name string, experiments []string) string {
	if len(experiments) == 0 {
		return ""
	}
	return fmt.Sprintf("%s was recorded with experiments (%s): what is missing there may be missing because of them.", name, strings.Join(experiments, ", "))
}

// caveats says what experiments keep the captures from showing.
func caveats(before, after *Audit) (all []string) {
	was, is := before.experiments(), after.experiments()
	if len(was) > 0 && slices.Equal(was, is) {
		return []string{fmt.Sprintf("Both captures were recorded with experiments (%s): they show what happens then, not what happens otherwise.", strings.Join(is, ", "))}
	}
	for _, caveat := range []string{Caveat("The capture before", was), Caveat("The capture after", is)} {
		if caveat != "" {
			all = append(all, caveat)
		}
	}
	return all
}

func (q *inquiry) observed() (Answer, bool) {
	names := q.after.experiments()
	a := Answer{Question: WasObserved, Experiments: names, Flows: q.after.Summary.Flows, Altered: q.after.Summary.Altered}
	return a, len(names) > 0 && !slices.Equal(names, q.before.experiments())
}
