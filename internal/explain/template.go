package explain

import "time"

// Link is the last step of a path: what ties the employee to the customer's
// task or contact.
type Link string

// The links that a template can be made of.
const (
	LinkAssigned Link = "assigned" // the customer's open task is assigned to the employee
	LinkContact  Link = "contact"  // the telephone system, mail or chat server gave him her contact
	LinkWorked   Link = "worked"   // he had worked on her open task before he looked
	LinkOpened   Link = "opened"   // he opened her task
	LinkHanded   Link = "handed"   // her open task was his before it was handed over
	LinkTeam     Link = "team"     // her open task is assigned to his team
	LinkWorking  Link = "working"  // he worked on her open task soon after he looked
	LinkReviewed Link = "reviewed" // he leads the people who worked on her task
	LinkCalled   Link = "called"   // she called or wrote just then; who took it isn't known
)

// Template is a kind of explanation, written by people. The path it stands for
// runs from the customer over one of her tasks (or contacts) to the employee.
type Template struct {
	ID    string
	Title string // a few words, as a heading
	Text  string // one sentence, as a privacy officer reads it
	Link  Link
	// After is how long the path still holds in full once the task is closed or
	// the contact is over. From then on its strength halves with every Fades.
	After, Fades time.Duration
	// Strength is 1 − the share of random look-ups explained, in 0..1, as
	// Measure gives it: the lower of the uniform and the popularity-matched
	// draw.
	Strength float64
}

// Defaults returns the templates that are shipped, strongest first. Their
// strengths were measured with Measure on a real ticket log of two months joined
// with look-ups; a company measures its own.
func Defaults() []Template {
	const day = 24 * time.Hour
	return []Template{
		{ID: "assigned", Title: "Assigned to this employee", Link: LinkAssigned, After: time.Hour, Fades: 36 * time.Hour, Strength: 0.97,
			Text: "An open task about this customer was assigned to this employee."},
		{ID: "contact", Title: "Took the customer's contact", Link: LinkContact, After: 2 * time.Hour, Fades: 12 * time.Hour, Strength: 0.98,
			Text: "The customer called or wrote, and the contact was given to this employee."},
		{ID: "working", Title: "Worked on an open task right after", Link: LinkWorking, Fades: 36 * time.Hour, Strength: 0.99,
			Text: "This employee worked on an open task about this customer within the hour after the look-up."},
		{ID: "handed", Title: "Handed over", Link: LinkHanded, After: time.Hour, Fades: 36 * time.Hour, Strength: 0.95,
			Text: "An open task about this customer was this employee's before it was handed over."},
		{ID: "reviewed", Title: "Leads those who worked on it", Link: LinkReviewed, After: 3 * day, Fades: 7 * day, Strength: 0.93,
			Text: "This employee leads somebody who worked on a recent task about this customer."},
		{ID: "opened", Title: "Opened after the customer's contact", Link: LinkOpened, After: time.Hour, Fades: 36 * time.Hour, Strength: 0.92,
			Text: "This employee opened a task about this customer, and something of the customer's stands beside it."},
		{ID: "worked", Title: "Own earlier work on an open task", Link: LinkWorked, After: time.Hour, Fades: 36 * time.Hour, Strength: 0.87,
			Text: "This employee had already worked on an open task about this customer."},
		{ID: "called", Title: "The customer called or wrote just then", Link: LinkCalled, After: 30 * time.Minute, Fades: 2 * time.Hour, Strength: 0.86,
			Text: "The customer called or wrote just then; who took it isn't known."},
		{ID: "team", Title: "Assigned to the team", Link: LinkTeam, After: time.Hour, Fades: 36 * time.Hour, Strength: 0.61,
			Text: "An open task about this customer was assigned to this employee's team."},
	}
}
