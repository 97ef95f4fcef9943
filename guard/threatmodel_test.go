package guard

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

// unproven complains about lines of the threat model's table that name no test as
// proof. That the tests exist is for missingTests to hold.
func unproven(t testing.TB, tree fs.FS) []string {
	_, table, found := strings.Cut(read(t, tree, "docs/threat-model.md"), "| threat | mitigation | proof |\n")
	if !found {
		return []string{"docs/threat-model.md has no table of threats, mitigations and proofs"}
	}
	var complaints []string
	rows := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) < 2 {
			break // behind the table
		}
		if strings.HasPrefix(strings.TrimSpace(cells[1]), "---") {
			continue
		}
		rows++
		switch proofs := testName.FindAllStringSubmatch(cells[len(cells)-2], -1); {
		case len(cells) != 5:
			complaints = append(complaints, fmt.Sprintf("docs/threat-model.md: a row has %d cells, not 3: %s", len(cells)-2, strings.TrimSpace(line)))
		case len(proofs) == 0:
			complaints = append(complaints, "docs/threat-model.md: no test stands behind: "+strings.TrimSpace(cells[1]))
		}
		for _, proof := range testName.FindAllStringSubmatch(line, -1) {
			if proof[1] == "" {
				complaints = append(complaints, fmt.Sprintf("docs/threat-model.md: %s needs its package", proof[0]))
			}
		}
	}
	if rows == 0 {
		complaints = append(complaints, "docs/threat-model.md names no threat")
	}
	return complaints
}

func TestThreatsAreProven(t *testing.T) { hold(t, unproven) }

func TestThreatRulesCatch(t *testing.T) {
	const head = "| threat | mitigation | proof |\n| --- | --- | --- |\n"
	doc := func(rows string) map[string]string { return map[string]string{"docs/threat-model.md": rows} }
	catches(t, unproven, doc(head+"| fire | water | `ca.TestWater` |\n\nText.\n"))
	catches(t, unproven, doc(head+"| fire | water `ca.TestWater` | - |\n| flood | boat | `TestBoat` |\n| theft | lock `ca.TestLock` |\n"),
		"docs/threat-model.md: no test stands behind: fire",
		"docs/threat-model.md: `TestBoat` needs its package",
		"docs/threat-model.md: a row has 2 cells, not 3: | theft | lock `ca.TestLock` |",
	)
	catches(t, unproven, doc(head), "docs/threat-model.md names no threat")
	catches(t, unproven, doc("nothing"), "docs/threat-model.md has no table of threats, mitigations and proofs")
}
