package console

import (
	"net/http"
	"slices"
	"strings"

	"paravent/internal/access"
	"paravent/internal/lookup"
)

// callerPage is the form that finds the caller of a call in progress, and what
// came of it.
type callerPage struct {
	Fields   []callerField
	Ways     []string // which fields together are enough
	Purposes []choice
	Refused  *refusal
	Found    *foundCaller
}

// callerField is one thing that a caller can say.
type callerField struct{ Name, Title, Kind, Value string }

type foundCaller struct {
	Task, Href string
	SelfMade   bool
	Recorded   recorded
}

// callerPage handles GET /caller.
func (v *visit) callerPage() error {
	return v.show(http.StatusOK, "caller", "Find the caller", v.callerForm(nil, ""))
}

// findCaller handles POST /caller: one hit or none, never a list of names.
func (v *visit) findCaller() error {
	if err := v.parseForm(); err != nil {
		return err
	}
	said := lookup.Said{Fields: map[string]string{}, Purpose: access.Purpose(v.form("purpose")), Door: lookup.DoorConsole}
	for name := range v.c.Policy.Callers().Identifiers {
		if value := v.form("said_" + name); value != "" {
			said.Fields[name] = value
		}
	}
	page := v.callerForm(said.Fields, said.Purpose)
	found, err := v.c.Lookups.FindCaller(v.r.Context(), v.in.Who, said)
	switch code := access.CodeOf(err); code {
	case "":
		page.Found = &foundCaller{Task: string(found.Task), Href: taskHref(found.Task), SelfMade: found.SelfMade,
			Recorded: newRecorded("This search", "before you were told", found.Receipt)}
		return v.show(http.StatusOK, "caller", "Find the caller", page)
	case access.Internal:
		return err
	default:
		refused := v.refusal(err)
		refused.Title, refused.Recorded = "Nobody was found", code != access.Unavailable && code != access.Invalid
		if code == access.Denied || code == access.Unavailable || code == access.Invalid {
			refused.Title = titleOf(code)
		}
		page.Refused = &refused
		return v.show(statusOf(code), "caller", "Find the caller", page)
	}
}

// callerForm lists what the policy lets a caller be found by.
func (v *visit) callerForm(said map[string]string, purpose access.Purpose) callerPage {
	callers := v.c.Policy.Callers()
	var page callerPage
	var names []string
	for _, together := range callers.Combinations {
		var ways []string
		for _, name := range together {
			ways = append(ways, lowerFirst(words(name)))
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		page.Ways = append(page.Ways, strings.Join(ways, " and "))
	}
	for _, name := range names {
		kind := "text"
		switch string(callers.Identifiers[name].Kind) {
		case "email":
			kind = "email"
		case "phone":
			kind = "tel"
		case "date":
			kind = "date"
		}
		page.Fields = append(page.Fields, callerField{Name: name, Title: words(name), Kind: kind, Value: said[name]})
	}
	for _, p := range v.c.Policy.Purposes() {
		if slices.Contains(p.Who, v.in.Who.Employee().Role) {
			page.Purposes = append(page.Purposes, choice{Name: string(p.Name), Title: p.Title, Chosen: p.Name == purpose})
		}
	}
	return page
}
