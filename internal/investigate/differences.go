package investigate

import (
	"slices"
	"time"

	"paravent/internal/access"
	"paravent/internal/lookup"
)

// erasureLag is how long after its leaf an erasure may still be on its way
// through the store.
const erasureLag = 5 * time.Minute

// differences names the kinds of fields in which a stored row isn't what the
// journal makes of it; no values. An erased person's row compares as erased.
func (x *comparer) differences(stored, want Indexed) (wrong []string) {
	stored.Lookup.Categories, stored.Reasons = slices.Clone(stored.Lookup.Categories), slices.Clone(stored.Reasons)
	customerGone, employeeGone := !want.CustomerErased.IsZero(), !want.EmployeeErased.IsZero()
	// A person may be erased of whom a record has no sealed part. Not the one
	// whose key was there before the record, and still is.
	unknown := false // whether she, who had no key, was erased: such an erasure leaves no leaf
	if !stored.CustomerErased.IsZero() && !customerGone {
		if want.Lookup.Customer == "" && !employeeGone || x.known[lookup.PersonOfCustomer(want.Lookup.Customer)] {
			return []string{"it says that somebody was erased"}
		}
		want.eraseCustomer(stored.CustomerErased)
		unknown = true
	}
	if !stored.EmployeeErased.IsZero() && !employeeGone {
		if want.Lookup.Employee == "" || x.known[lookup.PersonOfEmployee(want.Lookup.Employee)] {
			return []string{"it says that somebody was erased"}
		}
		want.eraseEmployee(stored.EmployeeErased)
	}
	whomGone := want.Employee != "" && !x.known[lookup.PersonOfEmployee(access.EmployeeID(want.Employee))]
	if stored.Employee == "" && whomGone {
		want.Employee = ""
	}
	if stored.About == "" && want.About != "" && want.Act != "" && (whomGone || unknown || x.lastForget > want.Number) {
		want.About = ""
		x.blank++
	}
	if customerGone || employeeGone {
		want.fillFrom(stored, employeeGone)
	}
	return want.unlike(stored)
}

// unerased returns the time of the leaf that destroyed the key of somebody whom
// the stored row still names; zero where there is none.
func unerased(stored, want Indexed) time.Time {
	if stored.CustomerErased.IsZero() && !want.CustomerErased.IsZero() {
		return want.CustomerErased
	}
	if stored.EmployeeErased.IsZero() {
		return want.EmployeeErased
	}
	return time.Time{}
}

// fillFrom takes from the stored row what only an erased part said: nobody can
// hold it against anything. What an erasure takes out isn't filled in.
func (row *Indexed) fillFrom(stored Indexed, employeeGone bool) {
	row.Rows = max(row.Rows, stored.Rows)
	for _, f := range [...]struct {
		to   *string
		from string
	}{
		{&row.Purpose, stored.Purpose}, {&row.Role, stored.Role}, {&row.Pseudonym, stored.Pseudonym}, {&row.Door, stored.Door}, {&row.Act, stored.Act},
		{(*string)(&row.Lookup.ID), string(stored.Lookup.ID)}, {(*string)(&row.Lookup.Action), string(stored.Lookup.Action)},
	} {
		if *f.to == "" {
			*f.to = f.from
		}
	}
	if !employeeGone {
		return
	}
	if row.Employee == "" {
		row.Employee = stored.Employee
	}
	if row.CustomerErased.IsZero() {
		l := &row.Lookup
		row.Reasons = stored.Reasons
		if l.Customer == "" {
			l.Customer = stored.Lookup.Customer
		}
		if l.Task == "" {
			l.Task = stored.Lookup.Task
		}
		if l.Record == "" {
			l.Record = stored.Lookup.Record
		}
		if len(l.Categories) == 0 {
			l.Categories = stored.Lookup.Categories
		}
	}
}

// unlike names the kinds of fields in which two rows differ. Times of an
// erasure are those of the leaf in one and of its end in the other.
func (row *Indexed) unlike(o Indexed) (wrong []string) {
	a, b := &row.Lookup, &o.Lookup
	for _, kind := range [...]struct {
		name string
		same bool
	}{
		{"number or kind", row.Number == o.Number && row.Kind == o.Kind && a.ID == b.ID},
		{"time", a.At.Equal(b.At)},
		{"employee", a.Employee == b.Employee && row.Role == o.Role && row.Pseudonym == o.Pseudonym},
		{"session, device or site", a.Session == b.Session && a.Device == b.Device && a.Site == b.Site && row.Door == o.Door},
		{"customer", a.Customer == b.Customer && a.Record == b.Record},
		{"task or purpose", a.Task == b.Task && row.Purpose == o.Purpose},
		{"what was shown", a.Action == b.Action && slices.Equal(a.Categories, b.Categories) && row.Rows == o.Rows},
		{"outcome", a.Outcome == b.Outcome},
		{"reasons", a.Reason == b.Reason && slices.Equal(row.Reasons, o.Reasons)},
		{"statement", row.Statement == o.Statement && slices.Equal(row.Relations, o.Relations) && row.Reader == o.Reader},
		{"act", row.Act == o.Act && row.About == o.About && row.Employee == o.Employee},
		{"erasure", row.CustomerErased.IsZero() == o.CustomerErased.IsZero() && row.EmployeeErased.IsZero() == o.EmployeeErased.IsZero()},
	} {
		if !kind.same {
			wrong = append(wrong, kind.name)
		}
	}
	return wrong
}
