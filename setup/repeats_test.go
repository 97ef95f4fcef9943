package setup

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// Of what the handler serves, the page asks for its progress alone again and again.
func TestRepeats(t *testing.T) {
	for _, path := range []string{pagePath, pemPath, derPath, profilePath, pacPath, herePath, progressPath, "/progress.json/x"} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPost} {
			want := method == http.MethodGet && (path == herePath || path == progressPath)
			if got := Repeats(httptest.NewRequest(method, "http://"+Host+path, nil)); got != want {
				t.Errorf("%s %s: %v, want %v", method, path, got, want)
			}
		}
	}
}
