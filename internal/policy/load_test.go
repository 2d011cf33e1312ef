package policy_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"paravent/internal/policy"
)

func TestTheDefaultPolicyLoadsAndHasNothingToWarnOf(t *testing.T) {
	p := load(t)
	if got := len(p.Purposes()); got != 12 {
		t.Errorf("%d purposes", got)
	}
	for _, problem := range policy.Check("policy.yaml", policy.DefaultYAML(), "default.cedar", policy.DefaultCedar()) {
		t.Error(problem)
	}
}

// mistakes are made one at a time in a default file. The problem must stand on the
// line where the new text's mark (§) is, which is then taken away.
var mistakes = []struct {
	name     string
	file     string // "yaml" or "cedar"
	old, new string
	want     string // message and hint
}{
	{"unknown section", "yaml", "purposes:\n  delivery:", "§purpose:\n  delivery:", `policy: unknown key "purpose" (did you mean "purposes"?)`},
	{"unknown version", "yaml", "version: 1", "§version: 2", `version: unknown version "2" (this program reads version 1)`},
	{"unknown key of a table", "yaml", "        time: placed_at", "§        tiem: placed_at", `table orders: unknown key "tiem" (did you mean "time"?)`},
	{"doubled key", "yaml", "      orders:\n        customer: customer_id", "      orders:\n        customer: customer_id\n§        customer: id", `table orders: "customer" stands here twice, first on line`},
	{"unknown category of a column", "yaml", "          name: identity", "§          name: identiti", `table customers, column name, category: unknown word "identiti" (did you mean "identity"?)`},
	{"unknown mask", "yaml", "{category: contact, mask: email}", "§{category: contact, mask: mail}", `column email, mask: unknown word "mail" (did you mean "email"?)`},
	{"unknown category of a purpose", "yaml", "    categories: [identity, contact, orders, delivery]", "§    categories: [identity, contact, order, delivery]", `purpose delivery, categories: unknown word "order" (did you mean "orders"?)`},
	{"unknown reach", "yaml", "    reach: record\n    grant: 15m\n    who: [agent, team_lead, supervisor, bot]\n  refund:", "§    reach: records\n    grant: 15m\n    who: [agent, team_lead, supervisor, bot]\n  refund:", `reach: unknown word "records" (did you mean "record"?)`},
	{"reach recent without days", "yaml", "    reach: recent\n    recent_days: 180", "§    reach: recent", `purpose complaint: reach recent needs recent_days (such as`},
	{"days without reach recent", "yaml", "    reach: recent\n    recent_days: 180", "    reach: all\n§    recent_days: 180", `recent_days goes with reach recent only`},
	{"too many days", "yaml", "    recent_days: 180", "§    recent_days: 18000", `expected a whole number between 1 and 3650, found "18000"`},
	{"a grant that is no time", "yaml", "    grant: 30m", "§    grant: half an hour", `"half an hour" is not a length of time (such as 15m, 4h or 1h30m)`},
	{"a grant for a month", "yaml", "    grant: 30m", "§    grant: 720h", `720h is not between 1m and 24h`},
	{"unknown role", "yaml", "    who: [legal]", "§    who: [leagl]", `purpose legal_hold, who: unknown word "leagl" (did you mean "legal"?)`},
	{"unknown sensitive goods", "yaml", "    sensitive: [pharmacy, lingerie,", "§    sensitive: [farmacy, lingerie,", `unknown word "farmacy" (did you mean "pharmacy"?)`},
	{"no fideslang key", "yaml", "[user.behavior.purchase_history]", "§[purchase history]", `is not a data category of fideslang (such as user.contact.email)`},
	{"a path to an unmapped table", "yaml", "      payments:\n        customer: order_id -> orders.id", "      payments:\n§        customer: order_id -> order.id", `the path leads to table "order", which isn't mapped (did you mean "orders"?)`},
	{"a path without a column", "yaml", "      payments:\n        customer: order_id -> orders.id", "      payments:\n§        customer: order_id -> orders", "expected `column -> table.column`"},
	{"a path in a circle", "yaml", "        customer: customer_id", "§        customer: id -> payments.order_id", `the path goes in a circle`},
	{"an identifier without its column", "yaml", "shop.customers.email", "§shop.customers.mail", `table customers has no mapped column "mail" (did you mean "email"?)`},
	{"an identifier by itself", "yaml", "    - [order, postcode]", "§    - [order]", `at least two identifiers are needed together`},
	{"an identifier twice", "yaml", "    - [order, postcode]", "§    - [order, order]", `stands here twice`},
	{"an unknown identifier", "yaml", "    - [order, postcode]", "§    - [order, postcod]", `unknown word "postcod" (did you mean "postcode"?)`},
	{"not YAML", "yaml", "categories:\n  identity:", "categories:\n  identity: [", `not YAML`},
	{"an alias", "yaml", "    title: Payments", "§    title: &t Payments", `uses a YAML anchor or alias`},
	{"a second document", "yaml", "lock it; a team lead may lift that\n", "lock it\n§---\nversion: 1\n", `there is a second document`},
	{"text where keys should be", "yaml", "second_person:\n", "second_person: §nobody\nx:\n", `second_person: expected keys and values, found "nobody"`},

	{"no semicolon", "cedar", "unless { context.qualified };", "unless { context.qualified }", `expected ";", found "@"`},
	{"not Cedar", "cedar", "unless { context.qualified };", "§unless context.qualified;", `expected "{", found "context"`},
	{"unknown attribute", "cedar", "when { resource.notable &&", "§when { resource.notabel &&", `unknown attribute resource.notabel (did you mean "notable"?)`},
	{"unknown attribute of a nested record", "cedar", "!context.task.open }", "§!context.task.opened }", `unknown attribute context.task.opened (did you mean "open"?)`},
	{"unknown attribute in has", "cedar", "unless { context.task.known };", "§unless { context has tusk };", `unknown attribute context.tusk (did you mean "task"?)`},
	{"an attribute of something else", "cedar", "unless { context.task.known };", "§unless { (if context.task.known then context else context).task.knowm };", `unknown attribute knowm`},
	{"a role that doesn't exist", "cedar", "unless { context.qualified };", "§unless { principal.role == Role::\"angel\" };", `can never apply: there is no role "angel"`},
	{"a purpose that doesn't exist", "cedar", "unless { context.task.known };", "§unless { context.task.purpose == Purpose::\"refunds\" };", `can never apply: there is no purpose "refunds" (did you mean "refund"?)`},
	{"a category that doesn't exist", "cedar", "unless { context.task.known };", "§unless { context.purpose.needs.contains(Category::\"paiment\") };", `can never apply: there is no category "paiment" (did you mean "payment"?)`},
	{"a relation that doesn't exist", "cedar", `Relation::"self"`, `§Relation::"himself"`, `there is no relation "himself"`},
	{"an action that doesn't exist", "cedar", "// ---- The task:", "§@id(\"a\") @says(\"a\") permit (principal, action == Action::\"peek\", resource);\n//", `there is no action "peek" (one of: view, search, export)`},
	{"an entity type that doesn't exist", "cedar", "unless { context.qualified };", "§unless { principal in Group::\"x\" };", `unknown entity type Group`},
	{"types that don't fit", "cedar", "unless { context.task.known };", "unless { context.task.known == context.task.channel };", `rule "task-unknown": `},
	{"no asker", "cedar", "@asker(\"order\")\n", "", `@asker must say what the asker may hear, found ""`},
	{"no id", "cedar", "@id(\"task-closed\")\n@says", "§@says", `this rule has no @id`},
	{"id twice", "cedar", `@id("task-closed")`, `§@id("task-unknown")`, `its @id stands twice, first on line`},
	{"no says", "cedar", "@id(\"task-closed\")\n@says(\"the task is not open\")", "§@id(\"task-closed\")", `has no @says`},
	{"unknown class", "cedar", `@asker("order")`, `§@asker("orders")`, `found "orders" (did you mean "order"?)`},
	{"unknown annotation", "cedar", `@lifted_by("nobody")`, `§@lifted_by("nobody") @heard("x")`, `unknown annotation @heard (did you mean "hears"?)`},
	{"an answer where it is fixed", "cedar", `@asker("order")`, "@asker(\"order\")\n§@hears(\"no\")", `the answer is fixed (G9)`},
	{"no answer where one is needed", "cedar", "@hears(\"This task is not open.\")\n", "", `needs @hears`},
	{"a placeholder that can't be filled", "cedar", "only: {categories}.", "§only: {iban}.", `{iban} can't be filled in`},
	{"a placeholder about the task in an answer about himself", "cedar", "isn't current: {missing}", "§isn't current: {purpose}", `{purpose} can't be filled in`},
	{"lifted by whom it can't be", "cedar", `@lifted_by("colleague")`, `§@lifted_by("second_person")`, `doesn't go with @asker("task")`},
	{"G9: a task's answer that rests on the customer", "cedar", "when { context.task.self_made &&", "§when { resource.notable &&", `with @asker("task") it may not read resource.notable, for the answer would tell it (G9) (write a forbid with @asker("customer"))`},
	{"G9: the same through the task's customer", "cedar", "when { context.task.self_made &&", "§when { context.task.customer.notable &&", `it may not read resource.notable`},
	{"G9: the same through an expression", "cedar", "when { context.task.self_made &&", "§when { (if true then resource else resource).notable &&", `it may not read resource.notable`},
	{"G9: the same through the whole context", "cedar", "when { context.task.self_made &&", "when { [context].contains(context) &&", `it may not read context.asked.order_fits`},
	{"G9: a rule that names a customer", "cedar", "when { context.task.self_made &&", "§when { resource == Customer::\"c17\" &&", `it may not read Customer::"c17"`},
	{"G9: a permit that rests on the customer", "cedar", "when { context.purpose.known && context.purpose.roles.contains(principal.role) };\n\n", "§when { !resource.notable };\n\n", `a permit it may not read resource.notable`},
	{"G9: an answer about himself that rests on the task", "cedar", "unless { context.qualified };", "§unless { context.task.open };", `with @asker("own") it may not read context.task.open`},
	{"G9: whose an order is, in the customer's class", "cedar", "when { resource.notable && !context.second_person };", "§when { context.asked.order_fits && !context.second_person };", `it may not read context.asked.order_fits`},
}

