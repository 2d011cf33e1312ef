package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"paravent/internal/access"
	"paravent/internal/detect"
	"paravent/internal/explain"
	"paravent/internal/lookup"
)

// How explain names the ends of a step: the kind of thing, a blank, its id.
const (
	customerNode = "customer "
	employeeNode = "employee "
)

// findingPage is one finding or sample with all that speaks for and against it.
type findingPage struct {
	Row       findingRow
	ID        string
	Sample    bool
	Recorded  recorded
	First     moment
	Last      moment
	Customers []link
	Employees []string
	Reasons   []weighed
	Timeline  *timeline
	Lookups   []lookupRow
	Unknown   int // look-ups that the index doesn't know (yet)
	Best      *bestPath
}

// weighed is one reason with its weight.
type weighed struct {
	Text, Weight string
	Percent      int // of the heaviest
}

// finding handles GET /findings/{finding}. Opening one is an act about each of
// its customers, on disk before the page is (G7).
func (v *visit) finding() error {
	f, err := v.c.Findings.Finding(v.r.Context(), v.r.PathValue("finding"))
	if access.CodeOf(err) == access.NotFound {
		return access.Errorf(access.NotFound, "There is no finding with this number.").WithHint("Choose one from the list.")
	}
	if err != nil {
		return err
	}
	receipt, err := v.actAbout(lookup.Act{Name: actOpenFinding, About: f.ID}, f.Customers)
	if err != nil {
		return err
	}
	indexed, err := v.c.Index.LookupsByID(v.r.Context(), f.Accesses)
	if err != nil {
		return err
	}
	veil := v.veil(f)
	page := findingPage{
		Row: v.findingRow(f), ID: f.ID, Sample: f.Kind == detect.KindSample, Recorded: newRecorded("Your opening of this page", "before it was shown", receipt),
		First: v.moment(f.FirstAt), Last: v.moment(f.LastAt), Lookups: v.lookupRows(indexed), Unknown: len(f.Accesses) - len(indexed),
		Reasons: weigh(f.Reasons, veil), Timeline: v.timeline(f, indexed), Best: v.bestPath(f.Best, veil),
	}
	for _, c := range f.Customers {
		page.Customers = append(page.Customers, link{Href: "/customers?id=" + url.QueryEscape(string(c)), Text: string(c)})
	}
	for _, e := range f.Employees {
		page.Employees = append(page.Employees, v.c.Pseudonym(e))
	}
	return v.show(http.StatusOK, "finding", page.Row.Kind, page)
}

// weigh draws reasons as parts of the heaviest one.
func weigh(reasons []detect.Reason, x veil) []weighed {
	heaviest := 0.0
	for _, r := range reasons {
		heaviest = max(heaviest, r.Weight, -r.Weight)
	}
	var out []weighed
	for _, r := range reasons {
		w := weighed{Text: x.text(r.Text), Weight: strings.Replace(fmt.Sprintf("%.2f", r.Weight), "-", "−", 1)}
		if heaviest > 0 {
			w.Percent = int(100*max(r.Weight, -r.Weight)/heaviest + 0.5)
		}
		out = append(out, w)
	}
	return out
}

// bestPath is the best explanation that there is, drawn from the customer to
// the employee; the link that it lacks is dashed.
type bestPath struct {
	Title, Text, Missing string
	Strength             string
	Percent              int
	Chains               []chain
}

// chain is a run of steps, each beginning where the one before ended.
type chain struct {
	Start node
	Links []pathLink
}

type node struct{ Kind, Text string }

type pathLink struct {
	Relation, By string
	At           moment
	Missing      bool
	To           node
}

func (v *visit) bestPath(b *detect.Best, x veil) *bestPath {
	if b == nil {
		return nil
	}
	out := &bestPath{
		Title: "Nothing explains it", Missing: x.text(b.Missing), Strength: fmt.Sprintf("%.2f", b.Strength),
		Percent: int(100*min(max(b.Strength, 0), 1) + 0.5),
	}
	for _, t := range explain.Defaults() {
		if t.ID == b.Template {
			out.Title, out.Text = t.Title, t.Text
		}
	}
	if b.Template != "" && out.Text == "" {
		out.Title = words(b.Template)
	}
	last := ""
	for _, step := range b.Path {
		if step.From != last || len(out.Chains) == 0 {
			out.Chains = append(out.Chains, chain{Start: x.node(step.From)})
		}
		at := &out.Chains[len(out.Chains)-1]
		at.Links = append(at.Links, pathLink{
			Relation: x.text(step.Relation), By: x.by(step.By), At: v.moment(step.At), Missing: step.Missing, To: x.node(step.To),
		})
		last = step.To
	}
	return out
}

// node names one end of a step.
func (x veil) node(name string) node {
	kind, id, found := strings.Cut(name, " ")
	if !found {
		return node{Text: x.text(name)}
	}
	if strings.HasPrefix(name, employeeNode) {
		id = x.pseudonym(access.EmployeeID(id))
	}
	return node{Kind: words(kind), Text: id}
}
