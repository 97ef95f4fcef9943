package capture_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
)

// Pages of whatever length put together are the flows as they ended, over batches
// of one flow and of many.
func TestEndedPagesAcrossBatches(t *testing.T) {
	s, _ := create(t, capture.Options{})
	var want []flow.ID
	end := func(n int) {
		var batch []*flow.Flow
		for range n {
			id := flow.ID(2000 - len(want))
			want = append(want, id)
			batch = append(batch, flowtest.Get("https://x.example/", flowtest.ID(id)))
		}
		observe(t, s, batch...)
	}
	for _, n := range []int{1, 700, 1, 1, 256, 3, 255} {
		end(n)
	}
	if last, err := s.LastEnded(t.Context()); err != nil || last != capture.Seq(len(want)) {
		t.Errorf("the last of %d flows is %d, %v", len(want), last, err)
	}
	for _, limit := range []int{1, 7, 256, 300, 5000} {
		at, n := capture.Seq(0), 0
		for {
			page, next, err := s.Ended(context.Background(), at, limit)
			if err != nil {
				t.Fatal(err)
			}
			for i, r := range page {
				if r.Flow.ID != want[n+i] {
					t.Fatalf("limit %d: flow %d at %d, want %d", limit, r.Flow.ID, n+i, want[n+i])
				}
			}
			if n += len(page); next != capture.Seq(n) {
				t.Fatalf("limit %d: %d flows read, next is %d", limit, n, next)
			}
			if at = next; len(page) == 0 {
				break
			}
			if n < len(want) && len(page) < limit {
				t.Fatalf("limit %d: a page of %d before the end", limit, len(page))
			}
		}
		if n != len(want) {
			t.Errorf("limit %d: %d flows", limit, n)
		}
	}
}

func TestEndedOfADamagedFile(t *testing.T) {
	for _, tt := range []struct{ name, damage, want string }{
		{"list mangled", "UPDATE ends SET flows = '['", "cannot be understood"},
		{"flow lost", "DELETE FROM flows WHERE id = 3", "flow 3 has ended and is missing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, path := create(t, capture.Options{})
			for id := range flow.ID(5) {
				observe(t, s, flowtest.Get("https://x.example/", flowtest.ID(id+1)))
			}
			s.Close()
			queryRW(t, path, tt.damage+" RETURNING 1")
			again, err := capture.Open(path, capture.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			page, next, err := again.Ended(context.Background(), 0, 0)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) || page != nil || next != 0 {
				t.Errorf("%d flows up to %d, error %v", len(page), next, err)
			}
		})
	}
}

// A host is found in each block that has a flow of its, and in no other's.
func TestPagesOfAHostAcrossBlocks(t *testing.T) {
	s, path := create(t, capture.Options{})
	var want []flow.ID
	var batch []*flow.Flow
	for id := flow.ID(1); id <= 1500; id++ {
		host := "many" + strconv.Itoa(int(id%9)) + ".example"
		switch id {
		case 1, 255, 256, 257, 511, 512, 513, 700, 1408, 1500:
			host = "few.example"
			want = append(want, id)
		}
		batch = append(batch, flowtest.Get("https://"+host+"/", flowtest.ID(id)))
	}
	observe(t, s, batch[700:]...)
	observe(t, s, batch[:700]...)
	check := func(s *capture.Store, q capture.Query, want ...flow.ID) {
		t.Helper()
		q.Host = "few.example"
		if got := ids(t, s, q); !slices.Equal(got, want) {
			t.Errorf("%+v: %v, want %v", q, got, want)
		}
	}
	check(s, capture.Query{}, want...)
	check(s, capture.Query{Last: true, Limit: 3}, 700, 1408, 1500)
	check(s, capture.Query{Limit: 3}, 1, 255, 256)
	check(s, capture.Query{After: 255, Before: 513}, 256, 257, 511, 512)
	check(s, capture.Query{After: 256, Before: 1408, Last: true, Limit: 2}, 513, 700)
	check(s, capture.Query{After: 1500})
	s.Close()
	again, err := capture.Create(path, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	observe(t, again, flowtest.Get("https://few.example/", flowtest.ID(again.NextID())))
	check(again, capture.Query{After: 1408}, 1500, 1501)
}
