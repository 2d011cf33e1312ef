package review

import (
	"crypto/sha256"
	_ "embed" // the page and its style
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"
	"time"

	"paravent/internal/access"
	"paravent/internal/detect"
)

//go:embed report.html.tmpl
var reportText string

//go:embed report.css
var reportStyle string

// fullFindings is how many findings the report tells in full. The rest stand
// in findings.jsonl alone, for a page of that size no longer opens well.
const fullFindings = 400

// maxListed is how many look-ups of one finding are listed.
const maxListed = 200

// report is what the page shows. It holds ids, never names, and no free text
// of an employee's.
type report struct {
	CSS      template.CSS
	CSP      string
	Period   string
	Figures  []figure
	Shares   []share
	Days     dayChart
	Findings []findingView
	More     int // findings that are not shown
	Samples  []findingView
	Unseen   []string
	Files    []FileSummary
	Rejected []Reject
	Bad      int64
	MoreBad  int64
}

// figure is one headline figure.
type figure struct{ Value, Unit, Text, Class string }

// share is one bar of what explains the look-ups.
type share struct {
	Title, Text, Percent, Class string
	Lookups                     string
	Width                       float64 // of 100
	Strength                    string
	StrengthWidth               float64 // of 40
}

// findingView is one finding as the page shows it.
type findingView struct {
	Rank                int
	Anchor              string
	Kind, Title, When   string
	Score               string
	ScoreWidth          float64 // of 60
	Raised              string
	Lead                string // the heaviest reason
	Reasons             []reasonView
	Timeline            *timeline
	Path                *pathView
	Customers           string
	Employees           string
	Looks               []lookView
	AllLooks, MoreLooks int
}

type reasonView struct {
	Text, Code, Weight string
	Width              float64 // of 100
}

type lookView struct{ At, Employee, Customer, Action, Categories, Record, Task, Outcome string }

// kindNames says the kinds of findings as a heading does.
var kindNames = map[detect.Kind]string{
	detect.KindPair: "One employee, one customer", detect.KindCrowd: "A crowd at one customer",
	detect.KindRun: "Running through customers", detect.KindHelpers: "Two employees for each other",
	detect.KindSample: "Sample",
}

// newReport gathers what the page shows.
func newReport(o Options, s Summary, r *result, stories []story) *report {
	p := &report{CSS: template.CSS(reportStyle), Files: s.Files, Rejected: s.Rejected, Bad: s.Bad, MoreBad: s.Bad - int64(len(s.Rejected))}
	sum := sha256.Sum256([]byte(reportStyle))
	p.CSP = "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
	p.Period = period(o, r)
	p.Figures = figures(r, len(r.tally.Days))
	p.Shares = shares(r.tally)
	p.Days = newDayChart(r.tally)
	titles := map[string]string{}
	for _, x := range r.tally.Explained {
		titles[x.Template] = x.Title
	}
	for i, f := range r.findings {
		if i == fullFindings {
			p.More = len(r.findings) - fullFindings
			break
		}
		p.Findings = append(p.Findings, newFindingView(f, stories[i], "f", titles))
	}
	for i, f := range r.samples {
		if i == fullFindings {
			break
		}
		p.Samples = append(p.Samples, newFindingView(f, stories[len(r.findings)+i], "s", titles))
	}
	p.Unseen = unseen(s.Missing)
	return p
}

// period says what was reviewed.
func period(o Options, r *result) string {
	if r.from.IsZero() {
		return "no look-ups"
	}
	from, to := r.from.Format("2 January 2006"), r.to.Format("2 January 2006")
	text := from
	if from != to {
		text += " to " + to
	}
	if !o.Since.IsZero() {
		text += "; what came before " + o.Since.UTC().Format("2 January 2006 15:04") + " was read as history"
	}
	return text + " (UTC)"
}

func figures(r *result, days int) []figure {
	t := r.tally
	graded := graded(t)
	strong := max(0, graded-t.Weak-t.Unexplained)
	perDay := 0.0
	if days > 0 {
		perDay = float64(len(r.findings)) / float64(days)
	}
	return []figure{
		{grouped(t.Lookups), "", "look-ups reviewed", ""},
		{percent(strong, graded), "%", "well explained", "strong"},
		{percent(t.Weak, graded), "%", "weakly explained", "weak"},
		{percent(t.Unexplained, graded), "%", "unexplained", "none"},
		{grouped(len(r.findings)), "", "findings to read, " + strconv.FormatFloat(perDay, 'f', 1, 64) + " a day", "find"},
	}
}

// graded returns how many look-ups were held against the facts: not those that
// showed nothing to anybody.
func graded(t detect.Tally) int {
	n := t.Unexplained
	for _, x := range t.Explained {
		n += x.Lookups
	}
	return n
}

// shares returns the bars of what explains the look-ups.
func shares(t detect.Tally) []share {
	graded := graded(t)
	if graded == 0 {
		return nil
	}
	var list []share
	add := func(title, text, class string, n int, strength float64) {
		list = append(list, share{
			Title: title, Text: text, Class: class, Percent: percent(n, graded), Lookups: grouped(n),
			Width: round2(100 * float64(n) / float64(graded)), Strength: strconv.FormatFloat(strength, 'f', 2, 64), StrengthWidth: round2(40 * strength),
		})
	}
	for _, x := range t.Explained {
		class := "strong"
		if x.Strength < 0.5 {
			class = "weak"
		}
		add(x.Title, "", class, x.Lookups, x.Strength)
	}
	add("Nothing explains them", "", "none", t.Unexplained, 0)
	return list
}