func TestMistakesAreNamed(t *testing.T) {
	for _, c := range mistakes {
		t.Run(c.name, func(t *testing.T) {
			texts := map[string]string{"yaml": string(policy.DefaultYAML()), "cedar": string(policy.DefaultCedar())}
			if !strings.Contains(texts[c.file], c.old) {
				t.Fatalf("the default file has no %q", c.old)
			}
			changed := strings.Replace(texts[c.file], c.old, c.new, 1)
			line := 0
			if before, _, found := strings.Cut(changed, "§"); found {
				line = 1 + strings.Count(before, "\n")
			}
			texts[c.file] = strings.ReplaceAll(changed, "§", "")
			_, err := policy.Load("yaml", []byte(texts["yaml"]), "cedar", []byte(texts["cedar"]))
			var problems policy.Problems
			if !errors.As(err, &problems) {
				t.Fatalf("got %v, want problems", err)
			}
			i := slices.IndexFunc(problems, func(p policy.Problem) bool { return strings.Contains(p.Error(), c.want) })
			if i < 0 {
				t.Fatalf("got:\n%v\nwant: %s", problems, c.want)
			}
			if problems[i].File != c.file || line > 0 && problems[i].Line != line || problems[i].Column < 1 && c.name != "not YAML" {
				t.Errorf("it stands at %+v, want line %d:\n%v", problems[i].Pos, line, problems[i])
			}
			for _, p := range problems {
				if p.Line < 1 {
					t.Errorf("without a line: %v", p)
				}
			}
		})
	}
}

