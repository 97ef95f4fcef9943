package tui

import (
	"slices"
	"strings"
)

// An action is something that a person can do by a key.
type action int

// The actions.
const (
	none action = iota
	showConnect
	showViolations
	showHosts
	showFlows
	showDevices
	showDiagnosis
	nextView
	previousView
	moveUp
	moveDown
	pageUp
	pageDown
	goFirst
	goLast
	follow
	openDetail
	goBack
	nextTab
	previousTab
	nextFlow
	previousFlow
	revealSecrets
	showFilter
	toggleFilter
	onlyThis
	onlyDevice
	sortHosts
	groupHosts
	nextPlace
	otherWay
	nextPeer
	addPeer
	copyConfig
	showCoverage
	showSent
	showOrigin
	showTold
	showLab
	hideQuestions
	allowIt
	ignoreIt
	waiveIt
	acknowledgeIt
	refuseIt
	nameDevice
	undoDecision
	writePolicy
	markPhase
	exportReport
	copyIt
	showHelp
	quit
)

// A scope is a part of the program in which a key means something.
type scope uint

// The scopes.
const (
	inConnect scope = 1 << iota
	inViolations
	inHosts
	inFlows
	inDetail
	inDevices                                     // the list of them
	inDevice                                      // the page of one
	inLists    = inViolations | inHosts | inFlows // of what was sent
	onDevices  = inDevices | inDevice
	everywhere = inConnect | inLists | inDetail | onDevices
)

// A binding says which keys do what, and where. Help, hints and the dispatch of
// keys are all made of the table below.
type binding struct {
	keys   []string // as Bubble Tea names them; the first one is shown
	show   string   // how the key is shown; "" for its name
	do     action
	in     scope
	help   string
	hint   string // a word for the bottom line; "" keeps it off
	topic  string // heading under which help lists it
	hidden bool   // a second way that help need not list
}

const (
	topicLook   = "Look"
	topicFind   = "Find"
	topicDecide = "Decide"
	topicLeave  = "Leave"
)

