package native

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"telltale/locate/reading"
)

// minRun is the length from which characters in a row are a text, as in strings(1).
const minRun = 4

// maxLiteral is how far the start of a text is looked for that code refers to.
const maxLiteral = 1 << 16

// plain has the ASCII characters that texts are made of.
var plain = func() (t [256]bool) {
	for c := ' '; c <= '~'; c++ {
		t[c] = true
	}
	t['\t'], t['\n'], t['\r'] = true, true, true
	return t
}()

// runs visits the runs of printable characters from start to end of data, in UTF-8 and, of
// ASCII, in UTF-16. They are whole if zeros stand around them, unless texts are glued there. It
// reports whether to go on.
func runs(data []byte, start, end, base int, glued bool, visit func(reading.Text) bool) bool {
	var scratch []byte
	for i := start; i < end; {
		if c := data[i]; !plain[c] && c < 0xc2 {
			i++
			continue
		}
		if to := wideRun(data, i, end); to-i >= 2*minRun {
			scratch = narrow(scratch[:0], data[i:to])
			whole := to+1 < end && data[to] == 0 && data[to+1] == 0 && (i < start+2 || data[i-1] == 0 && data[i-2] == 0)
			if !visit(reading.Text{Start: base + i, End: base + to, Value: scratch, Whole: whole}) {
				return false
			}
			i = to
			continue
		}
		to := i
		for to < end {
			if plain[data[to]] {
				to++
				continue
			}
			n := letter(data[to:end])
			if n == 0 {
				break
			}
			to += n
		}
		if to-i >= minRun {
			whole := !glued && to < end && data[to] == 0 && (i == start || data[i-1] == 0)
			if !visit(reading.Text{Start: base + i, End: base + to, Value: data[i:to], Whole: whole}) {
				return false
			}
		}
		i = max(to, i+1)
	}
	return true
}

// letter is the length of the printable character beyond ASCII at the start of b; 0 if none is.
func letter(b []byte) int {
	if b[0] < 0xc2 {
		return 0
	}
	r, n := utf8.DecodeRune(b)
	if r == utf8.RuneError || !unicode.IsPrint(r) {
		return 0
	}
	return n
}

// wideRun is where the ASCII characters of two bytes each end that begin at i.
func wideRun(data []byte, i, end int) int {
	for i+1 < end && plain[data[i]] && data[i+1] == 0 {
		i += 2
	}
	return i
}

// narrow appends what UTF-16 of ASCII alone says.
func narrow(dst, b []byte) []byte {
	for i := 0; i+1 < len(b); i += 2 {
		dst = append(dst, b[i])
	}
	return dst
}

// maxReach is how far the zeros around a single text are looked for.
const maxReach = maxSingle + 2

// literal finds the text that holds the bytes from start to end and stands between zeros, within a
// region. to is 0 where it does not; wide says that it is UTF-16.
func literal(data []byte, start, end, first, last int) (from, to int, wide bool) {
	if start+1 < last && plain[data[start]] && data[start+1] == 0 {
		from = start
		for from-2 >= first && plain[data[from-2]] && data[from-1] == 0 && start-from < maxReach {
			from -= 2
		}
		to = wideRun(data, start, min(last, start+maxReach))
		closed := to+1 < last && data[to] == 0 && data[to+1] == 0
		if closed && to-from >= 2*minRun && to >= end {
			return from, to, true
		}
	}
	low := max(first, start-maxReach)
	from = low + bytes.LastIndexByte(data[low:start], 0) + 1
	if from == low && low != first {
		return 0, 0, false
	}
	high := min(last, start+maxReach)
	n := bytes.IndexByte(data[start:high], 0)
	if n < 0 || start+n < end {
		return 0, 0, false
	}
	to = start + n
	for i := from; i < to; {
		if plain[data[i]] {
			i++
		} else if n := letter(data[i:to]); n > 0 {
			i += n
		} else {
			return 0, 0, false
		}
	}
	return from, to, false
}
