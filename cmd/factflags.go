package cmd

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"telltale/declarations"
	"telltale/policy"
	"telltale/policy/lists"
	"telltale/reports"
)

// factFlags name files of facts that a policy judges by, beside what telltale knows: lists
// of trackers, and what the app declares of its own privacy.
type factFlags struct {
	listFiles, declarationFiles []string

	lists        []*lists.List
	declarations []declarations.Declaration
	read         bool
}

func (f *factFlags) register(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.listFiles, "list", nil, "also take the hosts in `file` for trackers: a hosts file, Adblock filters, Disconnect's services or Exodus' trackers; repeatable")
	c.Flags().StringArrayVar(&f.declarationFiles, "declaration", nil, "judge also by what the app declares in `file`: PrivacyInfo.xcprivacy, or a network security configuration of Android; repeatable")
}

// tell adds the facts to a policy. The files are read once, however often a policy changes
// meanwhile.
func (f *factFlags) tell(pol *policy.Policy) error {
	if err := f.load(); err != nil {
		return err
	}
	for _, list := range f.lists {
		pol.AddList(list)
	}
	for _, d := range f.declarations {
		pol.Declare(d)
	}
	return nil
}

// apply says in a document what was judged by beside the policy.
func (f *factFlags) apply(doc *reports.Report) {
	doc.Lists, doc.Declarations = f.lists, f.declarations
}

func (f *factFlags) load() error {
	if f.read {
		return nil
	}
	for _, file := range f.listFiles {
		list, err := readFacts(file, lists.MaxSize, lists.Read)
		if err != nil {
			return fmt.Errorf("--list: %w", err)
		}
		f.lists = append(f.lists, list)
	}
	for _, file := range f.declarationFiles {
		declared, err := readFacts(file, declarations.MaxSize, declarations.Read)
		if err != nil {
			return fmt.Errorf("--declaration: %w", err)
		}
		f.declarations = append(f.declarations, declared)
	}
	f.read = true
	return nil
}

// readFacts reads a file whole, up to a limit that only a mistake exceeds.
func readFacts[T any](file string, limit int64, read func(name string, data []byte) (T, error)) (facts T, err error) {
	f, err := os.Open(file)
	if err != nil {
		return facts, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return facts, fmt.Errorf("%s is a folder, expected a file", file)
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return facts, fmt.Errorf("cannot read %s: %w", file, err)
	}
	if int64(len(data)) > limit {
		return facts, fmt.Errorf("%s is larger than %d MiB, so it is something else", file, limit>>20)
	}
	if len(data) == 0 {
		return facts, errors.New(file + " is empty")
	}
	return read(file, data)
}
