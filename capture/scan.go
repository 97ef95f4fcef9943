package capture

import (
	"context"
	"fmt"

	"telltale/flow"
)

// ScanOptions say where a scan starts and which parts of the flows it needs. What
// is left out makes it faster.
type ScanOptions struct {
	After   flow.ID // only flows above it
	Judge   bool    // judge them; else every judgement is empty
	Headers bool    // load header blocks; else messages have none, unless judging needs them
	Bodies  bool    // load the contents of bodies, and the first thousand frames
}

// Scan calls visit with every flow in ID order, some hundred at a time, as fast as
// they can be read: on all cores, ahead of visit, which runs on the caller's
// goroutine. All of them are judged by the policy of the moment at which it starts;
// flows that come later are left out (go on after the last one). Visit may keep the
// batch. Scan ends with the first error of visit, or with that of ctx.
func (s *Store) Scan(ctx context.Context, opts ScanOptions, visit func(batch []Recorded) error) error {
	p := passOptions{after: opts.After, headers: opts.Headers, bodies: opts.Bodies}
	if opts.Judge {
		p.judge = s.verdict.judging()
	}
	var theirs error
	err := s.pass(ctx, p, func(batch []Recorded) error {
		theirs = visit(batch)
		return theirs
	})
	if theirs != nil {
		return theirs
	}
	if err != nil {
		return fmt.Errorf("read flows: %w", err)
	}
	return nil
}

// Search returns the IDs of every flow that [Query.Text] finds, in order.
func (s *Store) Search(ctx context.Context, text string) ([]flow.ID, error) {
	var ids []flow.ID
	err := s.read(ctx, func(c *conn) error {
		hits, err := search(ctx, c, text)
		if err != nil || hits.empty() {
			return err
		}
		ids, err = hits.flows(ctx, c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	return ids, nil
}
