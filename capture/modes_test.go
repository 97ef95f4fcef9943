package capture_test

import (
	"path/filepath"
	"slices"
	"testing"

	"telltale/capture"
	"telltale/flow/flowtest"
)

// A capture tells by which ways its flows came, also of those that it holds from before.
func TestModes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ways.telltale")
	for _, mode := range []string{"wireguard", "http", "http"} {
		s, err := capture.Create(file, capture.Options{})
		if err != nil {
			t.Fatal(err)
		}
		f := flowtest.Get("https://a.example/", flowtest.Mode(mode))
		f.ID = s.NextID()
		s.Observe(f)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := capture.Open(file, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if modes, err := s.Modes(t.Context()); err != nil || !slices.Equal(modes, []string{"http", "wireguard"}) {
		t.Errorf("%q, %v", modes, err)
	}
}
