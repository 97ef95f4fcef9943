package capture

import (
	"slices"
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
	known *recent[flow.ID, remembered]
}

// remembered is a judgement, and what an examination found that is not in the file.
type remembered struct {
	policy.Judgement
	exposures []flow.Exposure
	examined  int
}

func newJudgements(j policy.Judge) *judgements {
	return &judgements{ask: j, known: newRecent[flow.ID, remembered](recentJudgements)}
}

// judge judges a flow whose bodies are loaded. What was said of it before counts
// where it has frames, of which a state holds the newest only.
func (js *judgements) judge(f *flow.Flow, before policy.Judgement) policy.Judgement {
	js.mu.Lock()
	ask, known := js.ask, js.known
	js.mu.Unlock()
	if ask == nil {
		return policy.Judgement{}
	}
	return js.judgeBy(ask, known, f, before)
}

// judgeBy judges by the policy of one moment and remembers it in the memory of that
// moment.
func (js *judgements) judgeBy(ask policy.Judge, known *recent[flow.ID, remembered], f *flow.Flow, before policy.Judgement) policy.Judgement {
	j := judgeState(ask, f, before)
	if f.Ended() {
		js.mu.Lock()
		if known == js.known { // else the policy has changed meanwhile
			known.put(f.ID, remembered{j, f.Exposures, f.Examined})
		}
		js.mu.Unlock()
	}
	return j
}

// judgeState judges one state of a flow, given what was said of those before.
func judgeState(ask policy.Judge, f *flow.Flow, before policy.Judgement) policy.Judgement {
	j := ask.Judge(f)
	if f.Kind == flow.WebSocket {
		return merge(before, j)
	}
	return j
}

// of returns the judgement of a flow that was read back; l loads what belongs to
// it when the policy has to be asked. One policy decides what is loaded and judges all
// parts, also when it is replaced meanwhile.
func (js *judgements) of(f *flow.Flow, l *loader) (policy.Judgement, error) {
	js.mu.Lock()
	ask, known := js.ask, js.known
	j, ok := known.get(f.ID)
	js.mu.Unlock()
	if ok && f.Ended() && f.Examined == 0 {
		f.Exposures, f.Examined = j.exposures, j.examined
	}
	if ok && f.Ended() || ask == nil {
		return j.Judgement, nil
	}
	judge := func(part *flow.Flow, before policy.Judgement) policy.Judgement {
		return js.judgeBy(ask, known, part, before)
	}
	return l.judge(judge, policy.ReadsContent(ask), f)
}

// merge joins what is said of two parts of one flow: frames come in parts, and
// a breach in one of them stays one, also one that is excused. The newer part decides
// what is equal.
func merge(older, newer policy.Judgement) policy.Judgement {
	out, lighter := newer, older
	switch a, b := older.Verdict.Weight(), newer.Verdict.Weight(); {
	case a > b:
		out, lighter = older, newer
		out.Host = newer.Host
	case a == b:
		out.Findings = joined(newer.Findings, older.Findings)
	}
	if out.Verdict != policy.Violation {
		return out
	}
	out.Excused = joined(newer.Excused, older.Excused)
	if lighter.Verdict == policy.Waived {
		out.Excused = joined(out.Excused, lighter.Findings)
	}
	return out
}

// joined returns the findings of a, and those of b that a lacks.
func joined(a, b []policy.Finding) []policy.Finding {
	missing := slices.DeleteFunc(slices.Clone(b), func(f policy.Finding) bool {
		return slices.ContainsFunc(a, func(g policy.Finding) bool { return f.Fingerprint() == g.Fingerprint() })
	})
	if len(missing) == 0 {
		return a
	}
	return append(slices.Clone(a), missing...)
}

// judging returns the policy of this moment, nil when there is none.
func (js *judgements) judging() policy.Judge {
	js.mu.Lock()
	defer js.mu.Unlock()
	return js.ask
}

// replace takes over the policy and the memory of another.
func (js *judgements) replace(other *judgements) {
	js.mu.Lock()
	defer js.mu.Unlock()
	js.ask, js.known = other.ask, other.known
}
