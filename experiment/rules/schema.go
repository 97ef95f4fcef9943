package rules

// A Field is one member of a modifier's object.
type Field struct {
	Name     string
	Kind     *Kind
	Required bool
	Help     string
}

// A Modifier is one of martian's modifiers that a file may have.
type Modifier struct {
	Name   string
	Help   string
	Fields []Field
	// Requests and Answers say what it alters. Groups and filters have both.
	Requests, Answers bool

	// together says what is wrong with fields that are right each for itself.
	together func(n *node) string
	make     maker
}

// field returns the field of a name, nil for none.
func (m *Modifier) field(name string) *Field {
	for i := range m.Fields {
		if m.Fields[i].Name == name {
			return &m.Fields[i]
		}
	}
	return nil
}

// fieldNames are the names of all fields, in the order of the table.
func (m *Modifier) fieldNames() []string {
	var names []string
	for _, f := range m.Fields {
		names = append(names, f.Name)
	}
	return names
}

// What many modifiers have.
var (
	scope   = Field{"scope", kindScope, false, "what it is for: `request`, `response`, or both; both where it is absent"}
	inner   = Field{"modifier", kindModifier, true, "what is done where the filter matches"}
	without = Field{"else", kindModifier, false, "what is done where it does not"}
)

// Modifiers are the modifiers that a file may have. Names and fields are martian's; the
// values are checked more strictly than martian does.
var Modifiers []Modifier

// It is filled by init, since making a group looks up the modifiers within it.
func init() {
	Modifiers = append(append(groups, filters...), leaves...)
}

var groups = []Modifier{
	{Name: "fifo.Group", Help: "does several things, one after the other", Requests: true, Answers: true, make: makeFIFO, Fields: []Field{
		{"modifiers", kindModifiers, true, "what is done, in this order"},
		{"aggregateErrors", kindTruth, false, "go on where one of them failed"},
		scope,
	}},
	{Name: "priority.Group", Help: "does several things, the highest priority first", Requests: true, Answers: true, make: makePriority, Fields: []Field{
		{"modifiers", kindOrdered, true, "`priority` (a number) and `modifier` of each"},
		scope,
	}},
}

var filters = []Modifier{
	{Name: "url.Filter", Help: "by the parts of the request's URL; those that are absent match any", Requests: true, Answers: true, make: makeURLFilter, Fields: []Field{
		{"scheme", kindScheme, false, "`http` or `https`"},
		{"host", kindPattern, false, "`api.example.com`, with a port if it is not the usual one (`*` is one whole label)"},
		{"path", kindPath, false, "the whole path, exactly"},
		{"query", kindQuery, false, "the whole query, exactly"},
		inner, without, scope,
	}},
	{Name: "url.RegexFilter", Help: "by the request's whole URL, `https://host/path?query`", Requests: true, Answers: true, make: makeURLRegexFilter, Fields: []Field{
		{"regex", kindRegexp, true, "found anywhere in the URL, unless it has `^` and `$`"},
		inner, without, scope,
	}},
	{Name: "method.Filter", Help: "by the request's method", Requests: true, Answers: true, make: makeMethodFilter, Fields: []Field{
		{"method", kindMethod, true, "`POST`"},
		inner, without, scope,
	}},
	{Name: "header.Filter", Help: "by a header of the request, or of the answer when that is altered", Requests: true, Answers: true, make: makeHeaderFilter, Fields: []Field{
		{"name", kindHeader, true, "the header"},
		{"value", kindValue, true, "its whole value, exactly"},
		inner, without, scope,
	}},
	{Name: "header.RegexFilter", Help: "by a header of the request, also when the answer is altered", Requests: true, Answers: true, make: makeHeaderRegexFilter, Fields: []Field{
		{"header", kindHeader, true, "the header"},
		{"regex", kindRegexp, true, "found anywhere in its first value"},
		inner, scope,
	}},
	{Name: "querystring.Filter", Help: "by a parameter of the request's query", Requests: true, Answers: true, make: makeQueryFilter, Fields: []Field{
		{"name", kindGiven, true, "the parameter"},
		{"value", kindGiven, false, "its value, or any where it is absent"},
		inner, without, scope,
	}},
	{Name: "cookie.Filter", Help: "by a cookie of the request, or one that the answer sets when that is altered", Requests: true, Answers: true, make: makeCookieFilter, Fields: []Field{
		{"name", kindHeader, true, "the cookie"},
		{"value", kindGiven, false, "its value, or any where it is absent"},
		inner, without, scope,
	}},
	{Name: "port.Filter", Help: "by the port of the request's URL", Requests: true, Answers: true, make: makePortFilter, Fields: []Field{
		{"port", kindPort, true, "`8443`"},
		inner, scope,
	}},
}

