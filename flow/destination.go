package flow

// AddressedTo returns where the device's packets were addressed to as text:
// "203.0.113.7:443", the address alone where the protocol has no ports, "" when unknown.
func (s *Server) AddressedTo() string {
	switch d := s.Destination; {
	case !d.Addr().IsValid():
		return ""
	case d.Port() == 0:
		return d.Addr().String()
	default:
		return d.String()
	}
}
