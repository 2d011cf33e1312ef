package console

import (
	"net/http"

	"paravent/internal/access"
	"paravent/internal/investigate"
)

// erasureRow is one erasure in the list.
type erasureRow struct {
	Whom, Asker, By string
	At              moment
	State           tag
	Done            *moment
}

// erasures handles GET /erasures. Reading them is recorded by what lists them.
func (v *visit) erasures() error {
	return v.listErasures(http.StatusOK, notice{}, "", "")
}

func (v *visit) listErasures(status int, said notice, kind, person string) error {
	all, err := v.c.Erasures.List(v.r.Context(), v.in.Who)
	if err != nil {
		return err
	}
	data := struct {
		Notice       notice
		May          bool
		Kind, Person string
		Rows         []erasureRow
		Untouched    []string
		Empty        emptiness
	}{said, officers(v.in), kind, person, nil, investigate.Untouched(), emptiness{
		Title: "Nobody was erased.", Text: "When a customer asks for it, or an employee who has left is to be forgotten, a privacy officer asks here and a second person agrees.",
	}}
	if v.r.URL.Query().Get("asked") != "" {
		data.Notice = notice{"good", "A second person is asked.", "It waits on the page of requests, for somebody other than you."}
	}
	for _, r := range all {
		row := erasureRow{Whom: "not told any more", Asker: string(r.Asker), By: string(r.By), At: v.moment(r.At), State: erasureState(r)}
		switch {
		case r.Customer != "":
			row.Whom = "customer " + string(r.Customer)
		case r.Employee != "":
			row.Whom = "employee " + string(r.Employee)
		}
		if !r.DoneAt.IsZero() {
			done := v.moment(r.DoneAt)
			row.Done = &done
		}
		data.Rows = append(data.Rows, row)
	}
	return v.show(status, "erasures", "Erasures", data)
}

// erasureState is the state of an erasure in a word.
func erasureState(r investigate.Request) tag {
	switch {
	case !r.DoneAt.IsZero():
		return tag{"Erased", "good"}
	case r.State == investigate.Confirmed:
		return tag{"Being erased", "warn"}
	case r.State == investigate.Declined:
		return tag{"Declined", "bad"}
	case r.State == investigate.Lapsed:
		return tag{"Lapsed", "plain"}
	}
	return tag{"Waits for a second person", "warn"}
}

// askErasure handles POST /erasures.
func (v *visit) askErasure() error {
	if err := v.parseForm(); err != nil {
		return err
	}
	kind, person := v.form("kind"), v.form("person")
	var c access.CustomerID
	var e access.EmployeeID
	if kind == "employee" {
		e = access.EmployeeID(person)
	} else {
		c = access.CustomerID(person)
	}
	_, err := v.c.Erasures.Ask(v.r.Context(), v.in.Who, c, e, v.form("reason"))
	switch access.CodeOf(err) {
	case "":
		v.redirect("/erasures?asked=1")
		return nil
	case access.Conflict, access.Invalid, access.Denied:
		message, hint := access.Public(err)
		return v.listErasures(http.StatusConflict, notice{"bad", message, hint}, kind, person)
	}
	return err
}
