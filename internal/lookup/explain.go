package lookup

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/policy"
)

// Explain says what the policy would answer if this employee asked for this
// task now, and which columns he would see; never a value. It is recorded before
// it is given (G7).
//
// The employee himself, his team lead and a privacy officer may ask. He himself
// hears what he would hear anyway (G9); a team lead hears the true reasons
// where the task is the employee's, a privacy officer always; nobody about
// himself.
func (s *Service) Explain(ctx context.Context, who identity.Who, employee access.EmployeeID, task access.TaskID) (Explanation, error) {
	if !who.Proven() {
		return Explanation{}, access.Errorf(access.Unauthenticated, "Please sign in.")
	}
	reader := who.Employee()
	if !plausible(string(employee)) || !plausible(string(task)) {
		employee, task = "", ""
	}
	e, err := s.People.Employee(ctx, employee)
	unknown := access.CodeOf(err) == access.NotFound
	if err != nil && !unknown {
		return Explanation{}, fmt.Errorf("find the employee: %w", err)
	}
	self, lead, officer := reader.ID == employee, leads(reader, e), reader.Role == access.RolePrivacyOfficer
	may := !unknown && (self || lead || officer)
	act := Act{Name: "explain", Employee: employee, About: string(task)}
	if !may {
		act.Name = "explain_refused"
	}
	if _, err := s.Act(ctx, who, act); err != nil {
		return Explanation{}, err
	}
	if !may {
		return Explanation{}, access.Errorf(access.Denied, "You may not ask about this employee.").
			WithHint("You can ask about yourself; a team lead about his team, a privacy officer about anybody.")
	}
	a := asking{Request: Request{Task: task, Action: access.ActionView}, id: access.LookupID(newID()), at: s.Clock().UTC(), employee: e}
	f, err := s.facts(ctx, a)
	d := s.decide(ctx, a, f, err)
	out := Explanation{Employee: employee, Task: task, Effect: d.Effect, Answer: d.Answer.Err()}
	// Of a task that isn't the employee's nobody but the officer hears more than
	// the answer: a task of somebody else's and none at all read alike (G9).
	his := f.Assigned != ""
	for _, r := range d.Reasons {
		if !self && officer || his && (r.Public || !self) {
			out.Reasons = append(out.Reasons, r)
		}
	}
	if d.Effect == policy.Allow {
		out.Grant = d.Grant
		out.Columns = s.columns(d.Grant)
	}
	return out, nil
}

// columns returns the columns that a grant shows: those of tables in which at
// least one column is granted.
func (s *Service) columns(g access.Grant) []Column {
	var out []Column
	sources := s.Policy.Sources()
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		for _, t := range sources[name].Tables {
			var columns []Column
			any := false
			for _, c := range t.Columns {
				granted := slices.Contains(g.Categories, c.Category)
				any = any || granted
				columns = append(columns, Column{Source: name, Table: t.Name, Name: c.Name, Category: c.Category, Masked: !granted || c.Always != ""})
			}
			if any {
				out = append(out, columns...)
			}
		}
	}
	return out
}
