package exposure_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"telltale/exposure"
	"telltale/flow/flowtest"
)

// Bytes that are no text hold no addresses, however many there are.
func TestNoiseHoldsNoAddress(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for n := range 20 {
		body := make([]byte, 200_000)
		for i := range body {
			if body[i] = byte(random.Uint32()); i%97 == 0 {
				body[i] = '@'
			}
		}
		f := flowtest.Post("https://a.example/upload", "\xff\xd8\xff\xe0"+string(body)+"\xc3@.sg \xe9\xa0@.uy", flowtest.Header("Content-Type", "image/jpeg"))
		for _, e := range exposure.Look(f) {
			t.Errorf("%d: %s %s at %s", n, e.Kind, e.Masked, e.Where)
		}
	}
}

// A signed URL names the key that signed, which is no secret; whoever has the URL may fetch
// one object for some minutes.
func TestSignedURLsAreNoTokens(t *testing.T) {
	f := flowtest.Get("https://b.s3.amazonaws.com/o?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7TESTING%2F20261120%2Fca-central-1%2Fs3%2Faws4_request&X-Amz-Date=20261120T120000Z&X-Amz-Expires=900&X-Amz-Signature=" + strings.Repeat("5e", 32))
	for _, e := range exposure.Look(f) {
		t.Errorf("%s %s at %s", e.Kind, e.Masked, e.Where)
	}
}
