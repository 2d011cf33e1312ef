package pgaudit

import (
	"bytes"
	"encoding/csv"
	"strings"
	"time"
)

// The places of fields in a line of csvlog, which has 26 of them since
// PostgreSQL 14 and 23 to 25 before.
const (
	csvTime = iota
	csvUser
	csvDatabase
	csvPID
	csvFrom
	csvSession
	csvLine
	csvMessage = 13
	csvProgram = 22
	csvFields  = 23
)

// csvTimes is how csvlog writes a time. The zone is an abbreviation.
const csvTimes = "2006-01-02 15:04:05.999 MST"

// maxEntry is how long an entry may be, in bytes.
const maxEntry = 16 << 20

// Log is a kind of log, read entry by entry.
type Log interface {
	// Next takes the next whole entry from the beginning of data and returns how
	// many bytes it took, 0 where data holds no whole one yet. last says that no
	// more will come; then a line that is torn in the middle is passed over, and
	// one without its end is left. ok is false where what it took is no entry of pgaudit.
	Next(data []byte, last bool) (e Entry, ok bool, n int)
}

// CSV reads csvlog.
type CSV struct {
	Zone *time.Location // of the server's log_timezone; nil: UTC
}

// Next takes the next line, which goes on as long as a quote is open.
func (l CSV) Next(data []byte, last bool) (Entry, bool, int) {
	n := wholeCSV(data)
	if n == 0 {
		if last || len(data) > maxEntry { // the server died in a line, and its quote stays open
			n = bytes.IndexByte(data, '\n') + 1
		}
		return Entry{}, false, n
	}
	line := data[:n]
	if !bytes.Contains(line, []byte(audit)) {
		return Entry{}, false, n
	}
	fields, err := csv.NewReader(bytes.NewReader(line)).Read()
	if err != nil || len(fields) < csvFields {
		return Entry{}, false, n
	}
	host, _, _ := cutLast(fields[csvFrom], ":")
	e := Entry{
		Reader: fields[csvUser], Database: fields[csvDatabase], Host: host, Session: fields[csvSession], Program: fields[csvProgram],
		ID: idOf("csv", fields[csvTime], fields[csvSession], fields[csvLine], fields[csvMessage]), At: parseTime(fields[csvTime], l.Zone),
	}
	return e, e.read(fields[csvMessage]), n
}

// wholeCSV returns how long the first line is, with its end, 0 where it has
// none yet. A doubled quote closes and opens.
func wholeCSV(data []byte) int {
	open := false
	for i, c := range data {
		switch {
		case c == '"':
			open = !open
		case c == '\n' && !open:
			return i + 1
		}
	}
	return 0
}

// parseTime reads a time of a log; the zero time where it can't. An abbreviated
// zone is only understood where it is the log's own, UTC or GMT.
func parseTime(text string, zone *time.Location) time.Time {
	if zone == nil {
		zone = time.UTC
	}
	for _, layout := range []string{csvTimes, "2006-01-02 15:04:05 MST", "2006-01-02 15:04:05.999-07", "2006-01-02 15:04:05-07"} {
		t, err := time.ParseInLocation(layout, text, zone)
		if err != nil {
			continue
		}
		// Of an abbreviation that the zone doesn't have Go makes one without an offset.
		if name, offset := t.Zone(); offset == 0 && name != "UTC" && name != "GMT" && name != "" && !has(zone, name, t) {
			return time.Time{}
		}
		return t.UTC()
	}
	return time.Time{}
}

// has reports whether the zone has this abbreviation, without an offset, at
// about that time.
func has(zone *time.Location, name string, t time.Time) bool {
	own, offset := t.In(zone).Zone()
	return own == name && offset == 0
}

// cutLast is strings.Cut at the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
