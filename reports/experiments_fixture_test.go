package reports

import (
	"time"

	"telltale/cadence"
	"telltale/capture"
	"telltale/consequence"
	"telltale/flow"
	"telltale/flow/flowtest"
)

func init() {
	cases["enforced"], cases["experiments"], cases["offline"] = enforced, severalExperiments, offlineThroughout
}

const connectivity = "connectivity.example"

// enforced is the audit that gets a fix merged: with Google refused, nothing else changed.
func enforced() *Report {
	r := covidAlert()
	s := &r.Summary
	s.Flows, s.Violating, s.Altered, s.Last = 62, 53, 44, after(5*time.Minute)
	s.Allowed = 9
	s.Experiments = []capture.Experiment{{Name: "enforce", Flows: 44, Hosts: 1, Periods: []capture.Period{{From: after(100 * time.Second), To: after(200 * time.Second)}}}}
	v := &s.Violations[0]
	v.Count, v.Altered, v.Experiments = 53, 44, []string{"enforce"}
	s.Hosts[0].Flows, s.Hosts[0].Violating, s.Hosts[0].Altered = 53, 53, 44
	s.Hosts[1].Flows = 6
	s.Hosts[2].Flows = 3
	r.Captures = []CaptureInfo{{File: "audit.telltale", Entries: 62, Producer: "telltale"}}
	r.Modes, r.Command = []string{"http"}, "telltale record --policy telltale.yaml --enforce --save audit.telltale"
	r.Consequences = &consequence.Result{Stretches: []consequence.Stretch{{
		Experiments: []string{"enforce"}, From: after(100 * time.Second), To: after(200 * time.Second), Flows: 85, Altered: 44,
		Before: 100 * time.Second, BeforeFlows: 50, After: 100 * time.Second, AfterFlows: 52,
		Targets: []consequence.Target{{
			Host: probe, Tries: 44, Blocked: 44, Done: "closed the connection in the place of the server", Example: 12, Before: 8,
			Previous: cadence.Rhythm{Every: 12 * time.Second, Count: 8}, Pace: 6, First: time.Second, Last: time.Second, End: consequence.StillTrying,
			Retry:    consequence.Retry{Intervals: []time.Duration{2 * time.Second, 2 * time.Second}, Median: 2 * time.Second, Rhythm: cadence.Rhythm{Every: 2 * time.Second, Count: 44}},
			Recovery: consequence.Recovery{Tried: 8, After: 3 * time.Second, Flow: 97},
		}},
		Kept: []consequence.Host{
			{Name: "config.covid-notification.alpha.canada.ca", Flows: 10, Answered: 10, Before: 10, First: 4 * time.Second, Flow: 14, Recovery: consequence.Recovery{Tried: 10, After: 4 * time.Second, Flow: 98}},
			{Name: retrieval, Flows: 21, Answered: 21, Before: 22, First: 2 * time.Second, Flow: 13, Recovery: consequence.Recovery{Tried: 20, After: time.Second, Flow: 96}},
			{Name: submission, Flows: 10, Answered: 10, Before: 10, First: 5 * time.Second, Flow: 15, Recovery: consequence.Recovery{Tried: 10, After: 20 * time.Millisecond, Flow: 95}},
		},
	}}}
	r.Flows = each(
		flowtest.Get("https://"+retrieval+"/302/2652"),
		flowtest.Tunnel(probe, flowtest.At(101*time.Second), flowtest.Outcome(flow.Blocked), flowtest.Altered("closed the connection in the place of the server")),
	)
	return r
}

