package policy_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"paravent/internal/access"
	"paravent/internal/policy"
)

var update = flag.Bool("update", false, "write what is decided into the files under testdata")

// TestDecisions decides the cases under testdata/decisions by the default policy.
// A case is two files of an archive: NAME.json, what differs from facts(), and
// NAME.want, the decision with every reason.
func TestDecisions(t *testing.T) {
	p := load(t)
	files, err := filepath.Glob("testdata/decisions/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(archive.Files); i++ {
			name, isCase := strings.CutSuffix(archive.Files[i].Name, ".json")
			if !isCase {
				t.Fatalf("%s: %s comes without its facts", file, archive.Files[i].Name)
			}
			f := facts()
			decoder := json.NewDecoder(strings.NewReader(string(archive.Files[i].Data)))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(&f); err != nil {
				t.Fatalf("%s: %s: %v", file, name, err)
			}
			got := write(p.Decide(f))
			if *update {
				want := txtar.File{Name: name + ".want", Data: []byte(got)}
				if i+1 < len(archive.Files) && archive.Files[i+1].Name == want.Name {
					archive.Files[i+1] = want
				} else {
					archive.Files = append(archive.Files[:i+1], append([]txtar.File{want}, archive.Files[i+1:]...)...)
				}
			}
			i++
			t.Run(filepath.Base(file)+"/"+name, func(t *testing.T) {
				if i >= len(archive.Files) || archive.Files[i].Name != name+".want" {
					t.Fatal("the case doesn't say what it wants")
				}
				if d := cmp.Diff(string(archive.Files[i].Data), got); d != "" {
					t.Errorf("want -, got +:\n%s", d)
				}
			})
		}
		if *update {
			if err := os.WriteFile(file, txtar.Format(archive), 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// write writes a decision as the cases have it.
func write(d policy.Decision) string {
	var b strings.Builder
	fmt.Fprintf(&b, "effect: %s", d.Effect)
	if d.Final {
		b.WriteString(", final")
	}
	b.WriteString("\n")
	for _, r := range d.Reasons {
		public := ""
		if r.Public {
			public = " (public)"
		}
		fmt.Fprintf(&b, "%s %s%s: %s\n", r.Effect, r.ID, public, r.Text)
	}
	if d.Answer.Code != "" {
		fmt.Fprintf(&b, "answer: %s: %s\nhint: %s\n", d.Answer.Code, d.Answer.Message, d.Answer.Hint)
	}
	if d.Grant.Employee != "" {
		g := d.Grant
		fmt.Fprintf(&b, "grant: %s sees %v of %s under %s (%s), reach %s, order %q, recent %s, sensitive %v, for %s\n",
			g.Employee, g.Categories, g.Customer, g.Task, g.Purpose, g.Reach, g.Order, g.Recent, g.Sensitive, g.Until.Sub(g.Since))
	}
	return b.String()
}

func TestAGrantIsBoundToSessionAndMoment(t *testing.T) {
	f := facts()
	d := load(t).Decide(f)
	if d.Effect != policy.Allow || d.Grant.Session != f.Session || !d.Grant.Since.Equal(f.Now) || d.Grant.Customer != f.Task.Customer {
		t.Errorf("got %+v", d)
	}
	if d.Answer.Err() != nil {
		t.Errorf("an allowed look-up has an answer: %v", d.Answer)
	}
}

func TestDecidingTwiceGivesTheSame(t *testing.T) {
	p := load(t)
	f := facts()
	f.Customer.Notable, f.Qualified.Current, f.Relations = true, false, []access.RelationKind{"family"}
	if d := cmp.Diff(p.Decide(f), p.Decide(f)); d != "" {
		t.Error(d)
	}
}

func TestDecideLeavesTheFactsAlone(t *testing.T) {
	f := facts()
	f.Asked.Categories = []access.Category{"orders", "identity", "orders"}
	d := load(t).Decide(f)
	if got := fmt.Sprint(f.Asked.Categories); got != "[orders identity orders]" {
		t.Errorf("the asked categories became %s", got)
	}
	if got := fmt.Sprint(d.Grant.Categories); got != "[identity orders]" {
		t.Errorf("granted %s", got)
	}
}

func TestARuleThatCannotBeEvaluatedDenies(t *testing.T) {
	for _, c := range []struct {
		name, rule string
		want       policy.Answer
	}{
		{"about the task it says that it can't be decided",
			`@id("broken") @says("broken") @asker("task") @hears("h") forbid (principal, action, resource) when { 9223372036854775807 + 1 > 0 };`,
			policy.Answer{Code: access.Denied, Message: "The policy could not decide this, so nothing is shown.", Hint: "Tell the privacy officer."}},
		{"about the customer it says what is always said (G9)",
			`@id("broken") @says("broken") @asker("customer") @lifted_by("second_person") forbid (principal, action, resource) when { 9223372036854775807 + 1 > 0 };`,
			policy.Answer{Code: access.Denied, Message: "A second person must agree before this is shown.", Hint: "Ask for it and say why you need it; nothing is shown until somebody agrees."}},
		{"a broken permit denies, too",
			`@id("broken") @says("broken") permit (principal, action, resource) when { 9223372036854775807 + 1 > 0 };`,
			policy.Answer{Code: access.Denied, Message: "The policy could not decide this, so nothing is shown.", Hint: "Tell the privacy officer."}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := policy.Load("policy.yaml", policy.DefaultYAML(), "x.cedar", append(policy.DefaultCedar(), c.rule...))
			if err != nil {
				t.Fatal(err)
			}
			f := facts()
			f.SecondPerson = "e2"
			d := p.Decide(f)
			if d.Effect == policy.Allow || d.Answer != c.want {
				t.Errorf("got %s %+v", d.Effect, d.Answer)
			}
			if d.Effect == policy.NeedsSecondPerson && !d.Final {
				t.Error("a second person is said to help")
			}
			if last := d.Reasons[len(d.Reasons)-1]; last.ID != "broken" || last.Effect != "forbid" {
				t.Errorf("the last reason is %+v", last)
			}
		})
	}
}
