package locate

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strings"

	"telltale/declarations"
	"telltale/locate/app"
	"telltale/locate/hermes"
	"telltale/locate/inventory"
	"telltale/locate/library"
	"telltale/locate/reading"
)

// finish makes the result of what the files have said, the same whatever order they came in.
func (s *search) finish(infos []app.Info) *Result {
	r := &s.result
	for i, info := range infos {
		r.Apps = append(r.Apps, App{Info: info, Identity: s.identity(i), Platform: platform(info.Kind)})
	}
	for _, t := range s.troubles {
		r.Failures = append(r.Failures, app.Failure{Path: infos[t.app].Inside(t.file), Err: t.err})
	}
	slices.SortStableFunc(r.Failures, func(a, b app.Failure) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Err.Error(), b.Err.Error()))
	})
	for name, files := range s.kinds {
		r.Kinds = append(r.Kinds, Kind{name, files})
	}
	slices.SortFunc(r.Kinds, func(a, b Kind) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(r.Unread, func(a, b Unread) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Why, b.Why))
	})
	known := make([]*library.Parts, len(r.Apps))
	for i := range known {
		slices.SortFunc(s.parts[i], func(a, b inventory.Component) int {
			return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Name, b.Name))
		})
		known[i] = library.Index(s.parts[i])
		r.Components = append(r.Components, s.parts[i]...)
		slices.SortFunc(s.declared[i], func(a, b declarations.Declaration) int { return strings.Compare(a.File, b.File) })
		s.declared[i] = inUse(s.declared[i])
		r.Declared = append(r.Declared, s.declared[i]...)
	}
	for i := range s.found {
		s.attribute(&s.found[i], known[s.found[i].App])
		r.Leads = append(r.Leads, s.found[i].Lead)
	}
	slices.SortStableFunc(r.Leads, s.byStrength)
	r.Leads = withoutCopies(withoutParents(r.Leads))
	s.sayDeclared(r.Leads)
	return r
}

// identity returns what an app says of itself: of the files that say something, the one
// closest to its root speaks for it.
func (s *search) identity(of int) (best reading.Identity) {
	depth := -1
	for _, one := range s.identities {
		name := path.Base(one.file)
		if one.app != of || name != "AndroidManifest.xml" && name != "Info.plist" || one.ID == "" {
			continue
		}
		if d := strings.Count(one.file, "/"); depth < 0 || d < depth || d == depth && one.ID < best.ID {
			best, depth = one.Identity, d
		}
	}
	return best
}

// platform returns what an app of a kind of container runs on, "" where that is not known.
func platform(kind string) string {
	for _, android := range []string{"APK", "AAB", "AAR"} {
		if strings.Contains(kind, android) {
			return "Android"
		}
	}
	if strings.Contains(kind, "IPA") || strings.HasPrefix(kind, "iOS") {
		return "iOS"
	}
	return ""
}

// attribute says whose code a lead is, and what the app sets instead of its default.
func (s *search) attribute(f *found, parts *library.Parts) {
	place := f.Place
	if f.ofBundle || isBundle(place.Source) {
		place.Source = nil // it was compiled from a bundle, which names nobody
	}
	f.Origin = library.Attribute(library.Evidence{
		Host: f.host(), URL: f.Mention.URL, File: f.File, Place: place, Around: f.around, Claims: f.claims, App: s.result.Apps[f.App].Identity,
	}, parts)
	if f.Origin == nil || f.Origin.Library == nil {
		return
	}
	s.override(f)
}

// isBundle reports whether a source is a bundle itself: that of bytecode is one, as a rule,
// whatever it was called when it was compiled.
func isBundle(source *reading.Source) bool {
	return source != nil && (source.By == hermes.DebugInformation && !strings.Contains(source.File, "node_modules/") ||
		strings.HasSuffix(source.File, "bundle") || strings.HasSuffix(source.File, ".bundle.js"))
}

// host returns the host that a lead mentions, "" for a string that is in no address.
func (f *found) host() string {
	if f.Mention.Host != "" {
		return f.Mention.Host
	}
	return f.Wanted
}

// ranks are the forms, the plainest first.
var ranks = []Form{WholeURL, BareHost, Verbatim, Split, Percent, UTF16, Base64, Hex, Reversed, Neighbours, XOR, Parent}

// byStrength orders leads: by what is wanted, then what is likelier to be contacted, then
// what tells more, then by place.
func (s *search) byStrength(a, b Lead) int {
	return cmp.Or(
		cmp.Compare(slices.Index(s.names, a.Wanted), slices.Index(s.names, b.Wanted)),
		cmp.Compare(unlikely(a), unlikely(b)),
		strings.Compare(a.Wanted, b.Wanted), // of a listing
		cmp.Compare(prose(a.File), prose(b.File)),
		cmp.Compare(slices.Index(ranks, a.Form), slices.Index(ranks, b.Form)),
		-cmp.Compare(confidence(a), confidence(b)),
		cmp.Compare(a.App, b.App), cmp.Compare(a.File, b.File), cmp.Compare(a.Offset, b.Offset),
	)
}

// unlikely returns 1 for what is hardly ever contacted, and 0 else.
func unlikely(l Lead) int {
	if l.Mention.Noise != "" {
		return 1
	}
	return 0
}

// prose returns 1 for a text that people read, which is no code, and 0 for other files.
func prose(file string) int {
	name := strings.ToLower(path.Base(file))
	switch path.Ext(name) {
	case ".md", ".markdown", ".rst":
		return 1
	case ".html", ".js", ".json":
		return 0
	}
	for _, word := range []string{"license", "licence", "notice", "changelog", "readme", "copying"} {
		if strings.Contains(name, word) {
			return 1
		}
	}
	return 0
}

func confidence(l Lead) library.Confidence {
	if l.Origin == nil {
		return 0
	}
	return l.Origin.Confidence
}

// mostParents is how many mentions of a domain above a host are kept, where the host itself
// was not found.
const mostParents = 3

// withoutParents drops the domains above hosts that were found by themselves.
func withoutParents(leads []Lead) []Lead {
	found, parents := map[string]bool{}, map[string]int{}
	for _, l := range leads {
		if l.Form != Parent {
			found[l.Wanted] = true
		}
	}
	return slices.DeleteFunc(leads, func(l Lead) bool {
		if l.Form != Parent {
			return false
		}
		parents[l.Wanted]++
		return found[l.Wanted] || parents[l.Wanted] > mostParents
	})
}

// processors finds what names a processor in a path of an Android app.
var processors = regexp.MustCompile(`arm64[-_]v8a|armeabi[-_]v7a|armeabi|x86_64|x86|riscv64`)

// withoutCopies makes one lead of those that libraries have alike for each processor.
func withoutCopies(leads []Lead) []Lead {
	type copied struct {
		wanted, text, file string
		form               Form
		app                int
	}
	first := map[copied]int{}
	kept := leads[:0]
	for _, l := range leads {
		file := processors.ReplaceAllString(l.File, "*")
		key := copied{l.Wanted, l.Text, file, l.Form, l.App}
		if i, ok := first[key]; ok && file != l.File && kept[i].File != l.File {
			if !slices.Contains(kept[i].Copies, l.File) {
				kept[i].Copies = append(kept[i].Copies, l.File)
			}
			continue
		}
		if _, ok := first[key]; !ok {
			first[key] = len(kept)
		}
		kept = append(kept, l)
	}
	return kept
}