func TestAllMistakesAreToldAtOnce(t *testing.T) {
	yaml := strings.NewReplacer("version: 1", "version: 3", "mask: year", "mask: yaer", "who: [legal]", "who: [illegal]", "reach: all", "reach: wide").Replace(string(policy.DefaultYAML()))
	cedar := strings.NewReplacer("unless { context.qualified };", "unless { context.qualified ;", "!context.task.open }", "!context.task.opne }", `@asker("order")`, `@asker("nobody")`).Replace(string(policy.DefaultCedar()))
	_, err := policy.Load("policy.yaml", []byte(yaml), "default.cedar", []byte(cedar))
	var problems policy.Problems
	if !errors.As(err, &problems) {
		t.Fatal(err)
	}
	var got []string
	for _, p := range problems {
		got = append(got, fmt.Sprintf("%s:%d", p.File, p.Line))
	}
	if len(problems) != 9 || !slices.IsSortedFunc(problems[:3], func(a, b policy.Problem) int { return a.Line - b.Line }) {
		t.Errorf("got %d problems %v:\n%v", len(problems), got, problems)
	}
}

func TestCheckWarns(t *testing.T) {
	for _, c := range []struct{ name, file, old, new, want string }{
		{"a category that no purpose needs", "yaml", "  delivery:\n    title: Deliveries", "  wishes:\n    title: Wishes\n    fideslang: [user.behavior]\n  delivery:\n    title: Deliveries", "category wishes: no purpose needs it"},
		{"a category that no column holds", "yaml", "  delivery:\n    title: Deliveries", "  wishes:\n    title: Wishes\n    fideslang: [user.behavior]\n  delivery:\n    title: Deliveries", "category wishes: no column holds it"},
		{"a purpose without categories", "yaml", "    categories: [identity, contact, delivery]", "    categories: []", "purpose address: it needs no category"},
		{"a purpose for nobody", "yaml", "    who: [legal]", "    who: []", "purpose legal_hold: nobody may use it"},
		{"an account number shown whole", "yaml", "iban: {category: payment, mask: last4, always: last4}", "iban: {category: payment, mask: last4}", "column iban: it is shown whole"},
		{"nobody may agree", "yaml", "  who: [team_lead, supervisor, privacy_officer]", "  who: []", "second_person: nobody may agree"},
		{"an identifier that finds nobody", "yaml", "    - [email, date_of_birth]\n", "", "identifier email: no line of find_by uses it"},
		{"a table whose rows have no time", "yaml", "        time: placed_at\n", "", "reach recent (purpose"},
		{"a rule whose conditions exclude each other", "cedar", "when { resource.notable && !context.second_person };", `when { resource.notable && !resource.notable && !context.second_person };`, `rule "notable" never applied`},
		{"a rule for two purposes at once", "cedar", "when { context.task.self_made &&", `when { context.task.purpose == Purpose::"refund" && context.task.purpose == Purpose::"order" &&`, `rule "task-unconfirmed" never applied`},
		{"a rule of G1 taken away", "cedar", "when { context.task.known && !context.task.open };", `when { context.task.known && !context.task.open && context.task.channel == "fax" };`, "no rule refuses when the task is not open; that is refused all the same, as task-closed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			texts := map[string]string{"yaml": string(policy.DefaultYAML()), "cedar": string(policy.DefaultCedar())}
			if !strings.Contains(texts[c.file], c.old) {
				t.Fatalf("the default file has no %q", c.old)
			}
			texts[c.file] = strings.Replace(texts[c.file], c.old, c.new, 1)
			problems := policy.Check("yaml", []byte(texts["yaml"]), "cedar", []byte(texts["cedar"]))
			if !strings.Contains(problems.Error(), "warning: ") || !strings.Contains(problems.Error(), c.want) {
				t.Errorf("got:\n%v\nwant: %s", problems, c.want)
			}
			if _, err := policy.Load("yaml", []byte(texts["yaml"]), "cedar", []byte(texts["cedar"])); err != nil {
				t.Errorf("a warning keeps it from running: %v", err)
			}
		})
	}
}

