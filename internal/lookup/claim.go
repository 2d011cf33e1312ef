package lookup

import (
	"unicode"
	"unicode/utf8"

	"paravent/internal/access"
)

// The bounds of what somebody may claim; longer input isn't kept either.
const (
	maxID         = 128 // bytes
	maxReason     = 500 // bytes
	maxCategories = 32
	maxSaid       = 8 // identifiers
)

// plausible reports whether text can be an id: not empty, short, and nothing
// in it that a log, a page or a terminal could take for something else.
func plausible(text string) bool {
	return text != "" && readable(text, maxID)
}

// readable reports whether text is UTF-8 of at most limit bytes that prints.
func readable(text string, limit int) bool {
	if len(text) > limit || !utf8.ValidString(text) {
		return false
	}
	for _, r := range text {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// understood reports whether the request can be one at all. Where it can't, the
// request that is returned holds only what can be recorded of it.
func understood(r Request) (Request, bool) {
	ok := true
	keep := func(id string, needed bool) string {
		if id == "" && !needed || plausible(id) {
			return id
		}
		ok = false
		return ""
	}
	r.Task = access.TaskID(keep(string(r.Task), true))
	r.Customer = access.CustomerID(keep(string(r.Customer), false))
	r.Order = access.OrderID(keep(string(r.Order), false))
	switch r.Action {
	case "":
		r.Action = access.ActionView
	case access.ActionSearch, access.ActionView, access.ActionExport:
	default:
		r.Action, ok = "", false
	}
	if !readable(r.Reason, maxReason) {
		r.Reason, ok = "", false
	}
	named := true
	for _, c := range r.Categories {
		named = named && plausible(string(c))
	}
	if !named || len(r.Categories) > maxCategories {
		r.Categories, ok = nil, false
	}
	return r, ok
}

// errMalformed is the answer to what can't be understood.
func errMalformed() *access.Error {
	return access.Errorf(access.Invalid, "The request can't be understood.").
		WithHint("Name a task, and where needed a customer, an order and categories, as they are written elsewhere.")
}