func newFindingView(f detect.Finding, s story, prefix string, titles map[string]string) findingView {
	v := findingView{
		Rank: f.Rank, Anchor: prefix + strconv.Itoa(f.Rank), Kind: kindNames[f.Kind], Title: title(f),
		When: spanText(f.FirstAt, f.LastAt), Raised: f.RaisedAt.UTC().Format("2 January 2006, 15:04"),
		Score: strconv.FormatFloat(f.Score, 'f', 2, 64), ScoreWidth: round2(60 * min(1, max(0, f.Score))),
		Customers: joined(f.Customers, 12), Employees: joined(f.Employees, 24),
		Timeline: newTimeline(f, s), Path: newPathView(f.Best, titles), AllLooks: len(f.Accesses),
	}
	if v.Kind == "" {
		v.Kind = string(f.Kind)
	}
	heaviest := 0.0
	for _, r := range f.Reasons {
		heaviest = max(heaviest, r.Weight)
	}
	for _, r := range f.Reasons {
		width := 0.0
		if heaviest > 0 {
			width = round2(100 * max(0, r.Weight) / heaviest)
		}
		v.Reasons = append(v.Reasons, reasonView{r.Text, r.Code, strconv.FormatFloat(r.Weight, 'f', 2, 64), width})
	}
	switch {
	case len(v.Reasons) > 0:
		v.Lead = v.Reasons[0].Text
	case v.Path == nil || v.Path.Title == "":
		v.Lead = "Nothing explains it."
	default:
		v.Lead = "Explained by “" + v.Path.Title + "”, strength " + v.Path.Strength + "."
	}
	for i, l := range s.lookups {
		if i == maxListed {
			v.MoreLooks = len(s.lookups) - maxListed
			break
		}
		v.Looks = append(v.Looks, newLookView(l))
	}
	return v
}

func newLookView(l *access.Lookup) lookView {
	categories := make([]string, len(l.Categories))
	for i, c := range l.Categories {
		categories[i] = string(c)
	}
	outcome := string(l.Outcome)
	if outcome == "" {
		outcome = string(access.OutcomeShown)
	}
	return lookView{l.At.UTC().Format("2006-01-02 15:04:05"), string(l.Employee), string(l.Customer), string(l.Action),
		strings.Join(categories, " "), string(l.Record), string(l.Task), strings.ReplaceAll(outcome, "_", " ")}
}

// title says in one line who looked at whom.
func title(f detect.Finding) string {
	employee, customer := joined(f.Employees, 2), joined(f.Customers, 2)
	switch {
	case f.Kind == detect.KindHelpers:
		return employee + " for each other"
	case len(f.Employees) > 2:
		return fmt.Sprintf("%d employees at %s", len(f.Employees), customer)
	case len(f.Customers) > 2:
		return fmt.Sprintf("%s at %d customers", employee, len(f.Customers))
	default:
		return employee + " at " + customer
	}
}

// joined lists ids, the first few.
func joined[T ~string](ids []T, most int) string {
	var b strings.Builder
	for i, id := range ids {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(ids)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(id))
	}
	return b.String()
}

func spanText(from, to time.Time) string {
	from, to = from.UTC(), to.UTC()
	if to.Before(from) {
		to = from
	}
	if from.Format(time.DateOnly) == to.Format(time.DateOnly) {
		if from.Format("15:04") == to.Format("15:04") {
			return from.Format("2 January 2006, 15:04")
		}
		return from.Format("2 January 2006, 15:04") + "–" + to.Format("15:04")
	}
	if from.Year() == to.Year() {
		return from.Format("2 January") + " – " + to.Format("2 January 2006")
	}
	return from.Format("2 January 2006") + " – " + to.Format("2 January 2006")
}

// unseen says what could not be told without the missing files.
func unseen(missing []string) []string {
	var list []string
	for _, t := range tables {
		for _, name := range missing {
			if name == t.name {
				list = append(list, t.missing)
			}
		}
	}
	return list
}

// percent returns 100·n/of with one decimal, or none from ten up.
func percent(n, of int) string {
	if of <= 0 {
		return "0"
	}
	p := 100 * float64(n) / float64(of)
	if p > 0 && p < 0.05 {
		return "<0.1"
	}
	return strconv.FormatFloat(p, 'f', 1, 64)
}

// grouped writes n with commas between thousands.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func round2(x float64) float64 { return float64(int64(x*100+0.5)) / 100 }

// writeReport writes the page.
func writeReport(w io.Writer, p *report) error {
	t, err := template.New("report").Funcs(template.FuncMap{"grouped64": func(n int64) string { return grouped(int(n)) }}).Parse(reportText)
	if err != nil {
		return fmt.Errorf("parse report page: %w", err)
	}
	return t.Execute(w, p)
}
