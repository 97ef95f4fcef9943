package intake_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"telltale/flow"
	"telltale/guard/raced"
	"telltale/intake"
)

// heap returns how many bytes are in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestSmallInputsDoNotPileUp holds up the first of many inputs and looks at what waits
// behind it.
func TestSmallInputsDoNotPileUp(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "000.har"), entries("first.example"))
	body := strings.Repeat("x", 500_000)
	large := strings.Replace(entries("b.example"), `"status":200`, `"status":200,"content":{"text":"`+body+`"}`, 1)
	for i := range 120 {
		write(t, filepath.Join(dir, fmt.Sprintf("%03d.har", i+1)), large)
	}
	set, _ := intake.Find(t.Context(), []string{dir}, nil)
	defer set.Close()
	before := heap()
	n := 0
	infos, err := set.Read(t.Context(), intake.Options{Bodies: true}, func(*flow.Flow) error {
		if n++; n > 1 {
			return nil
		}
		// Whoever reads ahead gets the time in which all could be read.
		for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); runtime.Gosched() {
			if done, total := set.Progress(); done == total {
				t.Error("all inputs were read while the first was held up")
				break
			}
		}
		if now := heap(); now > before+20<<20 {
			t.Errorf("%d MiB wait behind the first flow", (now-before)>>20)
		}
		return nil
	})
	if err != nil || n != 121 {
		t.Errorf("%d flows, %v", n, err)
	}
	clean(t, infos, nil)
}

// TestLargeHeadersMakeSmallBatches looks at what is in memory while flows are handed
// over that hold much text and no bodies.
func TestLargeHeadersMakeSmallBatches(t *testing.T) {
	raced.SkipMeasure(t)
	cookie := strings.Repeat("c", 900_000)
	var all []string
	for i := range 60 {
		all = append(all, fmt.Sprintf(`{"request":{"method":"GET","url":"https://h%d.example/","headers":[{"name":"Cookie","value":"%d%s"}]},"response":{"status":200}}`, i, i, cookie))
	}
	path := write(t, filepath.Join(t.TempDir(), "a.har"), `{"log":{"version":"1.2","entries":[`+strings.Join(all, ",")+`]}}`)
	set, _ := intake.Find(t.Context(), []string{path}, nil)
	defer set.Close()
	before, most := heap(), uint64(0)
	infos, err := set.Read(t.Context(), intake.Options{}, func(*flow.Flow) error {
		most = max(most, heap())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	clean(t, infos, nil)
	if most > before+16<<20 {
		t.Errorf("%d MiB in use", (most-before)>>20)
	}
}

// TestCancelledWhileOthersAreRead ends a reading in which several large inputs are
// under way. That no goroutine is left is checked for the whole package.
func TestCancelledWhileOthersAreRead(t *testing.T) {
	dir := t.TempDir()
	hosts := make([]string, 5000)
	for i := range hosts {
		hosts[i] = fmt.Sprintf("h%d.example", i)
	}
	content := entries(hosts...)
	for i := range 4 {
		write(t, filepath.Join(dir, fmt.Sprintf("%d.har", i)), content)
		write(t, filepath.Join(dir, fmt.Sprintf("%d.zip", i)), zipped(t, "a.har", content))
	}
	for stop := range 8 {
		set, _ := intake.Find(t.Context(), []string{dir}, nil)
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		_, err := set.Read(ctx, intake.Options{}, func(*flow.Flow) error {
			if n++; n == 1+stop*700 {
				cancel()
			}
			return nil
		})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("after %d flows: %v", n, err)
		}
		if err := set.Close(); err != nil {
			t.Error(err)
		}
	}
}