var leaves = []Modifier{
	{Name: "header.Modifier", Help: "sets a header, in the place of all of its name", Requests: true, Answers: true, make: makeLeaf(alterHeader("name", "set")), Fields: []Field{
		{"name", kindSettable, true, "the header"},
		{"value", kindValue, true, "its value"},
		scope,
	}},
	{Name: "header.Append", Help: "adds a header, beside those of its name", Requests: true, Answers: true, make: makeLeaf(alterHeader("name", "added")), Fields: []Field{
		{"name", kindSettable, true, "the header"},
		{"value", kindValue, true, "its value"},
		scope,
	}},
	{Name: "header.Blacklist", Help: "removes headers", Requests: true, Answers: true, make: makeLeaf(alterHeader("names", "removed")), Fields: []Field{
		{"names", kindHeaders, true, "the headers"},
		scope,
	}},
	{Name: "header.Copy", Help: "copies the first value of a header to another; does nothing where there is none", Requests: true, Answers: true, make: makeLeaf(alterCopy), Fields: []Field{
		{"from", kindHeader, true, "the header that is copied"},
		{"to", kindSettable, true, "the header that is set"},
		scope,
	}},
	{Name: "cookie.Modifier", Help: "adds a cookie to a request, or lets an answer set one", Requests: true, Answers: true, make: makeLeaf(alterCookie), together: wrongCookie, Fields: []Field{
		{"name", kindHeader, true, "the cookie"},
		{"value", kindValue, true, "its value"},
		{"path", kindPath, false, "of an answer's cookie"},
		{"domain", kindHost, false, "of an answer's cookie"},
		{"expires", kindTime, false, "of an answer's cookie"},
		{"maxAge", kindInteger, false, "of an answer's cookie, in seconds (below 0 removes it)"},
		{"secure", kindTruth, false, "of an answer's cookie"},
		{"httpOnly", kindTruth, false, "of an answer's cookie"},
		scope,
	}},
	{Name: "body.Modifier", Help: "replaces the content", Requests: true, Answers: true, make: makeLeaf(alterBody), Fields: []Field{
		{"contentType", kindMedia, true, "what it is: `application/json`"},
		{"body", kindBase64, true, "the content in base64"},
		scope,
	}},
	{Name: "status.Modifier", Help: "sets the status of the answer", Answers: true, make: makeLeaf(alterStatus), Fields: []Field{
		{"statusCode", kindStatus, true, "`503`"},
		scope,
	}},
	{Name: "querystring.Modifier", Help: "sets a parameter of the request's query, in the place of all of its name", Requests: true, make: makeLeaf(alterQuery), Fields: []Field{
		{"name", kindGiven, true, "the parameter"},
		{"value", kindRemark, true, "its value"},
		scope,
	}},
	{Name: "url.Modifier", Help: "sets parts of the request's URL", Requests: true, make: makeLeaf(alterURL), together: wrongURL, Fields: []Field{
		{"scheme", kindScheme, false, "`http` or `https`"},
		{"host", kindHost, false, "the server that the request is sent to, with a port if it is not the usual one"},
		{"path", kindPath, false, "the path, not escaped"},
		{"query", kindQuery, false, "the whole query"},
		scope,
	}},
	{Name: "noop.Modifier", Help: "does nothing", Requests: true, Answers: true, make: makeLeaf(alterNothing), Fields: []Field{
		{"name", kindRemark, false, "a remark"},
		scope,
	}},
}

// Refused are martian's modifiers that a file may not have, and why.
var Refused = []struct{ Name, Why string }{
	{"skip.RoundTrip", "it needs martian's proxy; --refuse keeps requests from a server"},
	{"static.Modifier", "it answers with files of this machine"},
	{"stash.Modifier", "it writes whole URLs into headers that servers see"},
	{"port.Modifier", "it leaves a second Host header; url.Modifier sets a host with a port"},
	{"header.Id", "it needs martian's proxy; header.Modifier sets a header"},
	{"log.Logger", "telltale records what passes"},
	{"har.Logger", "telltale records what passes; --report x.har and telltale flows --format har make a HAR"},
	{"marbl.Modifier", "telltale records what passes"},
	{"api.Forwarder", "it opens martian's control interface to clients"},
	{"ipauth.Modifier", "it needs martian's proxy"},
	{"pingback.Verifier", "it only verifies; a policy judges what passes"},
	{"failure.Verifier", "it only verifies; a policy judges what passes"},
	{"header.Verifier", "it only verifies; a policy judges what passes"},
	{"method.Verifier", "it only verifies; a policy judges what passes"},
	{"querystring.Verifier", "it only verifies; a policy judges what passes"},
	{"status.Verifier", "it only verifies; a policy judges what passes"},
	{"url.Verifier", "it only verifies; a policy judges what passes"},
}

// lookup returns the modifier of a name, nil for none.
func lookup(name string) *Modifier {
	for i := range Modifiers {
		if Modifiers[i].Name == name {
			return &Modifiers[i]
		}
	}
	return nil
}
