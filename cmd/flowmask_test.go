package cmd

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"telltale/attribution"
	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
)

const secretText = "t0ken-0123"

// poison puts the secret into every text that v reaches. Lists and pointers that are nil
// are filled first, so that no field of a flow can be forgotten here.
func poison(v reflect.Value) {
	switch x := v.Addr().Interface().(type) {
	case *time.Time, *netip.AddrPort:
		return
	case *flow.Field:
		*x = flow.NewField(secretText, secretText)
		return
	case *[]byte:
		*x = []byte(secretText)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			poison(v.Field(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		poison(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		poison(v.Index(0))
	case reflect.String:
		v.SetString("some " + secretText + " here")
	}
}

// TestMaskReachesEveryTextOfAFlow checks each way to print flows, for a flow whose every
// text has a value that must not be told.
func TestMaskReachesEveryTextOfAFlow(t *testing.T) {
	t.Parallel()
	pol, err := policy.Parse("test.yaml", []byte("version: 1\nallow: [a.example]\nnever-send:\n  - name: the token\n    value: "+secretText+"\n"), policyOptions())
	if err != nil {
		t.Fatal(err)
	}
	told := func(format string, r capture.Recorded, mask func(string) string) string {
		var out strings.Builder
		l := &lister{policy: pol, mask: mask, apps: attribution.NewBook()}
		write, finish := l.printer(&out, format)
		if err := write(r); err != nil {
			t.Fatal(err)
		}
		if err := finish(); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	kinds := []flow.Kind{flow.HTTP, flow.WebSocket, flow.Tunnel, flow.DNS, flow.UDP, flow.ICMP, flow.IP, flow.Contact}
	for _, kind := range kinds {
		for _, bare := range []bool{false, true} { // bare: without a request, so that other texts show
			f := new(flow.Flow)
			poison(reflect.ValueOf(f).Elem())
			f.Kind, f.Times = kind, flow.NoTimes(flowtest.Epoch)
			if bare {
				f.Request, f.Response = nil, nil
			} else {
				f.Request.Header = append(f.Request.Header, flow.NewField("User-Agent", secretText+"/1"))
			}
			for _, format := range flowFormats {
				r := capture.Recorded{Flow: f}
				if out := told(format, r, pol.Mask); strings.Contains(out, "t0ken") {
					t.Errorf("%s, %s, bare %t: the value shows in\n%s", format, kind, bare, out)
				}
				if format != "har" && !strings.Contains(told(format, r, nil), secretText) {
					t.Errorf("%s, %s, bare %t: the value does not show although it was asked for", format, kind, bare)
				}
			}
		}
	}
}
