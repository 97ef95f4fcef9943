package flow

import "strings"

// faulty are the experiments that show a client a certificate with a fault, by the first word
// of their names.
var faulty = [...]string{"bad-certificate", "clock-skew", "captive-portal"}

// ShownFault reports whether an experiment may have shown the client a certificate with a
// fault: that it took it, or refused it, says nothing of whether it trusts telltale's
// authority.
func (f *Flow) ShownFault() bool {
	for _, name := range f.Experiments {
		word, _, _ := strings.Cut(name, " ")
		for _, fault := range faulty {
			if word == fault {
				return true
			}
		}
	}
	return false
}

// RefusedFault reports whether the client refused a certificate to which an experiment had
// given a fault, as it should: nothing was said, and nothing passed unread.
func (f *Flow) RefusedFault() bool {
	switch f.Outcome {
	case ClientRefused, ClientSilent, HandshakeFailed:
		return f.ShownFault()
	}
	return false
}
