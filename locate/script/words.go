package script

// A class is what a byte may begin or go on with.
type class uint8

const (
	isName  class = iota // of a name; also every byte beyond ASCII
	isDigit              //
	isQuote              // " or '
	isSpace              //
	isMark               // all else
)

var classes = func() (table [256]class) {
	for i := range table {
		switch c := byte(i); {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '$', c == '_', c == '\\', c >= 0x80:
			table[i] = isName
		case c >= '0' && c <= '9':
			table[i] = isDigit
		case c == '"', c == '\'':
			table[i] = isQuote
		case c == ' ', c == '\t', c == '\n', c == '\r', c == '\v', c == '\f', c == 0:
			table[i] = isSpace
		default:
			table[i] = isMark
		}
	}
	return table
}()

// spaces are the bytes that a space may begin with.
var spaces = func() (table [256]bool) {
	for i := range table {
		table[i] = classes[i] == isSpace
	}
	for _, s := range wideSpaces {
		table[s[0]] = true
	}
	return table
}()

// The ops of words: what a keyword does to what follows it. They are none of the ops of marks.
const (
	noKeyword  byte = 0           // a name, or a value such as this
	kwOperator byte = iota + 0x7f // a value follows: return, typeof, case, …
	kwBetween                     // a value follows, and one stood before: in, instanceof
	kwBlock                       // a block follows: else, do, try, finally
	kwHead                        // a parenthesis and then a statement follow: if, for, …
	kwDeclare                     // names follow: var, let, const, import, export
	kwFunction                    //
	kwClass                       //
)

// keywordOf returns what a word is. The word "of" is left out: between the names of a minifier it
// is most often one of them.
func keywordOf(b []byte) byte {
	if len(b) < 2 || len(b) > 10 || b[0] < 'b' || b[0] > 'y' {
		if string(b) == "await" {
			return kwOperator
		}
		return noKeyword
	}
	switch string(b) {
	case "return", "typeof", "case", "new", "delete", "void", "throw", "yield", "default":
		return kwOperator
	case "in", "instanceof":
		return kwBetween
	case "else", "do", "try", "finally":
		return kwBlock
	case "if", "for", "while", "with", "switch", "catch":
		return kwHead
	case "var", "let", "const", "import", "export":
		return kwDeclare
	case "function":
		return kwFunction
	case "class":
		return kwClass
	}
	return noKeyword
}
