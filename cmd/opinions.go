package cmd

import (
	"sync"
	"time"

	"telltale/capture"
	"telltale/diagnosis"
	"telltale/policy"
	"telltale/useragent"
)

// opinions keeps what the evidence of each device says, for those who ask again and
// again: the screen five times a second, the set-up page for each device that has it
// open. Of a device that makes up programs and hosts a diagnosis takes 10 ms. The zero
// value is ready; any goroutine may use it.
type opinions struct {
	mu sync.Mutex
	of map[string]opinion // by address
}

type opinion struct {
	evidence  *diagnosis.Evidence // the same one while nothing was added to it
	platform  useragent.OS
	policy    *policy.Policy // under which it was diagnosed; nil: it was not
	at        time.Time
	diagnoses []diagnosis.Diagnosis
}

// opinionAge is how long diagnoses hold while the evidence stays the same: some causes
// show by what does not come, the first one after a minute, and one by what other devices
// show.
const opinionAge = 5 * time.Second

// diagnoses says why connections of a device cannot be read, as diagnose finds under the
// policy; it is asked where nothing is known, or what is known is of long before now.
func (o *opinions) diagnoses(d capture.Device, pol *policy.Policy, now time.Time, diagnose func() []diagnosis.Diagnosis) []diagnosis.Diagnosis {
	x := o.about(d)
	if x.policy != pol || now.Sub(x.at) >= opinionAge {
		x.policy, x.at, x.diagnoses = pol, now, diagnose()
		o.keep(d.Addr, x)
	}
	return x.diagnoses
}

// platform says which system a device has, "" where that is not known.
func (o *opinions) platform(d capture.Device) useragent.OS { return o.about(d).platform }

// about returns the opinion of a device by the evidence that it has now.
func (o *opinions) about(d capture.Device) opinion {
	o.mu.Lock()
	x, known := o.of[d.Addr]
	o.mu.Unlock()
	if !known || x.evidence != d.Evidence {
		x = opinion{evidence: d.Evidence, platform: d.Evidence.Platform()}
		o.keep(d.Addr, x)
	}
	return x
}

func (o *opinions) keep(addr string, x opinion) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.of == nil {
		o.of = map[string]opinion{}
	}
	o.of[addr] = x
}
