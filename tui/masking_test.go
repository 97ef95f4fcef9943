package tui

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
)

// poison puts the text into every string that v reaches. Lists and pointers that are nil
// are filled first, so that no field of a flow can be forgotten here.
func poison(v reflect.Value, text string) {
	switch x := v.Addr().Interface().(type) {
	case *time.Time, *netip.AddrPort:
		return
	case *flow.Field:
		*x = flow.NewField(text, text)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			poison(v.Field(i), text)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		poison(v.Elem(), text)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		poison(v.Index(0), text)
	case reflect.String:
		v.SetString(text)
	}
}

// TestMaskReachesEveryCellOfAFlow checks the rows of the tables for a flow whose every text
// has a value that must not be seen.
func TestMaskReachesEveryCellOfAFlow(t *testing.T) {
	t.Parallel()
	hides := mask{func(s string) string { return strings.ReplaceAll(s, secretMail, flow.Redacted) }}
	for _, kind := range []flow.Kind{flow.HTTP, flow.WebSocket, flow.Tunnel, flow.DNS, flow.UDP, flow.ICMP, flow.IP, flow.Contact} {
		for _, bare := range []bool{false, true} { // bare: without a request, so that other texts show
			f := new(flow.Flow)
			poison(reflect.ValueOf(f).Elem(), "some "+secretMail+" here")
			f.Kind, f.Times = kind, flow.NoTimes(flowtest.Epoch)
			if bare {
				f.Request, f.Response = nil, nil
			}
			row := newFlowRow(capture.Recorded{Flow: f}, hides)
			row.host = "" // selects, and is never drawn
			if all := fmt.Sprintf("%+v", row); strings.Contains(all, secretMail) {
				t.Errorf("%s, bare %t: the value shows in %s", kind, bare, all)
			}
			if all := fmt.Sprintf("%+v", newFlowRow(capture.Recorded{Flow: f}, mask{})); !strings.Contains(all, secretMail) {
				t.Errorf("%s, bare %t: the value does not show although it was asked for: %s", kind, bare, all)
			}
		}
	}
}
