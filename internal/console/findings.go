package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"paravent/internal/access"
	"paravent/internal/detect"
	"paravent/internal/lookup"
)

// findingRow is one finding in the list.
type findingRow struct {
	Href, Kind string
	Score      string // such as "0.97"
	Percent    int
	Raised     moment
	Span       string
	Reason     string
	Lookups    int
	Who        string
	About      string
}

// findings handles GET /findings.
func (v *visit) findings() error { return v.findingList(false) }

// samples handles GET /samples: the random picks, apart from the findings.
func (v *visit) samples() error { return v.findingList(true) }

// findingList shows findings or samples after the opening is recorded (G7).
func (v *visit) findingList(samples bool) error {
	const most = 200
	name, title := actOpenFindings, "Findings"
	data := struct {
		Samples bool
		Rows    []findingRow
		Empty   emptiness
	}{Samples: samples, Empty: emptiness{
		Title: "No finding.", Text: "What nothing independent explains appears here. The list need not be filled.",
		Href: "/overview", Link: "See what goes on",
	}}
	if samples {
		name, title = actOpenSamples, "Samples"
		data.Empty = emptiness{Title: "No sample yet.", Text: "A few look-ups a day are drawn by chance, so that somebody reads what no rule raised."}
	}
	if _, err := v.act(lookup.Act{Name: name}); err != nil {
		return err
	}
	list, err := v.c.Findings.Findings(v.r.Context(), samples, most)
	if err != nil {
		return err
	}
	for _, f := range list {
		data.Rows = append(data.Rows, v.findingRow(f))
	}
	return v.show(http.StatusOK, "findings", title, data)
}

func (v *visit) findingRow(f detect.Finding) findingRow {
	veil := v.veil(f)
	row := findingRow{
		Href: "/findings/" + url.PathEscape(f.ID), Kind: kindTitle(f.Kind), Score: fmt.Sprintf("%.2f", f.Score),
		Percent: int(100*min(max(f.Score, 0), 1) + 0.5), Raised: v.moment(f.RaisedAt), Span: span(f), Lookups: len(f.Accesses),
	}
	if len(f.Reasons) > 0 {
		row.Reason = veil.text(f.Reasons[0].Text)
	}
	row.Who, row.About = plural(len(f.Employees), "employee", "employees"), plural(len(f.Customers), "customer", "customers")
	if len(f.Employees) == 1 {
		row.Who = v.c.Pseudonym(f.Employees[0])
	}
	switch {
	case f.Kind == detect.KindOffPath:
		row.About = "customers not known"
	case len(f.Customers) == 1:
		row.About = string(f.Customers[0])
	}
	return row
}

// kindTitle is a kind of finding in the words of the pages.
func kindTitle(k detect.Kind) string {
	switch k {
	case detect.KindPair:
		return "One employee, one customer"
	case detect.KindCrowd:
		return "A crowd at one customer"
	case detect.KindRun:
		return "One employee, many customers"
	case detect.KindHelpers:
		return "Two employees for each other"
	case detect.KindOffPath:
		return "Read past Paravent"
	case detect.KindSample:
		return "Drawn by chance"
	}
	return words(string(k))
}

// span says over what time the look-ups of a finding go.
func span(f detect.Finding) string {
	if d := f.LastAt.Sub(f.FirstAt); d >= time.Minute {
		return "within " + ago(d)
	}
	return ""
}

// veil puts pseudonyms in the place of the employees whom a finding names:
// reviewers judge what was done before they learn who did it.
type veil struct {
	names     map[string]string // pseudonym by employee id
	pseudonym func(access.EmployeeID) string
}

func (v *visit) veil(f detect.Finding) veil {
	out := veil{names: map[string]string{}, pseudonym: v.c.Pseudonym}
	for _, e := range f.Employees {
		out.names[string(e)] = v.c.Pseudonym(e)
	}
	if f.Best == nil {
		return out
	}
	for _, step := range f.Best.Path {
		for _, end := range []string{step.From, step.To} {
			if id, ok := strings.CutPrefix(end, employeeNode); ok {
				out.names[id] = v.c.Pseudonym(access.EmployeeID(id))
			}
		}
		if step.By != "" && step.By != access.ByCustomer && step.By != access.BySystem {
			out.names[step.By] = v.c.Pseudonym(access.EmployeeID(step.By))
		}
	}
	return out
}

// text replaces each employee's id where it stands as a word of its own.
func (x veil) text(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); {
		j := i
		for j < len(s) && inID(s[j]) {
			j++
		}
		if j == i {
			out.WriteByte(s[i])
			i++
			continue
		}
		word := s[i:j]
		trimmed := strings.TrimRight(word, ".-:") // the end of a sentence is no part of an id
		if name, ok := x.names[word]; ok {
			out.WriteString(name)
		} else if name, ok := x.names[trimmed]; ok {
			out.WriteString(name + word[len(trimmed):])
		} else {
			out.WriteString(word)
		}
		i = j
	}
	return out.String()
}

// by says who stands behind a fact.
func (x veil) by(who string) string {
	switch who {
	case "":
		return ""
	case access.ByCustomer:
		return "the customer herself"
	case access.BySystem:
		return "a system"
	}
	return x.pseudonym(access.EmployeeID(who))
}

// inID reports whether a byte can be part of an employee's id.
func inID(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= 0x80 || strings.IndexByte("_-.:@", b) >= 0
}
