package pggate

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxText is how much of a normalised text is recorded, in bytes.
const maxText = 4 << 10

// special says that a statement is the gateway's own.
type special byte

const (
	ordinary    special = iota
	setTask             // SET paravent.task = 'T-123'
	resetTask           // RESET paravent.task
	setBehalf           // SET paravent.on_behalf_of = '…'
	resetBehalf         // RESET paravent.on_behalf_of
	resetAll            // RESET ALL, DISCARD ALL: the task goes, too
)

// stmt is one statement of a text, taken apart for the record.
type stmt struct {
	text      string // literals and comments left out, at most maxText bytes
	print     [8]byte
	from      int      // where it begins in the client's text
	relations []string // protected ones that it names, sorted
	reads     bool     // it names one of them where a table is read
	writes    bool     // it may change something: it is sent only once it is recorded
	special   special
	value     string   // of a special one; it may be a credential
	refusal   *failure // the gateway doesn't pass it on
	settings  bool     // it may change settings of the session
	copyIn    bool     // COPY … FROM STDIN
	prepares  string   // name that PREPARE or DECLARE gives to a text
	forgets   string   // name that DEALLOCATE takes away; "*" all
	quote     int      // where "grant" of SHOW paravent.grant stands in the client's text; 0: nowhere
}

// protected knows the protected relations by name.
type protected map[string][]Relation

func newProtected(all []Relation) protected {
	p := protected{}
	for _, r := range all {
		p[r.Name] = append(p[r.Name], r)
	}
	return p
}

// find returns the protected relation that a name means; schema is "" where
// none was given.
func (p protected) find(schema, name []byte) (Relation, bool) {
	for _, r := range p[string(name)] {
		if len(schema) == 0 || string(schema) == r.Schema {
			return r, true
		}
	}
	return Relation{}, false
}

// rules say what a session may do beyond reading.
type rules struct {
	copyIn bool // COPY … FROM STDIN
}

// analyse takes a text apart into its statements. escapes says that
// standard_conforming_strings is off.
func analyse(sql []byte, escapes bool, p protected, r rules) []stmt {
	a := analyser{lex: lexer{src: sql, escapes: escapes}, protected: p, rules: r, out: make([]byte, 0, len(sql)+16)}
	var all []stmt
	for {
		s, some, more := a.statement()
		if some {
			all = append(all, s)
		}
		if !more {
			return all
		}
	}
}

// analyser holds what is known of the statement that is being taken apart.
type analyser struct {
	lex       lexer
	protected protected
	rules     rules
	out       []byte // the normalised text
	head      [8]part
	heads     int
	prev      part // the token before
	before    part // the one before prev
	relations []string
	depth     int
	from      uint64 // bit for each depth: a list of tables is open
	want      bool   // the next name is a table that is read
	reads     bool
	writes    bool
	config    bool // set_config is called
	own       bool // a string that begins with "paravent."
	copies    copying
}

// part is a token and where it stands in the normalised text.
type part struct {
	token
	a, b int
}

// copying is what COPY copies.
type copying struct {
	to     byte // 'f' from, 't' to; 0 not known yet
	target part // what follows
}

// statement takes apart the next statement; some reports whether there was one,
// more whether another may follow.
func (a *analyser) statement() (s stmt, some, more bool) {
	*a = analyser{lex: a.lex, protected: a.protected, rules: a.rules, out: a.out[:0]}
	for {
		t := a.lex.next()
		if t.kind == tokEnd || t.kind == tokSign && a.lex.src[t.from] == ';' && a.depth == 0 {
			if a.heads == 0 {
				return stmt{}, false, t.kind != tokEnd
			}
			return a.judge(), true, t.kind != tokEnd
		}
		a.take(t)
	}
}

// take adds a token to the normalised text and looks at it.
func (a *analyser) take(t token) {
	p := part{token: t}
	if t.kind == tokLiteral && len(a.out) >= 2 && a.out[len(a.out)-1] == ',' && a.out[len(a.out)-2] == '?' {
		a.out = a.out[:len(a.out)-1] // a list of values is one value
		return
	}
	if len(a.out) > 0 && a.spaced(t) {
		a.out = append(a.out, ' ')
	}
	p.a = len(a.out)
	switch src := a.lex.src[t.from:t.to]; t.kind {
	case tokLiteral:
		a.out = append(a.out, '?')
		a.own = a.own || bytes.HasPrefix(bytes.ToLower(src[:min(len(src), 12)]), []byte("'paravent."))
	case tokWord:
		for _, c := range src {
			if c >= 'A' && c <= 'Z' {
				c |= 0x20
			}
			a.out = append(a.out, c)
		}
	default:
		a.out = append(a.out, src...)
	}
	p.b = len(a.out)
	if a.heads < len(a.head) {
		a.head[a.heads] = p
		a.heads++
	}
	if a.copies.to != 0 && a.copies.target.kind == tokEnd {
		a.copies.target = p
	}
	switch t.kind {
	case tokSign:
		a.sign(a.lex.src[t.from])
	case tokWord, tokQuoted:
		a.name(p)
	}
	a.before, a.prev = a.prev, p
}

