package script

// Contents calls visit for each source that the map holds the text of, until it returns false.
// The text is only good until then.
func (m *Map) Contents(visit func(file string, text []byte) bool) {
	m.eachContent(visit)
}

func (m *Map) eachContent(visit func(file string, text []byte) bool) bool {
	for i, s := range m.contents {
		if i >= len(m.sources) {
			break
		}
		if text := m.text(s); text != "" && !visit(m.file(i), []byte(text)) {
			return false
		}
	}
	for _, s := range m.sections {
		if !s.m.eachContent(visit) {
			return false
		}
	}
	return true
}
