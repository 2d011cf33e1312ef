package lookup

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/ledger"
)

// The bounds of what is kept of one statement.
const (
	maxStatement = 4 << 10 // bytes of its text
	maxRelations = 64
	maxRelation  = 128 // bytes of a name
	maxWord      = 32  // bytes of a word of the door's
)

// Statement is one SQL statement that is about to be run under a grant.
type Statement struct {
	Grant       access.Grant
	Who         identity.Who // asked where there is no grant: of a refused one
	Text        string       // its literals removed; what is beyond 4 KiB isn't kept
	Fingerprint [8]byte      // of the whole text, literals removed
	Relations   []string     // the protected relations that it names: "schema.name"
}

// Ended is how a statement ended.
type Ended struct {
	Rows  int64  // that left the database
	Bytes int64  // of those rows
	How   string // the door's own word, such as "whole", "error", "cut"
	Code  string // PostgreSQL's code of the error, if one ended it
	// Failed says that the statement showed nothing at all.
	Failed bool
}

// Refused is a statement that the door refused to run.
type Refused struct {
	Statement
	Code   string // PostgreSQL's code that the client is given
	Reason string // the door's own fixed word, such as "no_task"
}

// parts are the two parts of the records of one grant's statements, as far as
// they are the same for each: the JSON behind the id, without its end.
type parts struct {
	prefix    string // of ids
	count     *atomic.Uint64
	conduct   []byte
	subject   []byte
	employee  string // the persons of the parts
	customer  string
	concludes []byte // an outcome's conduct and subject, the same way
	told      []byte
}

// parts makes the parts of a grant.
func (s *Service) parts(a asking, o *opened) (parts, error) {
	g := o.grant
	c, sub := a.conduct(), s.subject(a, g.Customer)
	c.Purpose, sub.Purpose = g.Purpose, g.Purpose
	c.Categories, sub.Categories = g.Categories, g.Categories
	c.Order, sub.Order, sub.Reach = g.Order, g.Order, g.Reach
	c.Grant, c.Until, c.Second = g.ID, g.Until, o.second
	c.ID, sub.ID = "", ""
	p := parts{prefix: newID() + "-", count: &atomic.Uint64{}, employee: personEmployee + string(g.Employee), customer: personCustomer + string(g.Customer)}
	var errs [4]error
	p.conduct, errs[0] = behindID(c)
	p.subject, errs[1] = behindID(sub)
	p.concludes, errs[2] = behindID(Conduct{Employee: g.Employee})
	p.told, errs[3] = behindID(Subject{Customer: g.Customer})
	return p, errors.Join(errs[:]...)
}

// emptyID begins the JSON of a part whose id is empty.
const emptyID = `{"id":""`

// behindID returns the JSON of a part behind its id, without the last brace.
func behindID(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode a part: %w", err)
	}
	if !strings.HasPrefix(string(text), emptyID) {
		return nil, errors.New("encode a part: it doesn't begin with its id")
	}
	return text[len(emptyID) : len(text)-1 : len(text)-1], nil
}

// nextID returns the id of the grant's next statement: random as a whole, and
// never the same twice.
func (p *parts) nextID() string { return p.prefix + strconv.FormatUint(p.count.Add(1), 36) }

// intent returns the entry of a statement's intent.
func (p *parts) intent(id string, s *Statement) ledger.Entry {
	e := ledger.Entry{Kind: ledger.KindIntent}
	plain := make([]byte, 0, len(p.conduct)+len(s.Text)+len(id)+160)
	plain = append(appendID(plain, id), p.conduct...)
	plain = appendStatement(plain, s.Text, s.Fingerprint, s.Relations)
	e.Employee = ledger.Part{Person: p.employee, Plain: append(plain, '}')}
	plain = append(appendID(make([]byte, 0, len(p.subject)+len(id)+16), id), p.subject...)
	e.Customer = ledger.Part{Person: p.customer, Plain: append(plain, '}')}
	return e
}

// outcome returns the entry of a statement's outcome, but for the intent's
// number.
func (p *parts) outcome(id string, o Ended) ledger.Entry {
	how := access.OutcomeShown
	if o.Failed {
		how = access.OutcomeFailed
	}
	e := ledger.Entry{Kind: ledger.KindOutcome, Outcome: string(how)}
	plain := append(appendID(make([]byte, 0, len(p.concludes)+len(id)+96), id), p.concludes...)
	plain = appendCounts(plain, o)
	if word := bounded(o.How, maxWord); word != "" {
		plain = appendText(append(plain, `,"ended":`...), word)
	}
	if code := bounded(o.Code, maxWord); code != "" {
		plain = appendText(append(plain, `,"sqlstate":`...), code)
	}
	e.Employee = ledger.Part{Person: p.employee, Plain: append(plain, '}')}
	plain = append(appendID(make([]byte, 0, len(p.told)+len(id)+64), id), p.told...)
	e.Customer = ledger.Part{Person: p.customer, Plain: append(appendCounts(plain, o), '}')}
	return e
}

// appendID begins a part with its id, which needs no escaping.
func appendID(b []byte, id string) []byte {
	b = append(b, emptyID[:len(emptyID)-1]...)
	return append(append(b, id...), '"')
}

// appendCounts appends how many rows and bytes left the database.
func appendCounts(b []byte, o Ended) []byte {
	if o.Rows > 0 {
		b = strconv.AppendInt(append(b, `,"rows":`...), o.Rows, 10)
	}
	if o.Bytes > 0 {
		b = strconv.AppendInt(append(b, `,"bytes":`...), o.Bytes, 10)
	}
	return b
}

// appendStatement appends what is kept of a statement.
func appendStatement(b []byte, text string, fingerprint [8]byte, relations []string) []byte {
	kept := bounded(text, maxStatement)
	b = appendText(append(b, `,"statement":`...), kept)
	b = append(hex.AppendEncode(append(b, `,"fingerprint":"`...), fingerprint[:]), '"')
	if len(kept) < len(text) || len(relations) > maxRelations {
		b = append(b, `,"cut":true`...)
	}
	for i, name := range relations[:min(len(relations), maxRelations)] {
		if i == 0 {
			b = append(b, `,"relations":[`...)
		} else {
			b = append(b, ',')
		}
		b = appendText(b, bounded(name, maxRelation))
		if i+1 == min(len(relations), maxRelations) {
			b = append(b, ']')
		}
	}
	return b
}

// appendText appends text as JSON. The usual text needs no escaping.
func appendText(b []byte, text string) []byte {
	for i := 0; i < len(text); i++ {
		if c := text[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			quoted, err := json.Marshal(text)
			if err != nil { // a string always has its JSON
				quoted = []byte(`""`)
			}
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), text...), '"')
}

// bounded returns the beginning of text, at most limit bytes of whole
// characters.
func bounded(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}

// equalGrants reports whether two grants are the same in every field.
func equalGrants(a, b access.Grant) bool { return reflect.DeepEqual(a, b) }
