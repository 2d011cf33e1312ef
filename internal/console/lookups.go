package console

import (
	"net/http"
	"strings"
	"time"

	"paravent/internal/access"
	"paravent/internal/investigate"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
)

// tag is a short coloured word; the colour never says more than the word.
type tag struct{ Text, Class string }

// lookupRow is one look-up or act in a list.
type lookupRow struct {
	At         moment
	Number     uint64
	Role       string
	Pseudonym  string
	Customer   string
	Task       string
	Purpose    string
	Categories string
	Rows       int
	What       string // what an act was; "" for a look-up
	About      string
	Outcome    tag
	Saw        bool   // data were shown, or may have been
	Erased     string // who of the two was erased, and when; "" nobody
}

// maxRows is how many look-ups a page lists at most.
const maxRows = 500

// own handles GET /own: what the records say that the visitor did himself.
func (v *visit) own() error {
	rows, err := v.c.Index.LookupsBy(v.r.Context(), v.in.Who.Employee().ID, maxRows)
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "own", "My look-ups", struct {
		Rows  []lookupRow
		More  bool
		Empty emptiness
	}{v.lookupRows(rows), len(rows) == maxRows, emptiness{
		Title: "You haven't looked up anybody.", Text: "What you look up, and what you are refused, is listed here as it was recorded.",
	}})
}

// customer handles GET /customers: who looked at one customer. The asking is an
// act about her (G7), on disk before the page is.
func (v *visit) customer() error {
	id := access.CustomerID(strings.TrimSpace(v.r.URL.Query().Get("id")))
	data := struct {
		ID       string
		Recorded *recorded
		Rows     []lookupRow
		Lookers  int
		More     bool
		Empty    emptiness
	}{ID: string(id), Empty: emptiness{
		Title: "Nobody looked, as far as the index reaches.",
		Text:  "Your own asking appears here within a moment. Check the customer's number if you expected more.",
	}}
	if id == "" {
		return v.show(http.StatusOK, "customer", "Who looked at a customer", data)
	}
	if !printable(string(id), maxID) {
		return v.c.Lookups.Refused(v.r.Context(), v.in.Who, lookup.DoorConsole)
	}
	receipt, err := v.act(lookup.Act{Name: actWhoLooked, Customer: id})
	if err != nil {
		return err
	}
	rows, err := v.c.Index.LookupsAt(v.r.Context(), id, maxRows)
	if err != nil {
		return err
	}
	line := newRecorded("Your asking", "before this page was shown", receipt)
	data.Recorded, data.Rows, data.More = &line, v.lookupRows(rows), len(rows) == maxRows
	seen := map[string]bool{}
	for _, r := range data.Rows {
		seen[r.Pseudonym] = true
	}
	data.Lookers = len(seen)
	return v.show(http.StatusOK, "customer", "Who looked at "+string(id), data)
}

// mine handles GET /mine: what the records say about the customer who asks.
func (v *visit) mine() error {
	rows, err := v.c.Index.LookupsAt(v.r.Context(), v.in.Customer.ID(), maxRows)
	if err != nil {
		return err
	}
	data := struct {
		Rows        []lookupRow
		Saw, People int
		More        bool
		Empty       emptiness
	}{Rows: v.lookupRows(rows), More: len(rows) == maxRows, Empty: emptiness{
		Title: "Nobody has looked at your data.", Text: "As soon as somebody does, it is listed here, with the reason.",
	}}
	seen := map[string]bool{}
	for i, r := range data.Rows {
		if rows[i].Act != "" {
			data.Rows[i].What = actTitleForHer(rows[i].Act)
		}
		if r.Saw {
			data.Saw++
			seen[r.Pseudonym] = true
		}
	}
	data.People = len(seen)
	return v.show(http.StatusOK, "mine", "Who looked at my data", data)
}

// lookupRows puts indexed records into the words of the pages; employees stay
// under their pseudonyms.
func (v *visit) lookupRows(rows []investigate.Indexed) []lookupRow {
	out := make([]lookupRow, 0, len(rows))
	for _, r := range rows {
		out = append(out, v.lookupRow(r))
	}
	return out
}

func (v *visit) lookupRow(r investigate.Indexed) lookupRow {
	l := r.Lookup
	row := lookupRow{
		At: v.moment(l.At), Number: r.Number, Role: roleTitle(access.Role(r.Role)), Pseudonym: r.Pseudonym,
		Customer: string(l.Customer), Task: string(l.Task), Rows: r.Rows,
		Categories: lowerList(v.categoryTitles(l.Categories)),
	}
	if r.Role == "" {
		row.Role = "Role not known"
	}
	if !r.CustomerErased.IsZero() {
		row.Erased = "customer erased on " + v.day(r.CustomerErased)
	} else if !r.EmployeeErased.IsZero() {
		row.Erased = "employee erased on " + v.day(r.EmployeeErased)
	}
	if row.Pseudonym == "" && l.Employee != "" {
		row.Pseudonym = v.c.Pseudonym(l.Employee)
	}
	if r.Purpose != "" {
		row.Purpose = v.purposeTitle(access.Purpose(r.Purpose))
	}
	if r.Act != "" {
		row.What, row.About = actTitle(r.Act), r.About
		row.Outcome = tag{"Recorded", "plain"}
		return row
	}
	row.Outcome = tag{outcomeTitle(l.Outcome), outcomeClass(l.Outcome)}
	switch l.Outcome {
	case access.OutcomeShown, access.OutcomeUnknown, access.OutcomeBreakGlass:
		row.Saw = true
	case "":
		row.Saw, row.Outcome = r.Kind != ledger.KindRefusal, tag{"Recorded", "plain"}
	}
	return row
}

// day is a day in words, in the zone of the pages.
func (v *visit) day(at time.Time) string { return at.In(v.c.Zone).Format("2 January 2006") }

// outcomeClass is the colour of an outcome.
func outcomeClass(o access.Outcome) string {
	switch o {
	case access.OutcomeShown:
		return "good"
	case access.OutcomeRefused:
		return "bad"
	case access.OutcomeBreakGlass, access.OutcomeUnknown:
		return "warn"
	}
	return "plain"
}
