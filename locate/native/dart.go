package native

import (
	"bytes"
	"strings"
)

// dart is what a snapshot of Dart's compiler says of itself.
type dart struct {
	found    bool
	hash     string // of the virtual machine's version, 32 digits
	features string // "product arm64 android compressed-pointers"
}

// dartSymbol begins the names of the snapshots' symbols, in libapp.so and in App.framework/App;
// after runtime/include/dart_api.h, and runtime/vm/snapshot.h for the header.
const dartSymbol = "kDartVmSnapshotData"

// findDart recognises an image that Flutter made of an app's Dart code. It looks for the symbol's
// name first, which costs little, and reads the symbols only then.
func (m *image) findDart() {
	if !bytes.Contains(m.data, []byte(dartSymbol)) {
		return
	}
	for _, s := range m.symbols() {
		if string(bytes.TrimLeft(s.name, "_")) != dartSymbol {
			continue
		}
		m.dart.found = true
		at := m.offset(s.from) - m.base
		// magic, length and kind take 20 bytes; the hash follows, and the features up to a zero.
		if at <= 0 || at+52 > len(m.data) || string(m.data[at:at+4]) != "\xf5\xf5\xdc\xdc" && string(m.data[at:at+4]) != "\xdc\xdc\xf5\xf5" {
			return
		}
		hash := m.data[at+20 : at+52]
		if bytes.ContainsFunc(hash, func(r rune) bool { return !strings.ContainsRune("0123456789abcdef", r) }) {
			return
		}
		m.dart.hash, m.dart.features = string(hash), string(cstring(m.data[at+52:]))
		return
	}
}
