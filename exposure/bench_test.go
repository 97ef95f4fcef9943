package exposure

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/flow/unwrap"
)

// innocent returns about 4 KiB of JSON as apps send it, without identifiers.
func innocent() string {
	var b strings.Builder
	b.WriteString(`{"version":7,"sent_at":"2026-11-20T12:00:00.000Z","events":[`)
	for i := 0; b.Len() < 4000; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"event":"item_viewed","index":%d,"properties":{"title":"Running shoes, size %d","price":%d.99,"currency":"EUR","in_stock":true,"category":"shoes/running","screen":"product","duration_ms":%d}}`, i, 38+i, 40+i, 1000+37*i)
	}
	b.WriteString("]}")
	return b.String()
}

func BenchmarkLookInnocent(b *testing.B) {
	f := flowtest.Post("https://api.shop.test/v1/events", innocent())
	b.SetBytes(int64(len(f.Request.Body.Content)))
	b.ReportAllocs()
	for b.Loop() {
		if found := Look(f); len(found) != 0 {
			b.Fatal(found)
		}
	}
}

func BenchmarkLookTracker(b *testing.B) {
	f := flowtest.Post("https://api2.amplitude.com/2/httpapi", `{"api_key":"0d4a2f86c9e1b7354f8a1c9be07d2356","events":[{"device_id":"e3a7c1d4-58b2-4f96-8e0d-a41b97c2f065","event_type":"open","time":1763640000123,"location_lat":52.516266,"location_lng":13.377775,"adid":"7c9b1e52-3f4a-4d08-9a6e-5b2c80f1d34e","user_properties":{"email":"lena.probst@gmx.de"}}]}`)
	b.ReportAllocs()
	for b.Loop() {
		if found := Look(f); len(found) != 4 {
			b.Fatal(found)
		}
	}
}

func BenchmarkWalkOnly(b *testing.B) {
	f := flowtest.Post("https://api.shop.test/v1/events", innocent())
	for b.Loop() {
		unwrap.Values(f, func(*unwrap.Value) bool { return true })
	}
}

// ordinary is a GET as most are, with the header fields that apps send.
func ordinary(n int) *flow.Flow {
	return flowtest.Get("https://service7.alpha.canada.ca/retrieve/302/"+strconv.Itoa(n),
		flowtest.Header(":authority", "service7.alpha.canada.ca"), flowtest.Header("user-agent", "CovidShield/1.0.2 (Android 11; okhttp 3.12.12)"),
		flowtest.Header("accept", "application/json, text/plain, */*"), flowtest.Header("accept-encoding", "gzip, deflate, br"),
		flowtest.Header("accept-language", "en-CA,en;q=0.9,fr-CA;q=0.8"), flowtest.Header("cookie", "session="+strings.Repeat("abcdefghijklmnopqrstuvwxyz0123456789", 4)),
		flowtest.Header("cache-control", "no-store"))
}

func BenchmarkLookGET(b *testing.B) {
	var flows [100]*flow.Flow
	for i := range flows {
		flows[i] = ordinary(4711 + i)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if found := Look(flows[n%len(flows)]); len(found) != 0 {
			b.Fatal(found)
		}
		n++
	}
}
