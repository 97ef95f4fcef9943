package hosts

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
)

// bundle is a minified bundle of React Native, as long as its artefact or made up.
func bundle(tb testing.TB) []byte {
	tb.Helper()
	if b, err := os.ReadFile("../../bin/artefacts/rn/main.jsbundle"); err == nil {
		return b
	}
	var b bytes.Buffer
	for i := 0; b.Len() < 1<<20; i++ {
		fmt.Fprintf(&b, `__d(function(g,r,i,a,m,e,d){var t=r(d[%d]);e.default={state:t.a.name,'x-y':"https://h%d.example.com/p",k:"a.b"}},%d,[1,2]);`, i%9, i, i)
	}
	return b.Bytes()
}

func BenchmarkFindInBundle(b *testing.B) {
	text := bundle(b)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		Find(text, false, func(Mention) bool { return true })
	}
}

func BenchmarkFindInNativeStrings(b *testing.B) {
	text := []byte(strings.Repeat("_ZN6folly7dynamicE\x00jni/Hermes.cpp\x00%s: %d\n\x00api.example.io\x00basic_string::append\x00", 1<<14))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		Find(text, false, func(Mention) bool { return true })
	}
}

func BenchmarkFindWhole(b *testing.B) {
	texts := [][]byte{[]byte("com.google.android.gms.ads.AdView"), []byte("https://app.adjust.com/session"), []byte("onCreate"), []byte("Landroid/os/Bundle;"), []byte("user.name")}
	n := 0
	for _, t := range texts {
		n += len(t)
	}
	b.SetBytes(int64(n))
	b.ReportAllocs()
	for b.Loop() {
		for _, t := range texts {
			Find(t, true, func(Mention) bool { return true })
		}
	}
}
