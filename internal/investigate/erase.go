package investigate

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"paravent/internal/access"
	"paravent/internal/detect"
)

// Erasure says who is forgotten. Whoever is met again afterwards has a new key,
// and what is recorded of her from then on stays.
type Erasure struct {
	Person detect.Person
	At     time.Time
	Before uint64 // number of the first record that stays
}

// Erasing is what is to go from the store with one person.
type Erasing struct {
	Erasure
	Words   []string  // what names the person: the id, and logins
	Gone    []int64   // facts that are deleted, by Seq
	Changed []Fact    // facts that stay, without the person
	Rows    []Indexed // rows of the index, as they are to be
}

// Erase takes a person out of a row of the index (G5) and reports whether it
// spoke of her. Of an erased customer's look-up the employee's conduct stays:
// who, when, for which purpose, how it ended; of an erased employee's what was
// looked at stays. Words are what names the person in free text.
func (row *Indexed) Erase(p detect.Person, at time.Time, words []string) bool {
	found := false
	if p.Customer != "" && row.Lookup.Customer == p.Customer {
		row.eraseCustomer(at)
		found = true
	}
	if p.Employee != "" && row.Lookup.Employee == p.Employee {
		row.eraseEmployee(at)
		found = true
	}
	if p.Employee != "" && row.Employee == string(p.Employee) {
		row.Employee, found = "", true
	}
	for _, word := range words {
		if names(row.About, word) {
			row.About, found = "", true
		}
	}
	return found
}

// eraseCustomer leaves the conduct.
func (row *Indexed) eraseCustomer(at time.Time) {
	l := &row.Lookup
	l.Customer, l.Task, l.Record, l.Categories, l.Reason = "", "", "", nil, ""
	row.Reasons, row.CustomerErased = nil, at
}

// eraseEmployee leaves what was looked at.
func (row *Indexed) eraseEmployee(at time.Time) {
	l := &row.Lookup
	l.Employee, l.Session, l.Device, l.Site, l.Reason = "", "", "", "", ""
	row.Statement, row.Reader = "", ""
	row.About, row.EmployeeErased = "", at // the pseudonym stays: it is the customer's answer
}

// names reports whether text holds word, and not as a part of a longer one.
func names(text, word string) bool {
	for from := 0; word != "" && from <= len(text); {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return false
		}
		before, _ := utf8.DecodeLastRuneInString(text[:from+i])
		after, _ := utf8.DecodeRuneInString(text[from+i+len(word):])
		if !wordRune(before) && !wordRune(after) {
			return true
		}
		from += i + 1
	}
	return false
}

func wordRune(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_')
}

// EraseFact takes a person out of a fact (G5). It reports whether the fact stays
// at all, and whether it changed; it may change ev. Tasks are the customer's:
// what is said of them goes with her.
func EraseFact(ev access.Event, p detect.Person, tasks map[access.TaskID]bool) (stays, changed bool) {
	if c := p.Customer; c != "" {
		switch ev := ev.(type) {
		case *access.TaskOpened:
			return ev.Customer != c && !tasks[ev.ID], false
		case *access.TaskClosed:
			return !tasks[ev.Task], false
		case *access.Assigned:
			return !tasks[ev.Task], false
		case *access.Unassigned:
			return !tasks[ev.Task], false
		case *access.Worked:
			return !tasks[ev.Task], false
		case *access.Contacted:
			return ev.Customer != c, false
		case *access.Ordered:
			return ev.Customer != c, false
		case *access.InNews:
			return ev.Customer != c, false
		case *access.CustomerKnown:
			return ev.ID != c, false
		case *access.Related:
			return ev.Customer != c, false
		}
		return true, false
	}
	return eraseEmployeeFact(ev, p.Employee)
}

// eraseEmployeeFact is EraseFact for an employee: what the company did stays,
// without his name.
func eraseEmployeeFact(ev access.Event, e access.EmployeeID) (stays, changed bool) {
	clean := func(by *string) {
		if *by == string(e) {
			*by, changed = "", true
		}
	}
	cleanID := func(id *access.EmployeeID) {
		if *id == e {
			*id, changed = "", true
		}
	}
	switch ev := ev.(type) {
	case *access.TaskOpened:
		clean(&ev.OpenedBy)
		cleanID(&ev.ConfirmedBy)
	case *access.TaskClosed:
		clean(&ev.By)
	case *access.Assigned:
		clean(&ev.By)
		return ev.Employee != e, changed
	case *access.Unassigned:
		return ev.Employee != e, false
	case *access.Worked:
		return ev.Employee != e, false
	case *access.Contacted:
		cleanID(&ev.Employee)
	case *access.EmployeeKnown:
		cleanID(&ev.Manager)
		return ev.ID != e, changed
	case *access.CustomerKnown:
		cleanID(&ev.Employee)
	case *access.Related:
		return ev.Employee != e, false
	}
	return true, changed
}
