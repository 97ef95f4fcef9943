package ca

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"sync"
	"testing"
)

// pemOf returns a leaf in PEM.
func pemOf(leaf *tls.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: leaf.Certificate[0]})
}

func TestConcurrentMissesMintOnce(t *testing.T) {
	const goroutines, names = 64, 16
	a := open(t, t.TempDir())
	var start, done sync.WaitGroup
	leaves := make([][names]*tls.Certificate, goroutines)
	start.Add(1)
	for g := range goroutines {
		done.Go(func() {
			start.Wait()
			for i := range names {
				n := (i + g) % names // everybody begins elsewhere
				leaf, err := a.Leaf(fmt.Sprintf("host%d.test", n))
				if err != nil {
					t.Error(err)
				}
				leaves[g][n] = leaf
			}
		})
	}
	start.Done()
	done.Wait()
	if got := a.Minted(); got != names {
		t.Errorf("%d leaves minted for %d names", got, names)
	}
	for g := range leaves {
		if leaves[g] != leaves[0] {
			t.Errorf("goroutine %d was given other leaves than goroutine 0", g)
		}
	}
}

func TestConcurrentMissesOfOneName(t *testing.T) {
	a := open(t, t.TempDir())
	var start, done sync.WaitGroup
	start.Add(1)
	for g := range 64 {
		done.Go(func() {
			start.Wait()
			name := "one.test"
			if g%2 == 0 {
				name = "ONE.test."
			}
			if _, err := a.Leaf(name); err != nil {
				t.Error(err)
			}
		})
	}
	start.Done()
	done.Wait()
	if got := a.Minted(); got != 1 {
		t.Errorf("minted %d times", got)
	}
}

func TestConcurrentMissesOfDifferentNames(t *testing.T) {
	const goroutines, each = 64, 4
	a := open(t, t.TempDir())
	var done sync.WaitGroup
	for g := range goroutines {
		done.Go(func() {
			for i := range each {
				if _, err := a.Leaf(fmt.Sprintf("h%d.g%d.test", i, g)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done.Wait()
	if got := a.Minted(); got != goroutines*each {
		t.Errorf("minted %d, want %d", got, goroutines*each)
	}
}

func TestHitAllocatesNothing(t *testing.T) {
	a := open(t, t.TempDir())
	for _, name := range []string{"example.org", "192.0.2.1"} {
		if got := testing.AllocsPerRun(100, func() { a.Leaf(name) }); got != 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	var c leafCache
	leaf := &tls.Certificate{}
	const forever = 1 << 40
	for i := range maxLeaves {
		c.put(fmt.Sprint(i), leaf, forever)
	}
	// In use: the first half. A flood of names must leave it alone for one
	// round of the hand.
	for i := range maxLeaves / 2 {
		if c.get(fmt.Sprint(i), 0) == nil {
			t.Fatalf("leaf %d is missing before the cache was full", i)
		}
	}
	for i := range maxLeaves / 2 {
		c.put(fmt.Sprint("flood", i), leaf, forever)
	}
	for i := range maxLeaves / 2 {
		if c.get(fmt.Sprint(i), 0) == nil {
			t.Fatalf("leaf %d was in use and is gone", i)
		}
		if c.get(fmt.Sprint(maxLeaves/2+i), 0) != nil {
			t.Fatalf("leaf %d was not in use and is there", maxLeaves/2+i)
		}
	}
	for i := range 3 * maxLeaves {
		c.put(fmt.Sprint("more", i), leaf, forever)
	}
	if len(c.byKey) != maxLeaves || len(c.ring) != maxLeaves {
		t.Errorf("%d names, %d slots, want %d", len(c.byKey), len(c.ring), maxLeaves)
	}
	for slot, e := range c.ring {
		if e.slot != slot || c.byKey[e.name] != e {
			t.Fatalf("slot %d holds %q, which thinks it is in slot %d", slot, e.name, e.slot)
		}
	}
}

func TestCacheReplacesInPlace(t *testing.T) {
	var c leafCache
	first, second := &tls.Certificate{}, &tls.Certificate{}
	c.put("a", first, 10)
	c.put("b", first, 10)
	if c.get("a", 9) != first || c.get("a", 10) != nil {
		t.Error("a leaf counts until its renewal and no longer")
	}
	c.put("a", second, 20)
	if got := c.get("a", 10); got != second {
		t.Errorf("got %p, want %p", got, second)
	}
	if len(c.ring) != 2 || len(c.byKey) != 2 {
		t.Errorf("%d slots, %d names, want 2", len(c.ring), len(c.byKey))
	}
}

func BenchmarkLeafHit(b *testing.B) {
	a := open(b, b.TempDir())
	b.ReportAllocs()
	for b.Loop() {
		a.Leaf("retrieval.covid-notification.alpha.canada.ca")
	}
}

func BenchmarkLeafHitParallel(b *testing.B) {
	a := open(b, b.TempDir())
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			a.Leaf("retrieval.covid-notification.alpha.canada.ca")
		}
	})
}

func BenchmarkMint(b *testing.B) {
	a := open(b, b.TempDir())
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		if _, err := a.Leaf(fmt.Sprintf("h%d.test", i)); err != nil {
			b.Fatal(err)
		}
	}
}
