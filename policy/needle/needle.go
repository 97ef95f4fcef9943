// Package needle finds many short texts in a long one in one pass.
package needle

// A Form is one text that is looked for.
type Form struct {
	Bytes []byte
	// Fold says that letters of ASCII match in either case. Bytes are then in lower case.
	Fold bool
	Tag  int // the caller's
}

// A Set is compiled forms. It is safe for concurrent use.
type Set struct{}

// Compile returns a set of forms.
func Compile(forms []Form) *Set { return &Set{} }

// Find calls found for each place where a form stands, in order of their starts, until
// it returns false.
func (s *Set) Find(text []byte, found func(form *Form, start int) bool) {}
