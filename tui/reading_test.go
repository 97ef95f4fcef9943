package tui

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/guard/raced"
)

// visit is a flow to a host of its own, so many seconds into the audit.
func visit(id flow.ID, host string) *flow.Flow {
	return flowtest.Get("https://"+host+"/", flowtest.ID(id), flowtest.At(time.Duration(id)*time.Second))
}

// visits are flows to hosts that the policy does not name, or to one that it does.
func visits(from, to int, host string) []*flow.Flow {
	var flows []*flow.Flow
	for i := from; i <= to; i++ {
		h := host
		if h == "" {
			h = fmt.Sprintf("h%04d.example", i)
		}
		flows = append(flows, visit(flow.ID(i), h))
	}
	return flows
}

func TestNewRowsDoNotMoveWhatIsRead(t *testing.T) {
	t.Parallel()
	for _, view := range []string{"1", "2"} {
		t.Run("view "+view, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, setting{flows: visits(100, 140, "")})
			r.press(view, "down", "down", "down", "down", "down")
			at, row := r.line()
			for i := range 5 {
				r.observe(visit(flow.ID(200+i), fmt.Sprintf("a%d.example", i)), visit(flow.ID(300+i), fmt.Sprintf("z%d.example", i)))
				r.news()
				if nowAt, now := r.line(); nowAt != at || now != row {
					t.Fatalf("the cursor was on line %d, %q, and is on %d, %q", at, row, nowAt, now)
				}
			}
		})
	}
}

func TestFlowsStayUnlessFollowed(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: visits(1, 100, "www.canada.ca")})
	r.press("3")
	r.sees("following ↓")
	if _, row := r.line(); !strings.Contains(row, "12:01:40") {
		t.Fatalf("following, the cursor is on %q, not on the newest flow", row)
	}
	r.observe(visits(101, 110, "www.canada.ca")...)
	r.news()
	if _, row := r.line(); !strings.Contains(row, "12:01:50") {
		t.Fatalf("following, the cursor is on %q, not on the newest flow", row)
	}

	r.press("up", "up")
	before := r.m.View()
	at, row := r.line()
	r.observe(visits(111, 117, "www.canada.ca")...)
	r.news()
	if nowAt, now := r.line(); nowAt != at || now != row {
		t.Fatalf("the cursor was on line %d, %q, and is on %d, %q", at, row, nowAt, now)
	}
	if rows(before) != rows(r.m.View()) {
		t.Fatalf("the rows moved:\n%s\n%s", before, r.m.View())
	}
	r.sees("↓ 7 new (G)")
	r.seesNot("following")

	r.press("down", "down", "down", "down")
	r.sees("↓ 5 new (G)") // two of them are on the screen now
	r.press("end")
	r.sees("following ↓")
	if _, row := r.line(); !strings.Contains(row, "12:01:57") {
		t.Fatalf("the cursor is on %q, not on the newest flow", row)
	}
	r.press("space")
	r.seesNot("following")
	r.press("space")
	r.sees("following ↓")
	r.press("home")
	r.seesNot("following")
	if _, row := r.line(); !strings.Contains(row, "12:00:01") {
		t.Fatalf("the cursor is on %q, not on the first flow", row)
	}
}

// rows returns the rows of a table on a screen.
func rows(view string) string {
	lines := strings.Split(view, "\n")
	return strings.Join(lines[4:len(lines)-1], "\n")
}

func TestLeavingTheDetailFindsTheListAsItWas(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: visits(1, 60, "www.canada.ca")})
	r.press("3", "up", "up", "up")
	before := rows(r.m.View())
	r.press("enter")
	r.sees("flow 57")
	r.observe(visits(61, 90, "www.canada.ca")...)
	r.news()
	r.press("esc")
	if rows(r.m.View()) != before {
		t.Fatalf("the list was\n%s\nand is\n%s", before, rows(r.m.View()))
	}
	r.press("end", "enter")
	r.sees("flow 90")
	r.observe(visits(91, 95, "www.canada.ca")...)
	r.news()
	r.press("esc")
	if _, row := r.line(); !strings.Contains(row, "12:01:30") {
		t.Fatalf("the detail of flow 90 was left, and the cursor is on %q", row)
	}
	r.press("enter", "p", "p", "p", "esc")
	if _, row := r.line(); !strings.Contains(row, "12:01:27") {
		t.Fatalf("the detail of flow 87 was left, and the cursor is on %q", row)
	}
}

