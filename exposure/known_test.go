package exposure_test

import (
	"testing"

	"telltale/exposure"
	"telltale/flow"
)

// A file may say what was found before contents were left out. It adds to what is there and
// hides nothing of it.
func TestKnownAddsClaims(t *testing.T) {
	f := &flow.Flow{Kind: flow.HTTP, Request: &flow.Request{URL: "https://a.example/?email=j.quill%40zq.org"}}
	looked := exposure.Look(f)
	if len(looked) != 1 {
		t.Fatalf("found %v", looked)
	}
	same := looked[0]
	same.Digest = ""
	claim := flow.Exposure{Kind: exposure.AdvertisingID, Name: "idfa", Where: "body.json $.idfa", Masked: "6d92…"}
	elsewhere := same
	elsewhere.Where = "body.json $.mail"
	f.Exposures = []flow.Exposure{same, claim, elsewhere, claim, {Kind: "no such kind", Where: "body"}}
	for i := range 2 * exposure.MaxOfKind {
		f.Exposures = append(f.Exposures, flow.Exposure{Kind: exposure.IMEI, Where: "body", Masked: string(rune('a' + i))})
	}
	known := exposure.Known(f)
	if len(known) != 3+exposure.MaxOfKind || known[0].Digest != looked[0].Digest || known[1].Kind != exposure.AdvertisingID || known[1].Digest == "" {
		t.Errorf("known are %v", known)
	}
	if known[2].Where != elsewhere.Where || known[2].Digest != looked[0].Digest {
		t.Errorf("the same value in another place is %v", known[2])
	}
	f.Exposures = nil
	if known := exposure.Known(f); len(known) != 1 {
		t.Errorf("without claims %v", known)
	}
}
