package policy

// DestinationError says what is wrong with a destination that is written as one text. It
// never quotes it: it may be a secret.
type DestinationError struct {
	Problem string
	hint    string
}

func (e *DestinationError) Error() string { return e.Problem }

// Hint says what to write instead.
func (e *DestinationError) Hint() string { return e.hint }
