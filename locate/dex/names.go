package dex

import "strings"

// className turns a descriptor into the name that Java writes: "Lcom/x/Y$1;" is "com.x.Y$1".
// Other types stay as they are.
func className(descriptor string) string {
	if len(descriptor) > 2 && descriptor[0] == 'L' && descriptor[len(descriptor)-1] == ';' {
		return strings.ReplaceAll(descriptor[1:len(descriptor)-1], "/", ".")
	}
	return descriptor
}

// packageOf is the name of a class without its last part: "" for one without a package.
func packageOf(class string) string {
	if i := strings.LastIndexByte(class, '.'); i >= 0 {
		return class[:i]
	}
	return ""
}

// shortened reports whether a class has a name that an obfuscator gave it and that names
// nobody: "a", "a.b.c", "o.xy", "rx0.a". A short name in a package that was kept ("com.novoda.merlin.a")
// still does.
func shortened(class string) bool {
	pack := packageOf(class)
	outer, _, _ := strings.Cut(strings.TrimPrefix(class[len(pack):], "."), "$")
	if len(outer) > 3 || len(outer) == 3 && strings.ToLower(outer) != outer {
		return false
	}
	if pack != "" && !strings.Contains(pack, ".") {
		return len(outer) <= 2 || len(pack) <= 3
	}
	for part := range strings.SplitSeq(pack, ".") {
		if len(part) > 2 {
			return false
		}
	}
	return true
}

// shortened counts the classes whose names were.
func (p *part) shortened() int {
	n := 0
	for id := range p.classes.n {
		if name := p.typeName(p.class(id).kind); name != "" && shortened(name) {
			n++
		}
	}
	return n
}

// sourceFile is the file that a class was compiled from; "" where the compiler left none, or an
// obfuscator a mark instead.
func (p *part) sourceFile(c class) string {
	if c.source == noIndex {
		return ""
	}
	name := p.text(c.source)
	// A name without an ending is R8's or ProGuard's: "SourceFile", "r8-map-id-…", "PG".
	if !strings.Contains(name, ".") || strings.HasPrefix(name, "r8-") {
		return ""
	}
	return name
}
