package capture

import (
	"sync"

	"telltale/flow"
	"telltale/policy"
)

// recentJudgements is how many flows' judgements are remembered: a screen asks
// for the same page many times, and judging needs the bodies.
const recentJudgements = 4096

// judgements asks the policy and remembers what it said of flows that ended.
type judgements struct {
	mu    sync.Mutex
	ask   policy.Judge // nil leaves everything unjudged
	known *recent[flow.ID, policy.Judgement]
}

func newJudgements(j policy.Judge) *judgements {
	return &judgements{ask: j, known: newRecent[flow.ID, policy.Judgement](recentJudgements)}
}

// judge judges a flow whose bodies are loaded.
func (js *judgements) judge(f *flow.Flow) policy.Judgement {
	js.mu.Lock()
	ask, known := js.ask, js.known
	js.mu.Unlock()
	if ask == nil {
		return policy.Judgement{}
	}
	j := ask.Judge(f)
	if f.Ended() {
		js.mu.Lock()
		if known == js.known { // else the policy has changed meanwhile
			known.put(f.ID, j)
		}
		js.mu.Unlock()
	}
	return j
}

// of returns the judgement of a flow that was read back; fill loads its bodies
// when it has to be asked for.
func (js *judgements) of(f *flow.Flow, fill func(*flow.Flow) (*flow.Flow, error)) (policy.Judgement, error) {
	js.mu.Lock()
	j, ok := js.known.get(f.ID)
	unjudged := js.ask == nil
	js.mu.Unlock()
	if ok && f.Ended() || unjudged {
		return j, nil
	}
	f, err := fill(f)
	if err != nil {
		return policy.Judgement{}, err
	}
	return js.judge(f), nil
}

// replace takes over the policy and the memory of another.
func (js *judgements) replace(other *judgements) {
	js.mu.Lock()
	defer js.mu.Unlock()
	js.ask, js.known = other.ask, other.known
}
