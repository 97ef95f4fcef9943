package notify

import (
	"regexp"
	"strings"
	"unicode"
)

// The chat rooms and trackers each have a dialect of Markdown with mentions, references,
// emoji and commands of its own, and an escape in one is text in another. What all of them
// share is the code span, in which nothing has a meaning but a backtick. So text of the wire
// stands in code spans, and of prose each word that is more than letters.

// code returns a text as a code span. A backtick becomes an apostrophe: no mark for it is
// common to all dialects. Comments are broken up, so that none looks like a marker of ours.
func code(s string) string {
	s = strings.ReplaceAll(strings.TrimSpace(s), "`", "'")
	if s == "" {
		return ""
	}
	return "`" + strings.ReplaceAll(s, "<!--", "<!- -") + "`"
}

var (
	// plainWord is a word without a meaning in any dialect, with the punctuation of prose
	// around it.
	plainWord = regexp.MustCompile(`^[("“‘]*[\p{L}\p{N}](?:[\p{L}\p{N}\p{M}’'./,%-]*[\p{L}\p{N}%])?[)"”’.,;:?!…]*$`)
	// reference is a word that some tracker makes a link of: a number of GitHub, a hash.
	reference = regexp.MustCompile(`(?i)^\W*(?:gh-\d+|[0-9a-f]{7,40})\W*$`)
	// punctuation stands alone between words.
	punctuation = regexp.MustCompile(`^(?:[·–—…&]|[.,;:?!()]+)$`)
	// linkLike is what chat programs make links of: a name with dots.
	linkLike = regexp.MustCompile(`\p{L}\.\p{L}|://|^\W*www\.`)
)

// prose returns prose of ours, in which words of the wire may stand, as Markdown. Words that
// could mean something are code; what stands between backticks is, too.
func prose(s string) string {
	parts := strings.Split(s, "`")
	if len(parts)%2 == 0 { // one backtick is left over
		parts = []string{strings.ReplaceAll(s, "`", "'")}
	}
	var b strings.Builder
	for i, part := range parts {
		if i%2 == 1 {
			b.WriteString(code(part))
			continue
		}
		b.WriteString(words(part))
	}
	return strings.ReplaceAll(b.String(), "``", "") // two spans that touch would be another mark
}

// words writes a text word by word. Neighbours that are code share one span.
func words(s string) string {
	var b strings.Builder
	for i, word := range strings.Split(s, " ") {
		if i > 0 {
			b.WriteByte(' ')
		}
		if word == "" || isPlainWord(word) {
			b.WriteString(word)
			continue
		}
		b.WriteString(codeWord(word))
	}
	return strings.ReplaceAll(b.String(), "` `", " ")
}

func isPlainWord(word string) bool {
	return plainWord.MatchString(word) && !linkLike.MatchString(word) && !reference.MatchString(word) || punctuation.MatchString(word)
}

// codeWord makes a word code without the punctuation that follows it.
func codeWord(word string) string {
	stem := strings.TrimRightFunc(word, func(r rune) bool { return strings.ContainsRune(".,;:?!…", r) })
	if stem == "" || strings.IndexFunc(stem, func(r rune) bool { return !unicode.IsPunct(r) }) < 0 {
		stem = word
	}
	return code(stem) + word[len(stem):]
}
