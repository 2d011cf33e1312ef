package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"paravent/internal/access"
)

// words turns a short name into words for a page: order_items is Order items.
func words(name string) string {
	name = strings.TrimSpace(strings.ReplaceAll(name, "_", " "))
	if name == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(name)
	return string(unicode.ToUpper(first)) + name[size:]
}

// count writes a number with thin groups of three digits.
func count[N int | uint64](n N) string {
	s := strconv.FormatInt(int64(n), 10)
	for at := len(s) - 3; at > 0 && s[at-1] != '-'; at -= 3 {
		s = s[:at] + "\u202f" + s[at:]
	}
	return s
}

// countAny is count for templates, which know no type parameters.
func countAny(n any) (string, error) {
	switch n := n.(type) {
	case int:
		return count(n), nil
	case uint64:
		return count(n), nil
	}
	return "", fmt.Errorf("count a %T", n)
}

// printable reports whether text is valid UTF-8 that prints, of at most limit
// bytes.
func printable(text string, limit int) bool {
	return len(text) <= limit && utf8.ValidString(text) && strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// plural writes a number with its noun.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}

// moment is a time as a page shows it: short to read, exact in its title.
type moment struct {
	Text    string // such as "14:05", "yesterday, 14:05", "3 Nov, 14:05"
	Exact   string // such as "2026-11-03 14:05:09.123 UTC"
	Machine string // RFC 3339
}

// moment puts a time into words, as seen now. The zero time has none.
func (v *visit) moment(t time.Time) moment {
	if t.IsZero() {
		return moment{}
	}
	local, now := t.In(v.c.Zone), v.now.In(v.c.Zone)
	m := moment{Exact: local.Format("2006-01-02 15:04:05.000 MST"), Machine: t.UTC().Format(time.RFC3339Nano)}
	day := func(t time.Time) string { return t.Format(time.DateOnly) }
	switch {
	case day(local) == day(now):
		m.Text = local.Format("15:04")
	case day(local) == day(now.AddDate(0, 0, -1)):
		m.Text = "yesterday, " + local.Format("15:04")
	case local.Year() == now.Year():
		m.Text = local.Format("2 Jan, 15:04")
	default:
		m.Text = local.Format("2 Jan 2006, 15:04")
	}
	return m
}

// ago puts a span into the words "just now", "5 min", "3 h", "2 days".
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0f h", d.Hours())
	}
	return fmt.Sprintf("%.0f days", d.Hours()/24)
}

// lowerFirst writes a title as it stands in the middle of a sentence.
func lowerFirst(title string) string {
	first, size := utf8.DecodeRuneInString(title)
	return string(unicode.ToLower(first)) + title[size:]
}

// outcomeTitle is an outcome in the words of the pages.
func outcomeTitle(o access.Outcome) string {
	switch o {
	case access.OutcomeShown:
		return "Shown"
	case access.OutcomeRefused:
		return "Refused"
	case access.OutcomeMissed:
		return "Nobody found"
	case access.OutcomeBreakGlass:
		return "Opened in an emergency"
	case access.OutcomeFailed:
		return "Nothing could be read"
	case access.OutcomeOffPath:
		return "Read past Paravent"
	case access.OutcomeUnknown:
		return "Not known; count as shown"
	}
	return words(string(o))
}