// severalExperiments is one audit with everything that may follow.
func severalExperiments() *Report {
	r := enforced()
	s := &r.Summary
	s.Experiments = append([]capture.Experiment{
		{Name: "bad-certificate expired", Flows: 2, Hosts: 2, Periods: []capture.Period{{From: after(300 * time.Second), To: after(330 * time.Second)}}},
	}, s.Experiments...)
	s.Experiments = append(s.Experiments, capture.Experiment{Name: "slow edge", Flows: 9, Hosts: 2, Periods: []capture.Period{{From: after(400 * time.Second)}}})
	s.Violations[0].Altered = 53
	first := &r.Consequences.Stretches[0]
	first.Targets[0].Retry = consequence.Retry{
		Intervals: []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}, Median: 4 * time.Second, Factor: 2, Grown: 3,
	}
	first.Targets[0].Tries, first.Targets[0].Blocked, first.Targets[0].Pace = 5, 5, 0
	first.Targets[0].End, first.Targets[0].Last = consequence.GaveUp, 84*time.Second
	first.Instead = []consequence.Host{{Name: connectivity, Flows: 3, Answered: 3, First: 1500 * time.Millisecond, Flow: 16, Delay: 500 * time.Millisecond, Behind: probe, Recovery: consequence.Recovery{}}}
	first.Stopped = []consequence.Kind{{
		Method: "GET", Host: submission, Path: "/v1/items/*", Before: 10, Rhythm: cadence.Rhythm{Every: 10 * time.Second, Count: 10}, Every: 10 * time.Second,
		Last: 9 * time.Second, Flow: 9, Recovery: consequence.Recovery{Tried: 9, After: 7 * time.Second, Flow: 101},
	}}
	first.Changed = []consequence.Kind{{Method: "GET", Host: retrieval, Path: "/302/*", Before: 5, During: 50, Every: 20 * time.Second, Last: time.Second, Flow: 8}}
	first.Failed = []consequence.Host{{Name: "broken.example", Flows: 10, Before: 10, First: time.Second, Flow: 17, Recovery: consequence.Recovery{Tried: 3}}}
	first.Kept, first.Unseen = first.Kept[:2], 1
	r.Consequences.Stretches = append(r.Consequences.Stretches,
		consequence.Stretch{
			Experiments: []string{"bad-certificate expired"}, From: after(300 * time.Second), To: after(330 * time.Second), Flows: 2, Altered: 2,
			Before: 200 * time.Second, BeforeFlows: 102,
			Targets: []consequence.Target{{Host: "careful.example", Tries: 1, Distrusted: 1, Example: 120, First: time.Second, Last: 29 * time.Second}},
			Trusted: []consequence.Host{{Name: "trusting.example", Flows: 1, Answered: 1, First: 2 * time.Second, Flow: 121}},
		},
		consequence.Stretch{
			Experiments: []string{"slow edge"}, From: after(400 * time.Second), To: after(420 * time.Second), Flows: 9, Altered: 9,
			Before: 270 * time.Second, BeforeFlows: 110,
			Kept:  []consequence.Host{{Name: retrieval, Flows: 9, Answered: 8, Before: 50, Flow: 130, First: time.Second}},
			Short: []consequence.Kind{{Method: "POST", Host: submission, Path: "/upload", Before: 6, Every: 45 * time.Second, Last: 30 * time.Second, Flow: 88}},
			Link:  &consequence.Link{Flows: 9, BeforeFlows: 50, Median: 3200 * time.Millisecond, BeforeMedian: 98 * time.Millisecond, Abandoned: 1, Timeouts: 2},
		})
	return r
}

// offlineThroughout is an audit that never saw the app undisturbed.
func offlineThroughout() *Report {
	r := clean()
	s := &r.Summary
	s.Altered = 3
	s.Hosts[0].Altered, s.Hosts[1].Altered = s.Hosts[0].Flows, s.Hosts[1].Flows
	s.Experiments = []capture.Experiment{{Name: "offline", Flows: 3, Hosts: 2, Periods: []capture.Period{{From: epoch}}}}
	r.Consequences = &consequence.Result{Derived: true, Stretches: []consequence.Stretch{{
		Experiments: []string{"offline"}, From: epoch, To: after(5*time.Minute + 2*time.Second), Flows: 3, Altered: 3,
		Targets: []consequence.Target{
			{Host: retrieval, Tries: 2, Simulated: 2, Example: 1, Retry: consequence.Retry{Intervals: []time.Duration{4 * time.Minute}, Median: 4 * time.Minute}, Last: time.Minute},
			{Host: submission, Tries: 1, Simulated: 1, Example: 3, First: 5 * time.Minute, Last: 2 * time.Second},
		},
	}}}
	r.Warnings = WarningsOf(r.Summary, r.Captures, false, FewFlows)
	return r
}

// hostileExperiments puts a text wherever experiments have one.
func hostileExperiments(r *Report, bad string) {
	r.Summary.Altered = 1
	r.Summary.Hosts[0].Altered, r.Summary.Violations[0].Altered = 1, 1
	r.Summary.Violations[0].Experiments = []string{bad, "modify " + bad}
	r.Summary.Experiments = []capture.Experiment{{Name: "modify " + bad, Flows: 1, Hosts: 1, Periods: []capture.Period{{From: epoch}}}, {Name: bad}}
	host := consequence.Host{Name: bad, Flows: 1, Behind: bad, Flow: 1}
	kind := consequence.Kind{Method: bad, Host: bad, Path: bad, Before: 3, Every: time.Second, Flow: 1}
	stretch := consequence.Stretch{
		Experiments: []string{"modify " + bad, bad}, From: epoch, To: after(time.Minute), Before: time.Minute, BeforeFlows: 1, After: time.Minute,
		Targets: []consequence.Target{{Host: bad, Behind: bad, Tries: 1, Done: bad, Example: 1, Recovery: consequence.Recovery{Tried: 1, Flow: 1}}},
		Instead: []consequence.Host{host}, Failed: []consequence.Host{host}, Kept: []consequence.Host{host}, Trusted: []consequence.Host{host},
		Otherwise: []consequence.Kind{kind}, Rewritten: []consequence.Host{host}, Stopped: []consequence.Kind{kind}, Changed: []consequence.Kind{kind}, Short: []consequence.Kind{kind},
	}
	r.Consequences = &consequence.Result{Stretches: []consequence.Stretch{stretch, stretch}}
}
