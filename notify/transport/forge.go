package transport

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"telltale/policy"
)

// label is on every issue of ours, so that they are found by a listing. Searches of GitHub
// know an issue only some time after it was made.
const label = "telltale"

// perPage is how many issues or comments a page has: the most that both services give.
const perPage = "100"

// A forge is what GitHub and GitLab have in common, and says it in their words. Its
// methods make requests and do not send them.
type forge interface {
	// issues lists issues, the newest first: with our label, or, since not every token
	// may set labels, a page of those where one with this marker is likely.
	issues(labelled bool, marker string, page int) exchange
	issue(number int) exchange
	create(title, body string, labels []string) exchange
	comments(number int, since time.Time, page int) exchange
	comment(number int, body string) exchange
	reopen(number int) exchange
	// room is how many bytes a body may have.
	room() int
}

// forge returns the service of a target.
func (t Target) forge() forge {
	base := strings.TrimRight(t.address.String(), "/")
	if t.kind == policy.GitLab {
		return gitlab{base + "/projects/" + url.PathEscape(t.repository), t.token}
	}
	owner, name, _ := strings.Cut(t.repository, "/")
	return github{base + "/repos/" + url.PathEscape(owner) + "/" + url.PathEscape(name), t.token}
}

// github speaks version 2022-11-28 of the REST API:
// https://docs.github.com/en/rest/issues/issues, https://docs.github.com/en/rest/issues/comments.
type github struct{ repository, token string }

func (g github) request(method, path string, query url.Values, body any) exchange {
	header := http.Header{}
	header.Set("Authorization", "Bearer "+g.token)
	header.Set("Accept", "application/vnd.github+json")
	header.Set("X-GitHub-Api-Version", "2022-11-28")
	return request(method, g.repository+path, query, header, body)
}

func (g github) issues(labelled bool, _ string, page int) exchange {
	query := url.Values{"state": {"all"}, "direction": {"desc"}, "per_page": {perPage}, "page": {strconv.Itoa(page)}}
	query.Set("sort", "updated")
	if labelled {
		query.Set("sort", "created")
		query.Set("labels", label)
	}
	return g.request(http.MethodGet, "/issues", query, nil)
}

func (g github) issue(number int) exchange {
	return g.request(http.MethodGet, "/issues/"+strconv.Itoa(number), nil, nil)
}

func (g github) create(title, body string, labels []string) exchange {
	return g.request(http.MethodPost, "/issues", nil, map[string]any{"title": title, "body": body, "labels": labels})
}

func (g github) comments(number int, since time.Time, page int) exchange {
	query := url.Values{"per_page": {perPage}, "page": {strconv.Itoa(page)}}
	if !since.IsZero() {
		query.Set("since", since.UTC().Format(time.RFC3339))
	}
	return g.request(http.MethodGet, "/issues/"+strconv.Itoa(number)+"/comments", query, nil)
}

func (g github) comment(number int, body string) exchange {
	return g.request(http.MethodPost, "/issues/"+strconv.Itoa(number)+"/comments", nil, map[string]any{"body": body})
}

func (g github) reopen(number int) exchange {
	return g.request(http.MethodPatch, "/issues/"+strconv.Itoa(number), nil, map[string]any{"state": "open"})
}

func (github) room() int { return 65536 }

// gitlab speaks version 4 of the REST API:
// https://docs.gitlab.com/api/issues/, https://docs.gitlab.com/api/notes/#issues.
type gitlab struct{ project, token string }

func (g gitlab) request(method, path string, query url.Values, body any) exchange {
	header := http.Header{}
	header.Set("PRIVATE-TOKEN", g.token)
	return request(method, g.project+path, query, header, body)
}

func (g gitlab) issues(labelled bool, marker string, page int) exchange {
	query := url.Values{"state": {"all"}, "order_by": {"created_at"}, "sort": {"desc"}, "per_page": {perPage}, "page": {strconv.Itoa(page)}}
	if labelled {
		query.Set("labels", label)
	} else {
		query.Set("search", strings.Trim(marker, "<!-> "))
		query.Set("in", "description")
	}
	return g.request(http.MethodGet, "/issues", query, nil)
}

func (g gitlab) issue(number int) exchange {
	return g.request(http.MethodGet, "/issues/"+strconv.Itoa(number), nil, nil)
}

func (g gitlab) create(title, body string, labels []string) exchange {
	return g.request(http.MethodPost, "/issues", nil, map[string]any{"title": title, "description": body, "labels": strings.Join(labels, ",")})
}

// comments lists the newest first: GitLab has no since.
func (g gitlab) comments(number int, _ time.Time, page int) exchange {
	query := url.Values{"order_by": {"created_at"}, "sort": {"desc"}, "per_page": {perPage}, "page": {strconv.Itoa(page)}}
	return g.request(http.MethodGet, "/issues/"+strconv.Itoa(number)+"/notes", query, nil)
}

func (g gitlab) comment(number int, body string) exchange {
	return g.request(http.MethodPost, "/issues/"+strconv.Itoa(number)+"/notes", nil, map[string]any{"body": body})
}

func (g gitlab) reopen(number int) exchange {
	return g.request(http.MethodPut, "/issues/"+strconv.Itoa(number), nil, map[string]any{"state_event": "reopen"})
}

func (gitlab) room() int { return 1 << 20 }

// request returns a request with its body in JSON.
func request(method, address string, query url.Values, header http.Header, body any) exchange {
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	x := exchange{method: method, url: address, header: header, limit: maxListing}
	if body != nil {
		x.body, _ = json.Marshal(body) // maps of texts always encode
	}
	return x
}

// An issue is one as either service has it.
type issue struct {
	Number      int             `json:"number"` // GitHub
	IID         int             `json:"iid"`    // GitLab
	State       string          `json:"state"`
	StateReason string          `json:"state_reason"` // GitHub
	Body        string          `json:"body"`         // GitHub
	Description string          `json:"description"`  // GitLab
	PullRequest json.RawMessage `json:"pull_request"` // GitHub lists them among issues
	Labels      json.RawMessage `json:"labels"`
}

func (i issue) number() int     { return max(i.Number, i.IID) }
func (i issue) text() string    { return i.Body + i.Description }
func (i issue) labelled() bool  { return strings.Contains(string(i.Labels), `"`+label+`"`) }
func (i issue) unwanted() bool  { return i.StateReason == "not_planned" || i.StateReason == "duplicate" }
func (i issue) closed() bool    { return i.State == "closed" }
func (i issue) isRequest() bool { return len(i.PullRequest) > 0 && string(i.PullRequest) != "null" }

// A comment is one as either service has it.
type comment struct {
	Body    string    `json:"body"`
	Created time.Time `json:"created_at"`
}