func TestPagingVisitsEveryFlowOnce(t *testing.T) {
	t.Parallel()
	n := raced.Size(5000, 1000)
	flows := make([]*flow.Flow, n)
	for i := range flows {
		flows[i] = flowtest.Get(fmt.Sprintf("https://www.canada.ca/p%04d", i+1), flowtest.ID(flow.ID(i+1)))
	}
	s := recorded(flows)
	s.w, s.h = 60, 60
	r := newRig(t, s)
	r.press("3", "home")
	seen := map[flow.ID]int{}
	var order []flow.ID
	look := func() {
		v := &r.m.flows
		for _, row := range v.rows[v.top:min(len(v.rows), v.top+v.height)] {
			if seen[row.id]++; seen[row.id] == 1 {
				order = append(order, row.id)
			}
		}
	}
	for i := range n / 20 { // row by row
		if got := r.m.flows.rows[r.m.flows.cursor].id; got != flow.ID(i+1) {
			t.Fatalf("after %d times down the cursor is on %d", i, got)
		}
		r.press("down")
	}
	r.press("home")
	for range n {
		look()
		r.press("pgdown")
		if len(order) == n {
			break
		}
	}
	if len(order) != n || !slices.IsSorted(order) {
		t.Fatalf("paging forth showed %d of %d flows, in order: %v", len(order), n, slices.IsSorted(order))
	}
	seen, order = map[flow.ID]int{}, nil
	r.press("end")
	r.sees(fmt.Sprintf("p%04d", n))
	for range n {
		look()
		r.press("pgup")
		if len(order) == n {
			break
		}
	}
	if len(order) != n {
		t.Fatalf("paging back showed %d of %d flows", len(order), n)
	}
	r.sees("p0001")
}

// TestKeysBeforeTheWindowArrives presses keys while the capture is slow to answer.
func TestKeysBeforeTheWindowArrives(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{"home": "12:00:01", "end": "12:50:00"} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, recorded(visits(1, 3000, "www.canada.ca")))
			r.press("3", "home")
			for range 70 {
				r.press("pgdown")
			}
			r.hold = true
			r.news() // a window around the cursor is on its way
			r.press(key)
			r.release()
			if _, row := r.line(); !strings.Contains(row, want) {
				t.Fatalf("after %s the cursor is on %q, not on %s", key, row, want)
			}
		})
	}
	t.Run("many pages", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, recorded(visits(1, 3000, "www.canada.ca")))
		r.press("3", "home")
		for range 70 {
			r.press("pgdown")
		}
		r.hold = true
		r.news()
		for range 12 {
			r.press("pgup")
		}
		want := r.m.flows.rows[r.m.flows.cursor].id
		r.release()
		if got := r.m.flows.rows[r.m.flows.cursor].id; got != want {
			t.Fatalf("the cursor was on %d when the window came, and is on %d", want, got)
		}
	})
}

func TestSelectionSurvivesOrderAndGrouping(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story()})
	r.onto("2", "captive.example.net")
	for range 6 {
		r.press("o")
		if _, row := r.line(); !strings.Contains(row, "captive.example.net") {
			t.Fatalf("ordered anew, the cursor is on %q", row)
		}
	}
	for range 2 {
		r.press("d")
		if _, row := r.line(); !strings.Contains(row, "captive.example.net") {
			t.Fatalf("grouped, the cursor is on %q", row)
		}
	}
}

func TestMouse(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: visits(1, 100, "")})
	click := func(x, y int) {
		t.Helper()
		r.send(tea.MouseMsg{X: x, Y: y, Action: tea.MouseActionPress, Button: tea.MouseButtonLeft})
	}
	wheel := func(b tea.MouseButton) { r.send(tea.MouseMsg{X: 5, Y: 8, Action: tea.MouseActionPress, Button: b}) }
	for text, view := range map[string]scope{"1 Viol": inViolations, "2 Hosts": inHosts, "3 Flows": inFlows, "c Connect": inConnect} {
		line := strings.Split(r.m.View(), "\n")[2]
		before, _, _ := strings.Cut(line, text)
		click(width(before)+2, 2)
		if r.m.view != view {
			t.Fatalf("a click on %s leads to view %d", text, r.m.view)
		}
	}
	for _, view := range []string{"1", "2", "3"} {
		r.press(view, "home")
		for _, y := range []int{10, 4, 22} {
			click(10, y)
			if at, _ := r.line(); at != y {
				t.Fatalf("view %s: a click on line %d selects line %d:\n%s", view, y, at, r.m.View())
			}
		}
		_, row := r.line()
		click(10, 22) // the second one opens
		if r.m.detail == nil || !strings.Contains(r.m.View(), strings.Fields(strings.TrimLeft(row, "✗ "))[0]) && view == "2" {
			t.Fatalf("view %s: a second click does not open %q", view, row)
		}
		for i, tab := range detailTabs {
			line := strings.Split(r.m.View(), "\n")[4]
			before, _, _ := strings.Cut(line, tab.name)
			click(width(before)+1, 4)
			if r.m.detail.tab != i {
				t.Fatalf("a click on %s opens tab %d", tab.name, r.m.detail.tab)
			}
		}
		r.press("shift+tab", "shift+tab", "shift+tab", "shift+tab")
		wheel(tea.MouseButtonWheelDown)
		if r.m.detail.top == 0 {
			t.Fatal("the wheel does not scroll the detail")
		}
		r.press("esc", "home")
		first := rows(r.m.View())
		wheel(tea.MouseButtonWheelDown)
		if rows(r.m.View()) == first {
			t.Fatalf("view %s: the wheel does not scroll", view)
		}
		wheel(tea.MouseButtonWheelUp)
		if rows(strings.ReplaceAll(r.m.View(), "▸", " ")) != strings.ReplaceAll(first, "▸", " ") {
			t.Fatalf("view %s: the wheel does not scroll back", view)
		}
	}
	r.press("3", "end")
	r.sees("following")
	wheel(tea.MouseButtonWheelDown)
	r.sees("following")
	wheel(tea.MouseButtonWheelUp)
	r.seesNot("following")
}

