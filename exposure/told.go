package exposure

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// This file says for people what was found, in the words that every report and screen
// shares.

// KindOf returns the kind of this name. One that nobody knows has its name as its title.
func KindOf(name string) Kind {
	for _, k := range Kinds {
		if k.Name == name {
			return k
		}
	}
	return Kind{Name: name, Title: strings.ReplaceAll(name, "-", " ")}
}

// A Told is what one receiver got.
type Told struct {
	Receiver string
	Trails   []Trail // in the order of the kinds
}

// ByReceiver parts trails by who got them: whoever got most kinds comes first.
func ByReceiver(trails []Trail) []Told {
	at := map[string]int{}
	var all []Told
	for _, t := range trails {
		for _, r := range t.Receivers {
			i, known := at[r]
			if !known {
				i = len(all)
				at[r], all = i, append(all, Told{Receiver: r})
			}
			all[i].Trails = append(all[i].Trails, t)
		}
	}
	kinds := make(map[string]int, len(all))
	for _, told := range all {
		slices.SortStableFunc(told.Trails, func(a, b Trail) int { return order(a.Kind) - order(b.Kind) })
		kinds[told.Receiver] = len(KindsOf(told.Trails))
	}
	slices.SortFunc(all, func(a, b Told) int {
		return cmp.Or(kinds[b.Receiver]-kinds[a.Receiver], len(b.Trails)-len(a.Trails), cmp.Compare(a.Receiver, b.Receiver))
	})
	return all
}

// KindsOf returns the names of the kinds of trails, each once, in the order of [Kinds].
func KindsOf(trails []Trail) []string {
	var names []string
	for _, t := range trails {
		if !slices.Contains(names, t.Kind) {
			names = append(names, t.Kind)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(order(a)-order(b), cmp.Compare(a, b)) })
	return names
}

// order is the place of a kind in [Kinds]; those that nobody knows come last.
func order(name string) int {
	if i := slices.IndexFunc(Kinds, func(k Kind) bool { return k.Name == name }); i >= 0 {
		return i
	}
	return len(Kinds)
}

// Links reports whether a value joins what several receivers know.
func (t Trail) Links() bool { return len(t.Receivers) > 1 }

// places says in words where something stood, by how package unwrap names the place.
// What follows the name is written behind it.
var places = []struct{ where, words, what string }{
	{"body.json", "in the JSON of the request body", "at"},
	{"body.form", "in the form of the request body", "field"},
	{"body.multipart", "in the request body", "part"},
	{"body.protobuf", "in the protobuf message of the request body", "field"},
	{"body.xml", "in the XML of the request body", "at"},
	{"body.html", "in the HTML of the request body", "at"},
	{"body.plist", "in the property list of the request body", "at"},
	{"body", "in the request body", "at"},
	{"query", "in the URL", "parameter"},
	{"URL path", "in the path of the URL", "at"},
	{"URL fragment", "in the fragment of the URL", "parameter"},
	{"URL user", "in the user of the URL", "at"},
	{"URL host", "in the host of the URL", "at"},
	{"URL", "in the URL", "at"},
	{"header", "in a header field", "named"},
	{"trailer", "in a trailer field", "named"},
	{"cookie", "in a cookie", "named"},
	{"DNS name", "in a name that DNS was asked for", "at"},
	{"TLS server name", "in the server name of TLS", "at"},
	{"server name", "in the name of the server", "at"},
}

// Place says where something stood, and inside which encodings, the outermost first: "in
// the JSON of the request body, at $.user.mail, inside gzip and base64". The names in it
// come from the wire.
func Place(where string, layers []string) string {
	return QuotedPlace(where, layers, func(name string) string { return name })
}

// QuotedPlace is [Place] with the names quoted as a document wants it.
func QuotedPlace(where string, layers []string, quote func(string) string) string {
	where, below, isName := strings.Cut(where+" ", " (name) ")
	where = strings.TrimSuffix(where, " ")
	words := "in " + quote(where)
	for _, p := range places {
		rest, ok := strings.CutPrefix(where, p.where)
		if !ok || rest != "" && !strings.ContainsRune(" .", rune(rest[0])) {
			continue
		}
		if words = p.words; strings.TrimSpace(rest) != "" {
			words += ", " + p.what + " " + quote(strings.TrimSpace(rest))
		}
		break
	}
	if message, ok := messageOf(where, quote); ok {
		words = message
	}
	if isName {
		words += ", in a name there"
		if below = strings.TrimSpace(strings.ReplaceAll(below, " (name)", "")); below != "" {
			words += ", at " + quote(below)
		}
	}
	if len(layers) > 0 {
		words += ", inside " + layersText(layers)
	}
	return words
}

// messageOf says where in a message of a stream: "WebSocket message 3 $.mail".
func messageOf(where string, quote func(string) string) (words string, ok bool) {
	for _, kind := range []string{"WebSocket message ", "gRPC message ", "gRPC-Web message ", "Connect message "} {
		rest, ok := strings.CutPrefix(where, kind)
		if !ok {
			continue
		}
		number, at, _ := strings.Cut(rest, " ")
		if _, err := strconv.Atoi(number); err != nil {
			continue
		}
		words = "in " + kind + number
		if at != "" {
			words += ", at " + quote(at)
		}
		return words, true
	}
	return "", false
}

// layersText joins the names of encodings.
func layersText(layers []string) string {
	if n := len(layers); n > 1 {
		return strings.Join(layers[:n-1], ", ") + " and " + layers[n-1]
	}
	return layers[0]
}
