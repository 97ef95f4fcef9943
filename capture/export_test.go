package capture

import (
	"reflect"

	"github.com/google/go-cmp/cmp"

	"telltale/diagnosis"
)

// SameEvidence compares what only package diagnosis looks into.
var SameEvidence = cmp.Comparer(func(a, b *diagnosis.Evidence) bool { return reflect.DeepEqual(a, b) })
