package transport

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"telltale/policy"
)

// standin is a server with the API of GitHub or GitLab, as far as issues go: their paths,
// headers, pages, and what they do with labels.
type standin struct {
	kind   policy.DestinationKind
	url    string
	target Target

	mutex    sync.Mutex
	issues   []*standinIssue
	requests []string // method and path
	// trouble is asked about each request before and after it is done. It may answer
	// itself, and returns true then.
	trouble  func(w http.ResponseWriter, r *http.Request, done bool) bool
	mayLabel bool
}

type standinIssue struct {
	number   int
	title    string
	body     string
	labels   []string
	closed   bool
	reason   string // GitHub: why it is closed
	pull     bool
	comments []string
	updated  int
}

func newStandin(t *testing.T, kind policy.DestinationKind) *standin {
	t.Helper()
	s := &standin{kind: kind, mayLabel: true}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL + "/api/v3"
	s.target = resolved(t, tracked(kind, s.url))
	return s
}

// both runs a test against each of the services.
func both(t *testing.T, test func(t *testing.T, s *standin)) {
	t.Parallel()
	for _, kind := range []policy.DestinationKind{policy.GitHub, policy.GitLab} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			test(t, newStandin(t, kind))
		})
	}
}

func (s *standin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.requests = append(s.requests, r.Method+" "+r.URL.EscapedPath())
	if s.trouble != nil && s.trouble(w, r, false) {
		return
	}
	recorded := httptest.NewRecorder()
	s.route(recorded, r)
	if s.trouble != nil && s.trouble(w, r, true) {
		return
	}
	for name, values := range recorded.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(recorded.Code)
	w.Write(recorded.Body.Bytes())
}

func (s *standin) route(w http.ResponseWriter, r *http.Request) {
	base, token := "/api/v3/repos/owner/repository/issues", r.Header.Get("Authorization") == "Bearer "+tokenSecret
	if s.kind == policy.GitLab {
		base, token = "/api/v3/projects/owner%2Frepository/issues", r.Header.Get("PRIVATE-TOKEN") == tokenSecret
	}
	rest, ours := strings.CutPrefix(r.URL.EscapedPath(), base)
	switch {
	case !token:
		answerJSON(w, 401, map[string]any{"message": "Bad credentials " + r.Header.Get("Authorization")})
		return
	case !ours:
		answerJSON(w, 404, map[string]any{"message": "Not Found"})
		return
	case s.kind == policy.GitHub && (r.Header.Get("Accept") != "application/vnd.github+json" || r.Header.Get("X-GitHub-Api-Version") == ""):
		answerJSON(w, 415, map[string]any{"message": "Unsupported"})
		return
	}
	parts := strings.Split(strings.Trim(rest, "/"), "/")
	var body map[string]any
	json.NewDecoder(r.Body).Decode(&body)
	number, _ := strconv.Atoi(parts[0])
	switch {
	case rest == "" && r.Method == http.MethodGet:
		s.list(w, r)
	case rest == "" && r.Method == http.MethodPost:
		s.create(w, body)
	case s.find(number) == nil:
		answerJSON(w, 404, map[string]any{"message": "Not Found"})
	case len(parts) == 1 && r.Method == http.MethodGet:
		answerJSON(w, 200, s.document(s.find(number)))
	case len(parts) == 1 && (r.Method == http.MethodPatch && body["state"] == "open" || r.Method == http.MethodPut && body["state_event"] == "reopen"):
		s.find(number).closed = false
		answerJSON(w, 200, s.document(s.find(number)))
	case r.Method == http.MethodGet && (parts[1] == "comments" || parts[1] == "notes"):
		s.listComments(w, r, s.find(number))
	case r.Method == http.MethodPost && (parts[1] == "comments" || parts[1] == "notes"):
		one := s.find(number)
		one.comments = append(one.comments, fmt.Sprint(body["body"]))
		answerJSON(w, 201, map[string]any{"body": body["body"]})
	default:
		answerJSON(w, 405, map[string]any{"message": "not of this API"})
	}
}

func (s *standin) find(number int) *standinIssue {
	for _, one := range s.issues {
		if one.number == number {
			return one
		}
	}
	return nil
}

func (s *standin) add(one *standinIssue) *standinIssue {
	one.number = len(s.issues) + 1
	one.updated = one.number
	s.issues = append(s.issues, one)
	return one
}

func (s *standin) create(w http.ResponseWriter, body map[string]any) {
	one := &standinIssue{title: fmt.Sprint(body["title"])}
	if s.kind == policy.GitHub {
		one.body = fmt.Sprint(body["body"])
		for _, label := range body["labels"].([]any) {
			one.labels = append(one.labels, fmt.Sprint(label))
		}
	} else {
		one.body = fmt.Sprint(body["description"])
		one.labels = strings.Split(fmt.Sprint(body["labels"]), ",")
	}
	if !s.mayLabel {
		one.labels = nil // as both services do for those without the right, without a word
	}
	answerJSON(w, 201, s.document(s.add(one)))
}

func (s *standin) document(one *standinIssue) map[string]any {
	if s.kind == policy.GitLab {
		state := "opened"
		if one.closed {
			state = "closed"
		}
		return map[string]any{"id": 9000 + one.number, "iid": one.number, "title": one.title, "description": one.body, "state": state, "labels": append([]string{}, one.labels...)}
	}
	labels := []map[string]any{}
	for _, label := range one.labels {
		labels = append(labels, map[string]any{"name": label})
	}
	d := map[string]any{"id": 9000 + one.number, "number": one.number, "title": one.title, "body": one.body, "state": "open", "state_reason": nil, "labels": labels}
	if one.closed {
		d["state"], d["state_reason"] = "closed", one.reason
	}
	if one.body == "" {
		d["body"] = nil
	}
	if one.pull {
		d["pull_request"] = map[string]any{"url": "https://api.example/pull"}
	}
	return d
}

func (s *standin) list(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	var matching []map[string]any
	for _, one := range slices.Backward(s.issues) {
		label, search := query.Get("labels"), query.Get("search")
		open := query.Get("state") != "all" && one.closed
		if open || label != "" && !slices.Contains(one.labels, label) || search != "" && !strings.Contains(one.body, search) {
			continue
		}
		matching = append(matching, s.document(one))
	}
	answerPage(w, r, matching)
}

func (s *standin) listComments(w http.ResponseWriter, r *http.Request, one *standinIssue) {
	var all []map[string]any
	for _, text := range one.comments {
		all = append(all, map[string]any{"body": text, "created_at": time.Now().UTC().Format(time.RFC3339)})
	}
	if s.kind == policy.GitLab && r.URL.Query().Get("sort") == "desc" {
		slices.Reverse(all)
	}
	answerPage(w, r, all)
}

// answerPage answers with one page, and says in the header Link whether there is another.
func answerPage(w http.ResponseWriter, r *http.Request, all []map[string]any) {
	per, _ := strconv.Atoi(r.URL.Query().Get("per_page"))
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))
	if per == 0 {
		per = 30
	}
	from := min((page-1)*per, len(all))
	to := min(from+per, len(all))
	if to < len(all) {
		w.Header().Set("Link", fmt.Sprintf(`<http://127.0.0.1:1/stolen?page=%d>; rel="next", <http://127.0.0.1:1/x>; rel="last"`, page+1))
	}
	answerJSON(w, 200, append([]map[string]any{}, all[from:to]...))
}

func answerJSON(w http.ResponseWriter, status int, document any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(document)
}

// lost breaks the connection off without an answer.
func lost(w http.ResponseWriter) bool {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		conn.Close()
	}
	return true
}
