package capture_test

import (
	"testing"

	"telltale/flow"
	"telltale/flow/flowtest"
)

// Requests of which only a part was recorded are counted: nobody searched the rest.
func TestCutRequestsAreCounted(t *testing.T) {
	whole, cut, empty := flowtest.Post("https://a.example/1", "all of it"), flowtest.Post("https://a.example/2", "a part"), flowtest.Get("https://a.example/3")
	cut.Request.Body.Size, cut.Request.Body.Truncated = 5000, true
	empty.Request.Body = flow.Body{Truncated: true}
	flows := []*flow.Flow{whole, cut, empty}
	flowtest.Number(flows...)
	if h := summarize(t, flows...).Health; h.Cut != 1 || h.CutBytes != 5000 {
		t.Errorf("%d requests of %d bytes are cut", h.Cut, h.CutBytes)
	}
}
