package cmd

import "testing"

func TestNotClosed(t *testing.T) {
	for kinds, want := range map[int]string{
		1: "idle.har holds a kind of request that the policy says is the app's own, so the app was not closed. That kind is not subtracted.",
		2: "idle.har holds 2 kinds of requests that the policy says are the app's own, so the app was not closed. Those kinds are not subtracted.",
	} {
		if got := notClosed("idle.har", kinds); got != want {
			t.Errorf("%d: %s\nwant %s", kinds, got, want)
		}
	}
}
