package pgaudit

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Syslog puts the messages together that PostgreSQL cut up for syslog, and
// reads them. It isn't safe for concurrent use.
type Syslog struct {
	prefix *Prefix
	open   map[string]*pieces // by host and process
}

// pieces are those of one message, in order.
type pieces struct {
	number string // of the message
	next   int    // the piece that is missing
	text   strings.Builder
	at     time.Time // when the last one came
}

// The bounds of what is put together.
const (
	syslogOpen = 4096            // processes at once
	syslogWait = 2 * time.Second // for the next piece
)

// NewSyslog returns a Syslog for a server with this log_line_prefix.
func NewSyslog(prefix *Prefix) *Syslog {
	return &Syslog{prefix: prefix, open: map[string]*pieces{}}
}

// datagram is one piece: RFC 3164 as syslogd writes it, or RFC 5424, with the
// number that syslog_sequence_numbers puts before it. Behind the numbers stands
// what PostgreSQL wrote.
var datagram = regexp.MustCompile(`(?s)^(?:<\d+>)?(?:1 \S+ (\S+) \S+ (\d+|-) \S+ (?:-|\[.*?\]) (?:\x{FEFF})?|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d (?:(\S+) )?[^\[\]: ]+\[(\d+)\]: )\[(\d+)-(\d+)\] (.*?)[\r\n\x00]*$`)

// Take takes one datagram or line, received then, and returns the messages of
// pgaudit that are whole now.
func (s *Syslog) Take(data []byte, now time.Time) []Entry {
	m := datagram.FindStringSubmatch(string(data))
	if m == nil {
		return nil
	}
	key := m[1] + m[3] + "\x00" + strings.TrimPrefix(m[2], "-") + m[4]
	number, text := m[5], strings.ReplaceAll(m[7], "#011", "\t") // as rsyslog writes a tab
	piece, err := strconv.Atoi(m[6])
	if err != nil {
		return nil
	}
	var done []Entry
	p := s.open[key]
	if p != nil && (p.number != number || p.next != piece) { // it has ended, or a piece was lost
		done = s.finish(done, key)
		p = nil
	}
	switch {
	case p == nil && piece != 1, p == nil && len(s.open) >= syslogOpen:
		return done
	case p == nil:
		p = &pieces{number: number, next: 1}
		s.open[key] = p
	case strings.HasPrefix(text, "\t"): // a line of its own
		p.text.WriteByte('\n')
	}
	if p.text.Len()+len(text) > maxEntry {
		return s.finish(done, key)
	}
	p.text.WriteString(text)
	p.next++
	p.at = now
	return done
}

// Ripe returns the messages to which no piece has come for a while, all of them
// where last is set.
func (s *Syslog) Ripe(now time.Time, last bool) []Entry {
	var done []Entry
	for key, p := range s.open {
		if last || now.Sub(p.at) >= syslogWait {
			done = s.finish(done, key)
		}
	}
	return done
}

// finish reads what was put together of one message.
func (s *Syslog) finish(done []Entry, key string) []Entry {
	p := s.open[key]
	delete(s.open, key)
	e, ok := s.prefix.entry(p.text.String())
	if !ok {
		return done
	}
	host, pid, _ := strings.Cut(key, "\x00")
	e.ID = idOf("syslog", host, pid, p.number, p.text.String())
	return append(done, e)
}
