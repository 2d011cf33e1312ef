package pgaudit

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Entry is one line of pgaudit: one statement, or one relation of it.
type Entry struct {
	// ID is a hash of the whole line, in hex: the same line has the same,
	// wherever it is read.
	ID       string
	At       time.Time
	Reader   string // the role that logged in
	Database string
	Program  string // application_name: what the client says of itself
	Host     string // from where
	Session  string // PostgreSQL's session id, or the pid

	Object    bool     // object audit; session audit otherwise
	Class     string   // READ, WRITE, FUNCTION, ROLE, DDL, MISC
	Command   string   // SELECT, INSERT, COPY, …
	Relations []string // schema.name where the line names the relation, otherwise the names that stand in the statement
	Named     bool     // the line itself names the relation
	Statement string   // without literals; "" where it wasn't logged
}

// audit is what every message of pgaudit begins with.
const audit = "AUDIT: "

// read fills an entry from a message of the log; false where it isn't pgaudit's.
// The fields are: type, statement id, substatement id, class, command, object
// type, object name, statement, parameters, and maybe rows.
func (e *Entry) read(message string) bool {
	text, ours := strings.CutPrefix(message, audit)
	if !ours {
		return false
	}
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord, r.LazyQuotes = -1, true
	fields, err := r.Read()
	if err != nil || len(fields) < 8 || fields[0] != "SESSION" && fields[0] != "OBJECT" {
		return false
	}
	e.Object, e.Class, e.Command = fields[0] == "OBJECT", fields[3], fields[4]
	statement := fields[7]
	if statement == "<previously logged>" || statement == "<not logged>" || statement == "<none>" {
		statement = ""
	}
	e.Statement = WithoutLiterals(statement)
	if name := fields[6]; name != "" && isRelation(fields[5]) {
		e.Relations, e.Named = []string{name}, true
		return true
	}
	e.Relations = names(statement)
	slices.Sort(e.Relations)
	e.Relations = slices.Compact(e.Relations)
	return true
}

// isRelation reports whether an object of that type holds rows.
func isRelation(kind string) bool {
	switch kind {
	case "TABLE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE", "PARTITIONED TABLE":
		return true
	}
	return false
}

// Reads reports whether rows may have left a relation: the class is READ or
// WRITE (which may return rows).
func (e *Entry) Reads() bool { return e.Class == "READ" || e.Class == "WRITE" }

// Touches returns those of the relations, named schema.name, that the entry
// names. Where the line itself doesn't name one, a name without its schema
// counts for every schema, and a relation may count that isn't meant: better one
// too many than one too few.
func (e *Entry) Touches(relations []string) []string {
	var out []string
	for _, r := range relations {
		_, bare, _ := strings.Cut(r, ".")
		if slices.Contains(e.Relations, r) || !e.Named && (slices.Contains(e.Relations, bare) || slices.ContainsFunc(e.Relations, func(n string) bool {
			return strings.HasPrefix(n, r+".") || strings.HasPrefix(n, bare+".") || strings.HasSuffix(n, "."+r) // a column of it, a database before it
		})) {
			out = append(out, r)
		}
	}
	return out
}

// idOf hashes what identifies a line.
func idOf(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		_, _ = io.WriteString(h, strconv.Itoa(len(p))+":"+p) // writing to a hash never fails
	}
	return hex.EncodeToString(h.Sum(nil))
}
