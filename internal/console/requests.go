package console

import (
	"net/http"
	"strings"

	"paravent/internal/access"
	"paravent/internal/investigate"
	"paravent/internal/lookup"
)

// requestCard is one request as the second person reads it: with the true
// reasons, which the asker never sees.
type requestCard struct {
	ID, Href             string
	Asker, AskerRole     string
	Task, Purpose        string
	Customer, Said, Kind string
	Reasons              []string
	At, Until            moment
	Ago                  string
	Final                bool
	Erasure              bool
	Employee             string // whom an erasure is about
	Change               bool   // of the ledger
	Log                  *logRow
}

// notice tells what came of the last thing that the visitor did.
type notice struct{ Class, Title, Text string }

// requests handles GET /requests. The page names customers and what is known of
// them, so opening it is an act (G7), once for each customer.
func (v *visit) requests() error {
	waiting, err := v.c.Requests.Waiting(v.r.Context(), v.in.Who)
	if err != nil {
		return err
	}
	for _, r := range waiting {
		// An employee who is to be erased is in no act's words: the request stands for him.
		name := actOpenRequest
		switch r.Kind {
		case investigate.KindErasure:
			name = actOpenErasure
		case investigate.KindRotation, investigate.KindDrop:
			name = actOpenChange
		}
		if _, err := v.act(lookup.Act{Name: name, Customer: r.Customer, Employee: r.Asker, About: string(r.ID)}); err != nil {
			return err
		}
	}
	data := struct {
		Requests []requestCard
		Notice   notice
		Lead     bool
		Empty    emptiness
	}{Lead: leads(v.in), Empty: emptiness{
		Title: "Nothing waits for you.", Text: "When something needs a second person and you may be that person, it appears here.",
	}}
	if data.Notice, err = v.requestNotice(); err != nil {
		return err
	}
	for _, r := range waiting {
		card, err := v.requestCard(r)
		if err != nil {
			return err
		}
		data.Requests = append(data.Requests, card)
	}
	return v.show(http.StatusOK, "requests", "Requests", data)
}

func (v *visit) requestCard(r investigate.Request) (requestCard, error) {
	card := requestCard{
		ID: string(r.ID), Href: requestHref(r.ID), Asker: string(r.Asker), Task: string(r.Task), Purpose: v.purposeTitle(r.Purpose),
		Customer: string(r.Customer), Said: r.Said, Kind: "wants to look at this customer",
		At: v.moment(r.At), Until: v.moment(r.Until), Ago: ago(v.now.Sub(r.At)), Final: r.Final,
	}
	if r.Kind == investigate.KindErasure {
		card.Kind, card.Erasure, card.Employee = "asks to erase this person for ever: nobody can read again what the records say of them", true, string(r.Employee)
	}
	v.changeCard(&card, r)
	if r.Kind == lookup.ApproveTask {
		card.Kind = "opened this task without a call in progress and asks you to confirm it"
	}
	for _, why := range r.Why {
		if why.Effect == "forbid" || len(r.Why) == 1 {
			card.Reasons = append(card.Reasons, why.Text)
		}
	}
	asker, err := v.c.People.Employee(v.r.Context(), r.Asker)
	switch access.CodeOf(err) {
	case "":
		if card.AskerRole = roleTitle(asker.Role); asker.Name != "" {
			card.Asker = asker.Name + " (" + string(asker.ID) + ")"
		}
	case access.NotFound: // left meanwhile: the id alone
	default:
		return card, err
	}
	return card, nil
}

// changeCard adds what a card tells of a change of the ledger.
func (v *visit) changeCard(card *requestCard, r investigate.Request) {
	switch r.Kind {
	case investigate.KindRotation:
		card.Kind = "asks to freeze log " + r.About + " of the ledger and to open the next one, with a new signing key. Nothing is lost; nobody can look for some seconds"
	case investigate.KindDrop:
		card.Kind = "asks to drop log " + r.About + " of the ledger for ever: all of its records go, with the index of them and the findings about them alone"
	default:
		return
	}
	card.Change = true
	if v.c.Upkeep == nil {
		return
	}
	logs := v.c.Upkeep.Logs()
	for i, l := range logs {
		if l.Name == r.About {
			row := v.logRow(l, i == 0, i == len(logs)-1)
			card.Log = &row
		}
	}
}

// requestNotice tells what the visitor decided a moment ago, as it is kept; the
// zero notice where that is nothing.
func (v *visit) requestNotice() (notice, error) {
	query := v.r.URL.Query()
	if query.Get("lifted") != "" {
		return notice{"good", "The lock is lifted.", "The employee can search for callers again."}, nil
	}
	id := access.RequestID(query.Get("decided"))
	if id == "" {
		return notice{}, nil
	}
	r, err := v.c.RequestStates.Request(v.r.Context(), id)
	if access.CodeOf(err) == access.NotFound {
		return notice{}, nil
	}
	if err != nil {
		return notice{}, err
	}
	if r.By != v.in.Who.Employee().ID {
		return notice{}, nil // somebody else's decision
	}
	if r.Kind == investigate.KindErasure {
		if r.State == investigate.Confirmed {
			return notice{"good", "You agreed.", "The person is erased; what remains is that it was done, by whom and when."}, nil
		}
		return notice{"plain", "You declined.", "Nothing is erased. Your no is in the records."}, nil
	}
	if r.Kind == investigate.KindRotation || r.Kind == investigate.KindDrop {
		if r.State == investigate.Declined {
			return notice{"plain", "You declined.", "The ledger stays as it is. Your no is in the records."}, nil
		}
		return notice{"good", "You agreed.", "It is done at once; the administrator sees on the page of the system how it ended. Your yes is in the records."}, nil
	}
	if r.State == investigate.Confirmed {
		return notice{"good", "You agreed.", "For task " + string(r.Task) + " the look-up is possible for now. Your yes is in the records."}, nil
	}
	return notice{"plain", "You declined.", "The look-up for task " + string(r.Task) + " stays impossible. Your no is in the records."}, nil
}

// decide handles POST /requests/{request}. Whether it is his to decide, and
// that nobody decides about himself (G8), investigate holds.
func (v *visit) decide() error {
	if err := v.parseForm(); err != nil {
		return err
	}
	id := access.RequestID(v.r.PathValue("request"))
	answer := v.form("answer")
	if answer != "agree" && answer != "decline" {
		return access.Errorf(access.Invalid, "Neither a yes nor a no.").WithHint("Go back and press “Agree” or “Decline”.")
	}
	if err := v.c.Requests.Decide(v.r.Context(), v.in.Who, id, answer == "agree", v.form("note")); err != nil {
		return err
	}
	v.redirect("/requests?decided=" + strings.TrimPrefix(requestHref(id), "/requests/"))
	return nil
}

// liftLock handles POST /locks.
func (v *visit) liftLock() error {
	if err := v.parseForm(); err != nil {
		return err
	}
	employee := access.EmployeeID(v.form("employee"))
	if employee == "" {
		return access.Errorf(access.Invalid, "No employee is named.").WithHint("Enter the employee's id.")
	}
	if err := v.c.Lookups.LiftLock(v.r.Context(), v.in.Who, employee); err != nil {
		return err
	}
	v.redirect("/requests?lifted=1")
	return nil
}
