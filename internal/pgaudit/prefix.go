package pgaudit

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Prefix is a log_line_prefix, understood.
type Prefix struct {
	pattern *regexp.Regexp
	fields  []byte // the escape of each group
	zone    *time.Location
}

// escapes are the escapes of a log_line_prefix and what stands in their places
// (PostgreSQL's documentation, "Error Reporting and Logging").
var escapes = map[byte]string{
	'u': `(.*?)`, 'd': `(.*?)`, 'r': `([^ ]*?)`, 'h': `([^ ]*?)`, 'L': `([^ ]*?)`, 'b': `(.*?)`, 'p': `(\d*?)`, 'P': `(\d*?)`,
	't': `(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [A-Za-z0-9+-]+)`, 'm': `(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [A-Za-z0-9+-]+)`,
	'n': `(\d+\.\d{3})`, 'i': `(.*?)`, 'e': `([0-9A-Z]{5})`, 'c': `([0-9a-f]+\.[0-9a-f]+|)`, 'l': `(\d*?)`,
	's': `(.*?)`, 'v': `([0-9/]*?)`, 'x': `(\d*?)`, 'Q': `(-?\d*?)`,
}

// ParsePrefix understands a log_line_prefix. It must hold the role (%u), a time
// (%m, %t or %n), and what tells sessions apart (%c or %p), and neither the
// program's name (%a) nor the command (%i): a client chooses the first, and could
// write another role's name and an innocent message into it.
func ParsePrefix(prefix string, zone *time.Location) (*Prefix, error) {
	p := &Prefix{zone: zone}
	if zone == nil {
		p.zone = time.UTC
	}
	var re strings.Builder
	re.WriteString(`(?s)^`)
	optional := false
	for i := 0; i < len(prefix); i++ {
		if prefix[i] != '%' {
			re.WriteString(regexp.QuoteMeta(prefix[i : i+1]))
			continue
		}
		for i++; i < len(prefix) && (prefix[i] == '-' || isDigit(prefix[i])); i++ { // padding
			return nil, errors.New("a log_line_prefix with padding isn't understood")
		}
		if i == len(prefix) {
			return nil, errors.New("the log_line_prefix ends in a %")
		}
		switch c := prefix[i]; {
		case c == '%':
			re.WriteByte('%')
		case c == 'q':
			re.WriteString(`(?:`)
			optional = true
		case c == 'a' || c == 'i':
			return nil, fmt.Errorf("%%%c is chosen by whoever speaks to the database and could hide a line; leave it out of log_line_prefix, or use csvlog", c)
		case escapes[c] == "":
			return nil, fmt.Errorf("%%%c in log_line_prefix isn't known", c)
		default:
			re.WriteString(escapes[c])
			p.fields = append(p.fields, c)
		}
	}
	if optional {
		re.WriteString(`)?`)
	}
	re.WriteString(`(LOG|WARNING|NOTICE|INFO|ERROR|FATAL|PANIC|DEBUG[1-5]?|DETAIL|HINT|STATEMENT|CONTEXT|QUERY|LOCATION):  (.*)$`)
	has := func(any string) bool { return bytes.ContainsAny(p.fields, any) }
	if !has("u") || !has("mtn") || !has("cp") {
		return nil, errors.New("log_line_prefix needs the role (%u), a time (%m) and the session (%c or %p); csvlog has all of them")
	}
	var err error
	p.pattern, err = regexp.Compile(re.String())
	return p, err
}

// Next takes the next entry of stderr: a line, and those behind it that begin
// with a tab. Until the next line has begun nobody knows whether it goes on.
func (p *Prefix) Next(data []byte, last bool) (Entry, bool, int) {
	n := 0
	for {
		end := bytes.IndexByte(data[n:], '\n')
		if end < 0 {
			return Entry{}, false, 0
		}
		n += end + 1
		if n == len(data) && !last && n < maxEntry {
			return Entry{}, false, 0
		}
		if n == len(data) || data[n] != '\t' {
			break
		}
	}
	line := strings.TrimSuffix(string(data[:n]), "\n")
	e, ok := p.entry(line)
	return e, ok, n
}

// entry reads a whole entry.
func (p *Prefix) entry(line string) (e Entry, ok bool) {
	if !strings.Contains(line, audit) {
		return e, false
	}
	m := p.pattern.FindStringSubmatch(line)
	if m == nil || m[len(m)-2] != "LOG" {
		return e, false
	}
	for i, c := range p.fields {
		switch v := m[i+1]; c {
		case 'u':
			e.Reader = v
		case 'd':
			e.Database = v
		case 'h':
			e.Host = v
		case 'r':
			e.Host, _, _ = strings.Cut(v, "(")
		case 'm', 't':
			e.At = parseTime(v, p.zone)
		case 'n':
			if seconds, err := strconv.ParseFloat(v, 64); err == nil {
				e.At = time.UnixMilli(int64(seconds * 1000)).UTC()
			}
		case 'c':
			e.Session = v
		case 'p':
			if e.Session == "" {
				e.Session = v
			}
		}
	}
	e.ID = idOf("line", line)
	return e, e.read(strings.ReplaceAll(m[len(m)-1], "\n\t", "\n"))
}
