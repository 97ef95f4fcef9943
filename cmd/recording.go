package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/plain"
	"telltale/intake"
	"telltale/policy"
)

// openRecording opens a capture whose requests are answered from, or sent again. What is no
// capture of telltale is read into one that is removed when it is closed.
func openRecording(ctx context.Context, name string, pol *policy.Policy) (*watched, error) {
	if name == intake.StandardInput {
		return nil, withHint(errors.New("a recording is read more than once, so it cannot come from standard input"), "save it to a file first")
	}
	w, err := openWatched(name, pol, &restFlags{})
	if err != nil {
		return nil, err
	}
	if w.folder != "" {
		if err := w.load(ctx, func(int, int) {}); err != nil {
			w.close()
			return nil, err
		}
	}
	return w, nil
}

// meantHosts reads the patterns of --host. Where there are none, or they name nobody, the
// error says whom the recording has requests to. Unless they must be named, a recording of
// one host needs none.
func meantHosts(ctx context.Context, store *capture.Store, texts []string, must bool, command string) ([]policy.Pattern, error) {
	var patterns []policy.Pattern
	for _, text := range texts {
		p, err := policy.ParsePattern(text)
		if err != nil {
			return nil, fmt.Errorf("--host: %w", err)
		}
		patterns = append(patterns, p)
	}
	counts := map[string]int{}
	named := 0
	err := store.Scan(ctx, capture.ScanOptions{}, func(batch []capture.Recorded) error {
		for _, recorded := range batch {
			f := recorded.Flow
			if f.Request == nil || f.Kind != flow.HTTP || !f.IsContact() {
				continue
			}
			counts[f.Host()]++
			if slices.ContainsFunc(patterns, func(p policy.Pattern) bool { return p.Match(f.Host(), f.Port()) }) {
				named++
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case len(counts) == 0:
		return nil, errors.New("the recording has no request that could be read")
	case len(patterns) == 0 && (must || len(counts) > 1):
		return nil, withHint(fmt.Errorf("say which hosts are meant; the recording has requests to %s", hostList(counts)), "%s --host %s", command, quote(byCount(counts)[0]))
	case len(patterns) == 0:
		p, err := policy.ParsePattern(byCount(counts)[0])
		return []policy.Pattern{p}, err
	case named == 0:
		return nil, withHint(fmt.Errorf("--host names nobody of the recording, which has requests to %s", hostList(counts)), "%s --host %s", command, quote(byCount(counts)[0]))
	}
	return patterns, nil
}

// maxHostsSaid is how many hosts one sentence names.
const maxHostsSaid = 20

func hostList(counts map[string]int) string {
	var parts []string
	for i, host := range byCount(counts) {
		if i == maxHostsSaid {
			parts = append(parts, fmt.Sprintf("%d more", len(counts)-i))
			break
		}
		parts = append(parts, fmt.Sprintf("%s (%d)", plain.Text(host), counts[host]))
	}
	return strings.Join(parts, ", ")
}
