package console

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"paravent/internal/access"
	"paravent/internal/investigate"
	"paravent/internal/lookup"
)

// answer is what became of a look-up; one of its fields is set.
type answer struct {
	Refused *refusal
	Waiting *waiting
	Shown   *shown
}

// waiting tells the asker that a second person is asked, and what came of it.
type waiting struct {
	Title, Message, Hint string
	Request              string
	Href                 string // where its state is told
	Until                moment
	Poll                 bool // nobody has decided yet
}

// look handles POST /tasks/{task}/lookups. What the form says is only a claim:
// all of it goes to lookup, which decides, records, and alone discloses.
func (v *visit) look() error {
	if err := v.parseForm(); err != nil {
		return err
	}
	id := access.TaskID(v.r.PathValue("task"))
	request := lookup.Request{
		Task: id, Customer: access.CustomerID(v.form("customer")), Order: access.OrderID(v.form("order")),
		Action: access.ActionView, Reason: v.form("reason"), Door: lookup.DoorConsole,
	}
	for _, c := range v.r.PostForm["category"] {
		request.Categories = append(request.Categories, access.Category(c))
	}
	if len(request.Categories) == 0 {
		// To lookup, none means all that the purpose needs; nobody asked for that here.
		return v.showLook(id, request, http.StatusBadRequest, &answer{Refused: &refusal{
			Title: "Nothing was chosen", Message: "Choose at least one kind of data.", RequestID: v.id, Home: "/tasks",
		}})
	}
	disclosure, err := v.c.Lookups.Look(v.r.Context(), v.in.Who, request)
	var pending *lookup.Pending
	switch {
	case err == nil:
		return v.showLook(id, request, http.StatusOK, &answer{Shown: v.shown(disclosure)})
	case errors.As(err, &pending):
		message, hint := access.Public(pending)
		return v.showLook(id, request, http.StatusAccepted, &answer{Waiting: &waiting{
			Title: "Waiting for a second person", Message: message, Hint: hint, Request: string(pending.Request),
			Href: requestHref(pending.Request) + "/state", Poll: pending.Request != "",
		}})
	}
	code := access.CodeOf(err)
	if code == access.Internal {
		return err
	}
	if code == access.Unavailable { // the operator has to know, the asker is told below
		v.c.Log.ErrorContext(v.r.Context(), "look-up not possible", "request_id", v.id, "error", err)
	}
	refused := v.refusal(err)
	refused.Title, refused.Recorded, refused.Home = "Not shown", code != access.Unavailable, "/tasks"
	return v.showLook(id, request, statusOf(code), &answer{Refused: &refused})
}

// showLook shows the answer on the task's page, and a refusal alone where the
// task isn't one that he may open.
func (v *visit) showLook(id access.TaskID, request lookup.Request, status int, a *answer) error {
	page := taskPage{}
	if !v.partial() {
		var err error
		if page, err = v.taskPage(id); err != nil && a.Refused != nil {
			return v.show(status, "message", a.Refused.Title, *a.Refused)
		} else if err != nil && a.Shown == nil {
			return err
		}
		for i := range page.Categories {
			page.Categories[i].Chosen = slices.Contains(request.Categories, access.Category(page.Categories[i].Name))
		}
		page.Order, page.Reason = string(request.Order), request.Reason
	}
	page.Answer = a
	return v.show(status, "task", "Task "+string(id), page)
}

// requestHref is the address of a request for a second person.
func requestHref(id access.RequestID) string { return "/requests/" + url.PathEscape(string(id)) }

// requestState handles GET /requests/{request}/state: how the asker's own
// request stands. It tells him no reason and nobody's name (G9).
func (v *visit) requestState() error {
	id := access.RequestID(v.r.PathValue("request"))
	request, err := v.c.Requests.Own(v.r.Context(), v.in.Who, id)
	if access.CodeOf(err) == access.NotFound {
		return access.Errorf(access.NotFound, "No request of yours has this number.").WithHint("Open the task and look again.")
	}
	if err != nil {
		return err
	}
	w := waiting{Request: string(id), Href: requestHref(id) + "/state", Until: v.moment(request.Until)}
	switch state := request.State; {
	case state == investigate.Confirmed:
		w.Title, w.Message = "A second person agreed", "You can look now."
		w.Hint = "Press “Look” once more."
	case state == investigate.Declined:
		w.Title, w.Message = "A second person declined", "This isn't possible for you."
		w.Hint = "Hand the task to a colleague, or talk to your team lead."
	case state == investigate.Lapsed || !v.now.Before(request.Until):
		w.Title, w.Message = "Nobody answered in time", "The request has lapsed."
		w.Hint = "Press “Look” to ask again, and tell your team lead that it waits."
	default:
		w.Title, w.Message, w.Poll = "Waiting for a second person", "Nobody has decided yet.", true
		w.Hint = "Your team lead or the privacy officer finds the request on their page."
	}
	return v.show(http.StatusOK, "waiting", "Request", struct {
		Answer *answer
		Task   string
	}{&answer{Waiting: &w}, taskHref(request.Task)})
}
