package pggate

// A lexer takes an SQL text apart as PostgreSQL's own scanner does (scan.l), as
// far as it is needed to leave out literals and comments and to see keywords.
// It never fails: what PostgreSQL would refuse comes out as some tokens, and an
// open literal or comment swallows the rest.
type lexer struct {
	src     []byte
	at      int
	escapes bool // standard_conforming_strings is off: a backslash escapes in plain strings too
}

// kind says what a token is.
type kind byte

const (
	tokEnd     kind = iota
	tokWord         // identifier or keyword, unquoted
	tokQuoted       // "identifier"
	tokLiteral      // string, bit string or number of any form
	tokParam        // $1
	tokSign         // one character of an operator or punctuation
)

// token is src[from:to].
type token struct {
	kind     kind
	from, to int
}

// next returns the next token; comments and blanks are passed over.
func (l *lexer) next() token {
	l.blanks()
	from := l.at
	if from >= len(l.src) {
		return token{tokEnd, from, from}
	}
	c := l.src[from]
	switch {
	case c == '\'':
		l.at++
		l.text(l.escapes)
		return token{tokLiteral, from, l.at}
	case c == '"':
		l.at++
		l.quoted()
		return token{tokQuoted, from, l.at}
	case c == '$':
		return l.dollar()
	case isDigit(c), c == '.' && isDigit(l.peek(1)):
		l.number()
		return token{tokLiteral, from, l.at}
	case isLetter(c):
		return l.word()
	}
	l.at++
	return token{tokSign, from, l.at}
}

// peek returns the byte so far ahead; 0 behind the end.
func (l *lexer) peek(ahead int) byte {
	if l.at+ahead < len(l.src) {
		return l.src[l.at+ahead]
	}
	return 0
}

// blanks passes over blanks and comments; block comments nest.
func (l *lexer) blanks() {
	for l.at < len(l.src) {
		switch c := l.src[l.at]; {
		case isBlank(c):
			l.at++
		case c == '-' && l.peek(1) == '-':
			l.line()
		case c == '/' && l.peek(1) == '*':
			l.block()
		default:
			return
		}
	}
}

// line passes over a comment to the end of its line.
func (l *lexer) line() {
	for l.at < len(l.src) && l.src[l.at] != '\n' && l.src[l.at] != '\r' {
		l.at++
	}
}

func (l *lexer) block() {
	l.at += 2
	for depth := 1; l.at < len(l.src) && depth > 0; {
		switch c := l.src[l.at]; {
		case c == '/' && l.peek(1) == '*':
			depth++
			l.at += 2
		case c == '*' && l.peek(1) == '/':
			depth--
			l.at += 2
		default:
			l.at++
		}
	}
}

// text passes over a string whose opening quote is behind, together with its
// continuations: a quote after blanks with a line break goes on in the same
// way.
func (l *lexer) text(escapes bool) {
	for {
		for l.at < len(l.src) {
			c := l.src[l.at]
			l.at++
			if c == '\\' && escapes {
				l.at = min(l.at+1, len(l.src))
			} else if c == '\'' {
				if l.peek(0) != '\'' {
					break
				}
				l.at++
			}
		}
		if !l.goesOn() {
			return
		}
	}
}

// goesOn passes over what stands between a string and its continuation,
// including the opening quote, and reports whether there is one.
func (l *lexer) goesOn() bool {
	back, broke := l.at, false
	for l.at < len(l.src) {
		switch c := l.src[l.at]; {
		case c == '\n' || c == '\r':
			broke = true
			l.at++
		case isBlank(c):
			l.at++
		case c == '-' && l.peek(1) == '-':
			l.line()
		case c == '\'' && broke:
			l.at++
			return true
		default:
			l.at = back
			return false
		}
	}
	l.at = back
	return false
}

// quoted passes over an identifier whose opening quote is behind.
func (l *lexer) quoted() {
	for l.at < len(l.src) {
		c := l.src[l.at]
		l.at++
		if c == '"' {
			if l.peek(0) != '"' {
				return
			}
			l.at++
		}
	}
}

// dollar takes $1, $$…$$ and $tag$…$tag$.
func (l *lexer) dollar() token {
	from := l.at
	if isDigit(l.peek(1)) {
		for l.at++; isDigit(l.peek(0)); {
			l.at++
		}
		return token{tokParam, from, l.at}
	}
	to := from + 1
	if to < len(l.src) && isLetter(l.src[to]) {
		for to < len(l.src) && (isLetter(l.src[to]) || isDigit(l.src[to])) {
			to++
		}
	}
	if to >= len(l.src) || l.src[to] != '$' {
		l.at++
		return token{tokSign, from, l.at}
	}
	tag := l.src[from : to+1]
	for l.at = to + 1; l.at < len(l.src); l.at++ {
		if l.src[l.at] == '$' && len(l.src)-l.at >= len(tag) && string(l.src[l.at:l.at+len(tag)]) == string(tag) {
			l.at += len(tag)
			break
		}
	}
	return token{tokLiteral, from, l.at}
}

// number passes over a number of any form, and over letters that stand directly
// behind it: whatever PostgreSQL makes of them, they are part of what was
// typed as a value.
func (l *lexer) number() {
	for l.at < len(l.src) {
		c := l.src[l.at]
		switch {
		case (c == '+' || c == '-') && (l.src[l.at-1]|0x20) == 'e' && isDigit(l.peek(1)):
		case c == '.' && l.peek(1) == '.': // 1..10
			return
		case !isDigit(c) && !isLetter(c) && c != '.':
			return
		}
		l.at++
	}
}

// word takes an identifier, or the literal or quoted identifier that a letter
// before the quote begins: E”, B”, X”, N”, U&”, U&"".
func (l *lexer) word() token {
	from := l.at
	switch c, q := l.src[from]|0x20, l.peek(1); {
	case q == '\'' && (c == 'e' || c == 'b' || c == 'x' || c == 'n'):
		l.at += 2
		l.text(c == 'e' || c == 'n' && l.escapes)
		return token{tokLiteral, from, l.at}
	case c == 'u' && q == '&' && l.peek(2) == '\'':
		l.at += 3
		l.text(false)
		return token{tokLiteral, from, l.at}
	case c == 'u' && q == '&' && l.peek(2) == '"':
		l.at += 3
		l.quoted()
		return token{tokQuoted, from, l.at}
	}
	for l.at < len(l.src) && (isLetter(l.src[l.at]) || isDigit(l.src[l.at]) || l.src[l.at] == '$') {
		l.at++
	}
	return token{tokWord, from, l.at}
}

func isBlank(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}