// spaced reports whether a blank belongs before this token.
func (a *analyser) spaced(t token) bool {
	last := a.out[len(a.out)-1]
	if last == '(' || last == '.' && a.prev.kind == tokSign {
		return false
	}
	if t.kind != tokSign {
		return true
	}
	switch c := a.lex.src[t.from]; {
	case c == ',' || c == ')' || c == '.':
		return false
	case a.prev.kind == tokSign && a.prev.to == t.from && c != '(' && last != ',' && last != ')':
		return false // >=, ||, ::
	}
	return true
}

func (a *analyser) sign(c byte) {
	switch c {
	case '(':
		a.depth++
		a.setFrom(false)
	case ')':
		a.depth = max(a.depth-1, 0)
		a.want = false
	case ',':
		a.want = a.from&a.bit() != 0
	}
}

func (a *analyser) bit() uint64 { return 1 << min(a.depth, 63) }

func (a *analyser) setFrom(open bool) {
	if open {
		a.from |= a.bit()
	} else {
		a.from &^= a.bit()
	}
}

// word returns a part's normalised text.
func (a *analyser) word(p part) string { return string(a.out[p.a:p.b]) }

// is reports whether a part is this unquoted word.
func (a *analyser) is(p part, word string) bool {
	return p.kind == tokWord && string(a.out[p.a:p.b]) == word
}

// name looks at a word or a quoted identifier.
func (a *analyser) name(p part) {
	text := a.out[p.a:p.b]
	dotted := a.prev.kind == tokSign && a.lex.src[a.prev.from] == '.'
	if p.kind == tokWord && !dotted && a.keyword(text) {
		return
	}
	var schema []byte
	if dotted {
		schema = plain(a.out[a.before.a:a.before.b])
	}
	if r, ok := a.protected.find(schema, plain(text)); ok {
		if full := r.Schema + "." + r.Name; !slices.Contains(a.relations, full) {
			a.relations = append(a.relations, full)
		}
		a.reads = a.reads || a.want
	}
	if c := a.lex.peek(0); c != '.' { // behind "schema." the table is still to come
		if a.want {
			a.setFrom(true)
		}
		a.want = false
	}
}

// plain returns an identifier without its quotes.
func plain(text []byte) []byte {
	if len(text) < 2 || text[0] != '"' {
		return text
	}
	text = text[1 : len(text)-1]
	if bytes.Contains(text, []byte(`""`)) {
		return bytes.ReplaceAll(text, []byte(`""`), []byte(`"`))
	}
	return text
}

// keyword takes note of a word that says where tables stand, or that something
// may be changed, and reports whether it is one of those.
func (a *analyser) keyword(word []byte) bool {
	switch string(word) {
	case "from", "join", "using", "only", "table", "copy":
		if a.depth == 0 && a.is(a.head[0], "copy") && string(word) == "from" && a.copies.to == 0 {
			a.copies.to = 'f'
		}
		a.want = true
	case "to":
		if a.depth == 0 && a.is(a.head[0], "copy") && a.copies.to == 0 {
			a.copies.to = 't'
		}
		return false
	case "insert", "update", "delete", "merge", "truncate", "into", "nextval", "setval":
		a.writes, a.want = true, true
	case "where", "group", "order", "having", "limit", "union", "on", "set", "select", "values", "window", "returning", "offset", "fetch", "for", "lateral", "left", "right", "inner", "full", "cross", "natural":
		a.want = false
		if s := string(word); s != "on" && s != "left" && s != "right" && s != "inner" && s != "full" && s != "cross" && s != "natural" && s != "lateral" {
			a.setFrom(false)
		}
	case "set_config":
		a.config = true
		return false
	default:
		return false
	}
	return true
}

// judge makes a stmt of what was seen.
func (a *analyser) judge() stmt {
	sum := sha256.Sum256(a.out)
	s := stmt{text: cutText(a.out), from: a.head[0].from, reads: a.reads, settings: a.config}
	copy(s.print[:], sum[:])
	slices.Sort(a.relations)
	s.relations = a.relations
	if a.config && a.own {
		s.refusal = &failure{code: stateDenied, reason: "setting", message: "set_config can't change a setting of Paravent",
			hint: "Use SET paravent.task = '…'."}
	}
	a.verb(&s)
	return s
}

// cutText returns the text as far as it is recorded, as valid UTF-8.
func cutText(text []byte) string {
	if len(text) > maxText {
		text = text[:maxText]
		for len(text) > 0 && !utf8.RuneStart(text[len(text)-1]) {
			text = text[:len(text)-1]
		}
		if n := len(text); n > 0 && text[n-1] >= utf8.RuneSelf {
			text = text[:n-1]
		}
	}
	return strings.ToValidUTF8(string(text), "�")
}

// quoteGrants puts quotes around the word of SHOW paravent.grant, which
// PostgreSQL's grammar takes for GRANT.
func quoteGrants(sql []byte, all []stmt) []byte {
	for i := len(all) - 1; i >= 0; i-- {
		if at := all[i].quote; at > 0 {
			quoted := append([]byte(nil), sql[:at]...)
			quoted = append(append(append(quoted, '"'), "grant"...), '"')
			sql = append(quoted, sql[at+len("grant"):]...)
		}
	}
	return sql
}
