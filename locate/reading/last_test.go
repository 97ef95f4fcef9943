package reading

import "testing"

func TestLastKnowsTheBytesThatItKept(t *testing.T) {
	var last Last[string]
	if said, ok := last.At(0); ok || said != "" {
		t.Errorf("before anything was kept: %q, %v", said, ok)
	}
	last.Keep(10, 20, "x")
	for at, want := range map[int]bool{9: false, 10: true, 19: true, 20: false} {
		if said, ok := last.At(at); ok != want || ok != (said == "x") {
			t.Errorf("at %d: %q, %v", at, said, ok)
		}
	}
	last.Keep(0, 5, "y")
	if _, ok := last.At(10); ok {
		t.Error("what was kept first is known still")
	}
}