func TestRulesThatReadTextsAreTriedWithThem(t *testing.T) {
	cedar := string(policy.DefaultCedar()) + `
@id("chat-team") @says("only the chat team works chats") @asker("task") @hears("Chats are worked by the chat team.")
forbid (principal, action, resource)
when { context.task.channel == "chat" && !(principal has team && principal.team == Team::"chat") };
@id("vip") @says("she is looked after by one person") @asker("customer") @lifted_by("nobody")
forbid (principal, action, resource == Customer::"c17")
unless { principal == Employee::"e5" };
@id("night") @says("nobody works at night") @asker("own") @hears("Not at night.")
forbid (principal, action, resource)
when { context.now.toTime() < duration("5h") };
@id("both-missing") @says("m") @asker("own") @hears("Pass the training: {missing}.")
forbid (principal, action, resource)
when { context.missing.contains("training") && action == Action::"export" };`
	for _, p := range policy.Check("yaml", policy.DefaultYAML(), "cedar", []byte(cedar)) {
		t.Error(p)
	}
	p, err := policy.Load("yaml", policy.DefaultYAML(), "cedar", []byte(cedar))
	if err != nil {
		t.Fatal(err)
	}
	f := facts()
	f.Task.Channel = "chat"
	if d := p.Decide(f); d.Answer.Message != "Chats are worked by the chat team." {
		t.Errorf("got %+v", d)
	}
	f.Employee.Team = "chat"
	if d := p.Decide(f); d.Effect != policy.Allow {
		t.Errorf("got %+v", d)
	}
	f.Now = f.Now.Add(-6 * 3600e9)
	f.Task.OpenedAt = f.Now
	if d := p.Decide(f); d.Answer.Message != "Not at night." {
		t.Errorf("got %+v", d)
	}
	f = facts()
	f.Task.Customer, f.Asked.Customer, f.Customer.ID = "c17", "c17", "c17"
	if d := p.Decide(f); d.Effect != policy.NeedsSecondPerson || !d.Final {
		t.Errorf("got %+v", d)
	}
}

// FuzzLoad feeds the loader whatever comes: it must neither crash nor let a
// policy through that can't decide.
func FuzzLoad(f *testing.F) {
	f.Add(policy.DefaultYAML(), policy.DefaultCedar())
	f.Add([]byte("version: 1\nroles: {a: b}\n"), []byte(`@id("a") @says("b") permit (principal, action, resource);`))
	f.Add([]byte("a: &a [*a]"), []byte(`permit(principal,action,resource) when { "\`+"\x00"+`" like "*" };`))
	f.Add([]byte("? {a: b}\n: c"), []byte("@id(\"a\") // ;\n;;;\"\\\";"))
	f.Fuzz(func(t *testing.T, yaml, cedar []byte) {
		p, err := policy.Load("y", yaml, "c", cedar)
		if err != nil {
			var problems policy.Problems
			if !errors.As(err, &problems) || len(problems) == 0 {
				t.Fatalf("an error that is no list of problems: %v", err)
			}
			return
		}
		if d := p.Decide(facts()); d.Effect == policy.Allow && lawful(p, facts(), d.Grant, false) != "" {
			t.Fatalf("allowed what the floor forbids: %+v", d)
		}
	})
}