var bindings = []binding{
	{keys: []string{"enter"}, do: openDetail, in: inLists | inDevices, topic: topicLook, hint: "open", help: "open what is under the cursor"},
	{keys: []string{"1"}, do: showViolations, in: everywhere, topic: topicLook, help: "violations"},
	{keys: []string{"2"}, do: showHosts, in: everywhere, topic: topicLook, help: "hosts"},
	{keys: []string{"3"}, do: showFlows, in: everywhere, topic: topicLook, help: "flows"},
	{keys: []string{"4"}, do: showDevices, in: everywhere, topic: topicLook, help: "devices"},
	{keys: []string{"c", "0"}, do: showConnect, in: everywhere, topic: topicLook, help: "connect a device"},
	{keys: []string{"D"}, do: showDiagnosis, in: everywhere, topic: topicLook, help: "the diagnosis: why something cannot be read, and what to do"},
	{keys: []string{"tab"}, do: nextView, in: inConnect | inLists | inDevices, topic: topicLook, help: "next view; shift+tab: the one before"},
	{keys: []string{"shift+tab"}, do: previousView, in: inConnect | inLists | inDevices, hidden: true},
	{keys: []string{"up", "k"}, show: "↑ ↓", do: moveUp, in: everywhere, topic: topicLook, help: "move or scroll; also k and j, PgUp and PgDn, the mouse wheel"},
	{keys: []string{"down", "j"}, do: moveDown, in: everywhere, hidden: true},
	{keys: []string{"pgup", "ctrl+b"}, do: pageUp, in: everywhere, hidden: true},
	{keys: []string{"pgdown", "ctrl+f"}, do: pageDown, in: everywhere, hidden: true},
	{keys: []string{"home", "g"}, show: "g G", do: goFirst, in: everywhere, topic: topicLook, help: "first and last; also Home and End"},
	{keys: []string{"end", "G"}, do: goLast, in: everywhere, hidden: true},
	{keys: []string{" "}, show: "space", do: follow, in: inFlows, topic: topicLook, hint: "follow", help: "follow new flows, or stay"},
	{keys: []string{"o"}, do: sortHosts, in: inHosts, topic: topicLook, hint: "order", help: "order hosts by verdict, name, flows, bytes or last contact"},
	{keys: []string{"d"}, do: groupHosts, in: inHosts, topic: topicLook, hint: "domains", help: "group hosts by registered domain"},
	{keys: []string{"v"}, do: showCoverage, in: everywhere, topic: topicLook, help: "what this audit can have seen, and whether all of it was recorded"},
	{keys: []string{"t"}, do: otherWay, in: inConnect, topic: topicLook, help: "the tunnel's code, or the proxy's"},
	{keys: []string{"n"}, do: nextPlace, in: inConnect, topic: topicLook, hint: "next address", help: "next address of this machine"},
	{keys: []string{"d"}, do: nextPeer, in: inConnect, topic: topicLook, help: "next device of the tunnel"},

	{keys: []string{"tab", "right", "l"}, show: "tab", do: nextTab, in: inDetail, topic: topicLook, hint: "next tab", help: "next tab of a flow; also ← and →"},
	{keys: []string{"shift+tab", "left", "h"}, do: previousTab, in: inDetail, hidden: true},
	{keys: []string{"n", "]"}, show: "n p", do: nextFlow, in: inDetail | inDevice, topic: topicLook, hint: "next", help: "next and previous flow, or device"},
	{keys: []string{"p", "["}, do: previousFlow, in: inDetail | inDevice, hidden: true},
	{keys: []string{"r"}, do: revealSecrets, in: inDetail, topic: topicLook, hint: "reveal", help: "reveal secrets, or mask them again"},
	{keys: []string{"esc", "backspace"}, show: "esc", do: goBack, in: everywhere, topic: topicLook, help: "back; in a list: drop the filter, then show every device and question again"},

	{keys: []string{"/"}, do: showFilter, in: everywhere, topic: topicFind, hint: "filter", help: "filter as you type: words, or an expression"},
	{keys: []string{"f"}, do: toggleFilter, in: inLists | inDevices, topic: topicFind, help: "filter off and on"},
	{keys: []string{"F"}, do: onlyThis, in: inViolations | inHosts | inDetail | onDevices, topic: topicFind, hint: "its flows", help: "list the flows of this host, violation or device"},
	{keys: []string{" "}, show: "space", do: onlyDevice, in: onDevices, topic: topicFind, hint: "only it", help: "in every view this device alone; again, or esc: every device"},

	{keys: []string{"a"}, do: allowIt, in: inLists | inDetail, topic: topicDecide, hint: "allow", help: "allow the host"},
	{keys: []string{"i"}, do: ignoreIt, in: inLists | inDetail, topic: topicDecide, help: "ignore the host: the device's own noise"},
	{keys: []string{"x"}, do: waiveIt, in: inLists | inDetail, topic: topicDecide, help: "waive the violation, with a reason and an end"},
	{keys: []string{"K"}, do: acknowledgeIt, in: inViolations | inDetail, topic: topicDecide, help: "acknowledge the violation: you know of it (✓ beside its mark)"},
	{keys: []string{"R"}, do: refuseIt, in: inLists | inDetail, topic: topicDecide, help: "refuse the host, as an experiment; again: no longer"},
	{keys: []string{"A"}, do: addPeer, in: inConnect, topic: topicDecide, help: "add a device to the tunnel: it gets a key of its own"},
	{keys: []string{"N"}, do: nameDevice, in: inConnect | onDevices, topic: topicDecide, hint: "name", help: "name the device"},
	{keys: []string{"u"}, do: undoDecision, in: everywhere, topic: topicDecide, help: "undo the last decision"},
	{keys: []string{"w"}, do: writePolicy, in: everywhere, topic: topicDecide, help: "write decisions to the policy file"},
	{keys: []string{"m"}, do: markPhase, in: everywhere, topic: topicDecide, help: "mark a phase, such as before consent"},
	{keys: []string{"X"}, do: showLab, in: everywhere, topic: topicDecide, help: "experiments: what alters the traffic, to switch on and off"},

	{keys: []string{"e"}, do: exportReport, in: everywhere, topic: topicLeave, hint: "report", help: "write reports"},
	{keys: []string{"y"}, do: copyIt, in: inLists | inDetail, topic: topicLeave, help: "copy a URL, a curl command or a Markdown line"},
	{keys: []string{"y"}, do: copyConfig, in: inConnect, topic: topicLeave, help: "copy the tunnel's configuration, its private key in it"},
	{keys: []string{"h"}, do: hideQuestions, in: inLists, topic: topicFind, hint: "hide DNS", help: "hide DNS questions in every list, or show them again"},
	{keys: []string{"s"}, do: showSent, in: everywhere, topic: topicLook, hint: "told", help: "what was told to whom: identifiers, who got them, what repeats"},
	{keys: []string{"O"}, do: showOrigin, in: inLists | inDetail, topic: topicLook, help: "the origin: where in the app the host comes from, with --app"},
	{keys: []string{"P"}, do: showTold, in: everywhere, topic: topicLook, help: "messages that wait, and the output of your programs"},
	{keys: []string{"?"}, do: showHelp, in: everywhere, topic: topicLeave, hint: "keys", help: "all keys"},
	{keys: []string{"q", "ctrl+c"}, do: quit, in: everywhere, topic: topicLeave, hint: "quit", help: "quit; asks where something would be lost"},
}

// find returns what a key does in a scope.
func find(key string, in scope) action {
	for _, b := range bindings {
		if b.in&in != 0 && slices.Contains(b.keys, key) {
			return b.do
		}
	}
	return none
}

// label returns how a binding's key is shown.
func (b *binding) label() string {
	if b.show != "" {
		return b.show
	}
	return b.keys[0]
}

// hints returns the bottom line of a scope, the keys that are needed most.
func hints(t *theme, in scope, screen int) string {
	shown := make([]string, len(bindings))
	room := screen + 2
	for _, always := range []bool{true, false} { // who has lost the way finds it by these
		for i, b := range bindings {
			if b.in&in == 0 || b.hint == "" || always != (b.do == showHelp || b.do == quit) {
				continue
			}
			hint := t.key.Render(b.label()) + " " + t.dim.Render(b.hint)
			if n := width(hint) + 2; n <= room {
				shown[i], room = hint, room-n
			}
		}
	}
	return strings.Join(slices.DeleteFunc(shown, func(hint string) bool { return hint == "" }), "  ")
}
