package policy

import (
	"cmp"
	"slices"
	"strings"

	"paravent/internal/access"
)

// The fixed answers. Each reads the same whatever the fact behind it.
var (
	// An unknown task, a colleague's, one about another customer, an unknown
	// customer: nothing tells them apart.
	notYours = Answer{access.Denied, "No open task of yours is about this customer.", "Open one of your own tasks, or find the caller by what he says."}
	// In the public eye, a declared tie, oneself, protected in any other way.
	secondPerson = Answer{access.Denied, "A second person must agree before this is shown.", "Ask for it and say why you need it; nothing is shown until somebody agrees."}
	// Not the customer's, not the task's, or no order at all.
	noSuchOrder = Answer{access.Denied, "This order isn't part of this task.", "Leave the order out, or work on a task that is about it."}
	// No rule allows it.
	notAllowed = Answer{access.Denied, "Nothing in the policy allows this under your task.", "Ask your team lead or the privacy officer."}
	// A rule could not be evaluated.
	undecided = Answer{access.Denied, "The policy could not decide this, so nothing is shown.", "Tell the privacy officer."}
)

// answer fills in how a refusal ends and what the asker hears.
//
// G9: classes are heard in a fixed order: himself, whether the task is his, his
// task, the customer, the order. What stands earlier never depends on what
// stands later, so two askings that differ in facts about the customer alone are
// answered alike, byte for byte; and whether an order is hers isn't told where a
// second person must agree first.
func (p *Policy) answer(f *Facts, u Purpose, v *verdict, d *Decision) {
	d.Effect = Deny
	if len(v.refusals) == 0 {
		d.Reasons = append(d.Reasons, Reason{ID: "no-permit", Effect: "forbid", Text: "no rule of the policy allows it", Public: true})
		d.Answer = notAllowed
		return
	}
	first := slices.MinFunc(v.refusals, func(a, b refusal) int { return cmp.Compare(a.class, b.class) })
	switch first.class {
	case classNotYours:
		d.Answer = notYours
	case classOrder:
		d.Answer = noSuchOrder
	case classCustomer:
		d.Answer, d.Effect = secondPerson, NeedsSecondPerson
	default:
		d.Answer = p.own(f, u, v.refusals, first.class)
		if d.Answer.Code == "" { // every refusal about the task can be lifted by a colleague
			d.Effect = NeedsSecondPerson
			d.Answer = Answer{access.Denied, fill(first.hears, f, u), fill(first.hint, f, u)}
		}
	}
	d.Final = d.Effect == NeedsSecondPerson && slices.ContainsFunc(v.refusals, func(r refusal) bool {
		return r.liftedBy != liftedBySecondPerson && r.liftedBy != liftedByColleague
	})
}

// own returns the first answer of this class that nobody can lift, or none.
func (p *Policy) own(f *Facts, u Purpose, refusals []refusal, c class) Answer {
	for _, r := range refusals {
		if r.class == c && r.liftedBy != liftedByColleague {
			return Answer{access.Denied, fill(r.hears, f, u), fill(r.hint, f, u)}
		}
	}
	return Answer{}
}

// fill puts what the asker may know into the text of a rule.
func fill(text string, f *Facts, u Purpose) string {
	if !strings.Contains(text, "{") {
		return text
	}
	names := make([]string, len(u.Categories))
	for i, c := range u.Categories {
		names[i] = string(c)
	}
	lacking := strings.Join(f.Qualified.Missing, ", ")
	if lacking == "" {
		lacking = "not recorded"
	}
	return strings.NewReplacer("{missing}", lacking, "{purpose}", cmp.Or(u.Title, string(u.Name)), "{categories}", strings.Join(names, ", ")).Replace(text)
}
