package pgaudit

import (
	"strings"
	"unicode/utf8"
)

// WithoutLiterals returns a statement with a ? in the place of each literal
// (strings of every form, numbers) and of each quoted identifier that isn't a
// plain name, without comments, and with single blanks. What never ends takes
// the rest of the text with it. To do it twice changes nothing.
func WithoutLiterals(sql string) string {
	var b strings.Builder
	s := scanner{sql: sql}
	for s.at < len(sql) {
		token, kind := s.next()
		if kind == blank {
			if b.Len() > 0 && !strings.HasSuffix(b.String()[max(0, b.Len()-1):], " ") {
				b.WriteByte(' ')
			}
			continue
		}
		if kind == literal {
			token = "?"
		}
		b.WriteString(token)
	}
	return strings.ToValidUTF8(strings.TrimSpace(b.String()), "\ufffd")
}

// names returns the names in a statement: words and quoted identifiers, those
// that a dot joins as one, with unquoted ones in lower case.
func names(sql string) []string {
	var all []string
	s := scanner{sql: sql}
	joined := false
	for s.at < len(sql) {
		token, kind := s.next()
		switch kind {
		case word, quoted:
			if kind == word {
				token = strings.ToLower(token)
			} else {
				token = strings.ReplaceAll(token[1:len(token)-1], `""`, `"`)
			}
			if joined && len(all) > 0 {
				all[len(all)-1] += "." + token
			} else {
				all = append(all, token)
			}
			joined = false
		case sign:
			joined = token == "."
		case blank:
		default:
			joined = false
		}
	}
	if s.lost > 0 { // what may be a name counts as one
		all = append(all, strings.FieldsFunc(strings.ToLower(sql[s.lost:]), func(r rune) bool {
			return r < utf8.RuneSelf && r != '.' && !isWord(byte(r))
		})...)
	}
	return all
}

// kind says what a token is.
type kind byte

const (
	sign    kind = iota // anything else, one byte at a time
	word                // identifier or keyword
	quoted              // "identifier" that is a plain name
	literal             // string or number, or a quoted identifier that may hold anything
	blank               // blanks and comments
)

// scanner takes a statement apart as PostgreSQL does (src/backend/parser/scan.l),
// as far as literals go.
type scanner struct {
	sql  string
	at   int
	lost int // where it is no longer known what is a literal; 0: it always was
}

// next returns the next token. s.at is inside the text.
func (s *scanner) next() (string, kind) {
	from, rest := s.at, s.sql[s.at:]
	c := rest[0]
	switch {
	case isSpace(c):
		for s.at < len(s.sql) && isSpace(s.sql[s.at]) {
			s.at++
		}
		return "", blank
	case strings.HasPrefix(rest, "--"):
		s.skip(strings.IndexAny(rest, "\r\n"))
		return "", blank
	case strings.HasPrefix(rest, "/*"):
		s.comment()
		return "", blank
	case c == '\'':
		s.text('\'', false)
		return "", literal
	case c == '"':
		s.text('"', false)
		return s.identifier(s.sql[from:s.at])
	case c == '$':
		return s.dollar()
	case isDigit(c) || c == '.' && len(rest) > 1 && isDigit(rest[1]):
		for s.at < len(s.sql) && (isWord(s.sql[s.at]) || s.sql[s.at] == '.' ||
			(s.sql[s.at] == '+' || s.sql[s.at] == '-') && (s.sql[s.at-1]|0x20) == 'e' && !strings.HasPrefix(strings.ToLower(rest), "0x")) {
			s.at++
		}
		return "", literal
	case isWord(c):
		for s.at < len(s.sql) && (isWord(s.sql[s.at]) || s.sql[s.at] == '$') {
			s.at++
		}
		if name := s.sql[from:s.at]; s.at < len(s.sql) && s.sql[s.at] == '\'' && len(name) == 1 && strings.ContainsAny(name, "eEbBxXnN") {
			s.text('\'', name == "e" || name == "E")
			return "", literal
		}
		if s.at+1 < len(s.sql) && s.sql[s.at] == '&' && (s.sql[s.at+1] == '\'' || s.sql[s.at+1] == '"') && strings.EqualFold(s.sql[from:s.at], "u") {
			s.at++
			s.text(s.sql[s.at], false)
			return "", literal // U&"…" too: its name is written in code points
		}
		return s.sql[from:s.at], word
	}
	s.at++
	return rest[:1], sign
}

// skip goes on by n bytes, to the end where n is negative.
func (s *scanner) skip(n int) {
	if n < 0 {
		n = len(s.sql) - s.at
	}
	s.at += n
}

// text goes behind a text that begins here, in these quotes. Whether a backslash
// escapes the quote behind it in a plain string is a setting that the log
// doesn't tell, and what is a literal behind it isn't known then; so everything
// behind it counts as one.
func (s *scanner) text(quote byte, escapes bool) {
	for s.at++; s.at < len(s.sql); s.at++ {
		switch c := s.sql[s.at]; {
		case c == '\\' && escapes:
			s.at++
		case c == '\\' && quote == '\'' && s.at+1 < len(s.sql) && s.sql[s.at+1] == quote:
			s.lost, s.at = s.at, len(s.sql)
		case c == quote:
			if s.at+1 < len(s.sql) && s.sql[s.at+1] == quote {
				s.at++
				continue
			}
			s.at++
			return
		}
	}
	s.at = len(s.sql)
}

// identifier says what a quoted identifier is: kept where it is a plain name.
func (s *scanner) identifier(token string) (string, kind) {
	if len(token) < 3 || len(token) > 65 || token[len(token)-1] != '"' || isDigit(token[1]) {
		return "", literal
	}
	for i := 1; i < len(token)-1; i++ {
		if !isWord(token[i]) || token[i] >= utf8.RuneSelf {
			return "", literal
		}
	}
	return token, quoted
}

// dollar goes behind $1, $$…$$ or $tag$…$tag$.
func (s *scanner) dollar() (string, kind) {
	rest := s.sql[s.at:]
	n := 1
	for n < len(rest) && isWord(rest[n]) {
		n++
	}
	if n < len(rest) && rest[n] == '$' && (n == 1 || !isDigit(rest[1])) {
		tag := rest[:n+1]
		end := strings.Index(rest[n+1:], tag)
		if end < 0 {
			s.at = len(s.sql)
		} else {
			s.at += n + 1 + end + len(tag)
		}
		return "", literal
	}
	if n > 1 && isDigit(rest[1]) { // a parameter
		n = 1
		for n < len(rest) && isDigit(rest[n]) {
			n++
		}
		s.at += n
		return rest[:n], sign
	}
	s.at++
	return "$", sign
}

// comment goes behind a comment, which may hold others.
func (s *scanner) comment() {
	depth := 0
	for s.at < len(s.sql) {
		switch rest := s.sql[s.at:]; {
		case strings.HasPrefix(rest, "/*"):
			depth++
			s.at += 2
		case strings.HasPrefix(rest, "*/"):
			depth--
			s.at += 2
			if depth == 0 {
				return
			}
		default:
			s.at++
		}
	}
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
}
func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWord(c byte) bool {
	return c == '_' || isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= utf8.RuneSelf
}
