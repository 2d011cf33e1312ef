package console

import (
	"net/http"
	"net/url"
	"slices"

	"paravent/internal/access"
	"paravent/internal/lookup"
	"paravent/internal/policy"
)

// maxID is the length in bytes of the longest id that a page takes in.
const maxID = 128

// taskRow is one open task in the list.
type taskRow struct {
	ID, Href, Purpose, Customer, Channel string // Customer as in customerOf
	Since                                moment
	Ago                                  string
	Unconfirmed                          bool
}

// emptiness is what stands where there is nothing to list.
type emptiness struct{ Title, Text, Href, Link string }

// tasks handles GET /tasks.
func (v *visit) tasks() error {
	e := v.in.Who.Employee()
	tasks, err := v.c.Tasks.TasksOf(v.r.Context(), e.ID, e.Team, v.now)
	if err != nil {
		return err
	}
	data := struct {
		Tasks []taskRow
		Empty emptiness
	}{Empty: emptiness{
		Title: "Nothing is open.", Href: "/caller", Link: "Find the caller",
		Text: "Tasks appear here when they are assigned to you or your team. Is somebody calling you right now?",
	}}
	for _, t := range tasks {
		data.Tasks = append(data.Tasks, taskRow{
			ID: string(t.ID), Href: taskHref(t.ID), Purpose: v.purposeTitle(t.Purpose), Customer: customerOf(t),
			Channel: words(t.Channel), Since: v.moment(t.OpenedAt), Ago: ago(v.now.Sub(t.OpenedAt)), Unconfirmed: unconfirmed(t),
		})
	}
	return v.show(http.StatusOK, "tasks", "My tasks", data)
}

// taskPage is one task with its one look-up.
type taskPage struct {
	ID, Purpose, Customer, Channel string // Customer as in customerOf
	Since                          moment
	Unconfirmed                    bool
	Action                         string // where the form is sent
	Categories                     []choice
	AskOrder                       bool
	Order, Reason                  string
	ReachText                      string
	Answer                         *answer
}

// choice is one category to choose.
type choice struct {
	Name, Title, Text string
	Chosen            bool
}

// task handles GET /tasks/{task}. Each opening is an act, also of a task that
// isn't his: a foreign and an unknown one read the same (G9).
func (v *visit) task() error {
	id := access.TaskID(v.r.PathValue("task"))
	if !printable(string(id), maxID) {
		return v.c.Lookups.Refused(v.r.Context(), v.in.Who, lookup.DoorConsole)
	}
	if _, err := v.act(lookup.Act{Name: actOpenTask, About: string(id)}); err != nil {
		return err
	}
	page, err := v.taskPage(id)
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "task", "Task "+page.ID, page)
}

// taskPage gathers what the page of a task shows to somebody who works it.
func (v *visit) taskPage(id access.TaskID) (taskPage, error) {
	standing, err := v.c.Standings.Standing(v.r.Context(), v.in.Who.Employee(), id)
	if err != nil {
		return taskPage{}, err
	}
	t := standing.Task
	if t == nil || standing.Assigned == policy.AssignedNot {
		return taskPage{}, access.Errorf(access.NotFound, "No open task of yours has this number.").
			WithHint("Choose one of your tasks; if one is missing, ask whoever hands out the work.")
	}
	if !t.Open(v.now) {
		return taskPage{}, access.Errorf(access.Conflict, "This task is closed.").
			WithHint("Choose an open task; if there is more to do, have it opened again.")
	}
	page := taskPage{
		ID: string(t.ID), Purpose: v.purposeTitle(t.Purpose), Customer: customerOf(*t), Channel: words(t.Channel),
		Order: string(t.Order), Since: v.moment(t.OpenedAt), Unconfirmed: unconfirmed(*t), Action: taskHref(t.ID) + "/lookups",
	}
	purpose, ok := v.c.Policy.Purpose(t.Purpose)
	if !ok {
		return page, nil // no purpose, no categories: the look-up says so
	}
	for _, c := range v.c.Policy.Categories() {
		if slices.Contains(purpose.Categories, c.Name) {
			page.Categories = append(page.Categories, choice{Name: string(c.Name), Title: c.Title, Chosen: true})
		}
	}
	switch {
	case !v.showsOrders(purpose):
	case purpose.Reach == access.ReachRecord:
		page.AskOrder = true
	case purpose.Reach == access.ReachRecent:
		page.ReachText = "it shows orders of the last " + plural(int(purpose.Recent.Hours()/24), "day", "days")
	}
	return page, nil
}

// showsOrders reports whether a purpose shows anything that belongs to an order.
func (v *visit) showsOrders(purpose policy.Purpose) bool {
	for _, s := range v.c.Policy.Sources() {
		for _, t := range s.Tables {
			if t.Order != "" && slices.ContainsFunc(t.Columns, func(c policy.Column) bool { return slices.Contains(purpose.Categories, c.Category) }) {
				return true
			}
		}
	}
	return false
}

// unconfirmed reports whether a colleague must confirm the task first.
func unconfirmed(t access.Task) bool { return t.SelfMade && t.ConfirmedBy == "" }

// customerOf is whom the task is about, as far as its page may say: "" until a
// self-made task is confirmed. Whoever opened it knows what the caller said and
// no more, and the customer's id is more (G9).
func customerOf(t access.Task) string {
	if unconfirmed(t) {
		return ""
	}
	return string(t.Customer)
}

// taskHref is the address of a task's page.
func taskHref(id access.TaskID) string { return "/tasks/" + url.PathEscape(string(id)) }

// purposeTitle is a purpose in the policy's words.
func (v *visit) purposeTitle(p access.Purpose) string {
	if purpose, ok := v.c.Policy.Purpose(p); ok && purpose.Title != "" {
		return purpose.Title
	}
	return words(string(p))
}

// categoryTitles are categories in the policy's words, in its order.
func (v *visit) categoryTitles(names []access.Category) []string {
	var out []string
	rest := slices.Clone(names)
	for _, c := range v.c.Policy.Categories() {
		if i := slices.Index(rest, c.Name); i >= 0 {
			out, rest = append(out, c.Title), slices.Delete(rest, i, i+1)
		}
	}
	for _, name := range rest {
		out = append(out, words(string(name)))
	}
	return out
}