func TestNewViolationIsAnnounced(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story()})
	id := flow.ID(100)
	arrives := func() string {
		id++
		host := fmt.Sprintf("new%d.example", id)
		r.observe(flowtest.Get("https://"+host+"/", flowtest.ID(id), flowtest.At(time.Duration(id)*time.Second)))
		r.news()
		return "new violation (1): host-not-allowed, " + host
	}
	r.press("1")
	r.seesNot(arrives()) // it stands in the first row
	for _, keys := range [][]string{{"down"}, {"enter"}, {"esc", "2"}, {"3"}} {
		r.press(keys...)
		r.sees(arrives())
	}
	r.observe(flowtest.Get("https://www.canada.ca/", flowtest.ID(200)))
	r.press("up")
	r.news()
	r.seesNot("new violation")
}

func TestFirstFlowIsAnnounced(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{})
	r.press("c")
	r.observe(flowtest.Get("https://www.canada.ca/"))
	r.news()
	r.sees("the first flow has arrived: 1 shows violations")
}

func TestTroubleIsNotTalkedOver(t *testing.T) {
	t.Parallel()
	var problems []string
	r := newRig(t, setting{flows: story(), change: func(c *Config) { c.Problems = func() []string { return problems } }})
	problems = []string{"cannot write audit.telltale: " + strings.Repeat("no space left on device, ", 8) + "the end"}
	r.press("3")
	r.observe(flowtest.Get("https://new.example/", flowtest.ID(100)))
	r.news()
	r.sees("! cannot write audit.telltale", "! 1 problem", "the end")
	r.press("up")
	r.seesNot("! cannot write")
}

// named returns the keys of a list.
func named(names string) []string { return strings.Fields(names) }

func TestListHoldsOnToWhatIsRead(t *testing.T) {
	t.Parallel()
	held := func(height int, names, cursor string) *list {
		l := &list{}
		l.resize(height)
		l.replace(named(names))
		l.move(slices.Index(l.keys, cursor))
		return l
	}
	for _, test := range []struct {
		what          string
		l             *list
		then          string
		settle        bool
		cursor        string
		line, above   int
		first         string // on the screen
		firstReturned string // after g
	}{
		{"new ones above a short list", held(10, "b a", "a"), "d c b a", false, "a", 1, 2, "b", "d"},
		{"and below", held(10, "b a", "b"), "b a z", false, "b", 0, 0, "b", "b"},
		{"new ones above a long list", held(2, "d c b a", "b"), "f e d c b a", false, "b", 1, 2, "c", "f"},
		{"another order shows all that fits", held(10, "a b c d", "a"), "d c b a", true, "a", 3, 0, "d", "d"},
		{"what was there moves above, but fits", held(10, "a b c d", "a"), "d c b a", false, "a", 3, 0, "d", "d"},
		{"what comes back by an undo", held(10, "c b", "b"), "d c b", true, "b", 2, 0, "d", "d"},
		{"the item is gone", held(10, "c b a", "b"), "c a", false, "a", 1, 0, "c", "c"},
	} {
		test.l.settle = test.settle
		test.l.replace(named(test.then))
		from, _ := test.l.visible()
		if test.l.key() != test.cursor || test.l.cursor-test.l.top != test.line || test.l.above != test.above || test.l.keys[from] != test.first {
			t.Errorf("%s: cursor on %s in line %d, %d above, first %s", test.what, test.l.key(), test.l.cursor-test.l.top, test.l.above, test.l.keys[from])
		}
		if test.l.first(); test.l.key() != test.firstReturned || test.l.above != 0 {
			t.Errorf("%s: g goes to %s, %d above", test.what, test.l.key(), test.l.above)
		}
	}
}

func TestWhatCameAboveIsCounted(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story(), w: 80, h: 24})
	r.press("1", "down")
	r.observe(flowtest.Get("https://new.example/", flowtest.ID(9001), flowtest.At(20*time.Minute)))
	r.news()
	r.sees("↑ 1 new (g)")
	r.press("g")
	r.seesNot("new (g)")
}
