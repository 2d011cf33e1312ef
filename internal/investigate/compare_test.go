package investigate_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/audit"
	"paravent/internal/investigate"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
	"paravent/internal/store"
)

// compare holds the archive's index against its journal, as an auditor does.
func (a *archive) compare(t *testing.T) *investigate.IndexReport {
	t.Helper()
	index, err := store.OpenIndex(filepath.Join(a.dir, store.StateFile))
	if err != nil {
		t.Fatal(err)
	}
	defer index.Close() // only read
	keys := store.ReadKeys(t.Context(), filepath.Join(a.dir, store.KeysFile))
	verified, err := audit.Chain(t.Context(), a.ledgerPath(), audit.Options{Table: keys})
	if err != nil {
		t.Fatal(err)
	}
	if !verified.Sound() { // perhaps the server just wrote there: an auditor looks twice
		first := verified.Problems
		if verified, err = audit.Chain(t.Context(), a.ledgerPath(), audit.Options{Table: keys}); err != nil {
			t.Fatal(err)
		}
		for _, p := range verified.Problems {
			if slices.Contains(first, p) {
				t.Fatalf("found twice: %v", p)
			}
		}
	}
	gone := map[ledger.KeyID]investigate.Destroyed{}
	for id, d := range verified.Destroyed {
		gone[id] = investigate.Destroyed(d)
	}
	r, err := investigate.CompareIndex(t.Context(), investigate.Comparison{Ledger: a.ledgerPath(), Keys: keys, Destroyed: gone, Index: index})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sql runs a statement as somebody with the database's password does.
func (a *archive) sql(t *testing.T, query string, args ...any) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(a.dir, store.StateFile)+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(query, args...); err != nil {
		t.Fatal(err)
	}
}

func asWritten(t *testing.T, r *investigate.IndexReport) {
	t.Helper()
	if r.Count != 0 || r.Rows == 0 {
		t.Errorf("%d rows compared: %d problems: %v", r.Rows, r.Count, r.Problems)
	}
}

// looked adds look-ups of every kind: shown, refused, searched, found, an act.
func (a *archive) looked(t *testing.T) {
	t.Helper()
	for _, task := range []access.TaskID{"", "no-such-task"} {
		_, err := a.lookups.Look(t.Context(), a.agent, lookup.Request{Door: "api", Task: task, Customer: her, Action: access.ActionView})
		if err == nil {
			t.Fatal("a look-up without a task was allowed")
		}
	}
	if _, err := a.lookups.Act(t.Context(), a.lead, lookup.Act{Name: "list_findings", About: "old"}); err != nil {
		t.Fatal(err)
	}
	entries := []ledger.Entry{
		{Kind: ledger.KindIntent, Employee: part("employee:e1", `{"id":"k1","employee":"e1","action":"view","task":"t1","door":"api","role":"agent"}`),
			Customer: part("customer:"+string(her), fmt.Sprintf(`{"id":"k1","customer":%q,"categories":["identity"],"looker":"p-e1","role":"agent"}`, her))},
		{Kind: ledger.KindIntent, Employee: part("employee:e2", `{"id":"k2","employee":"e2","action":"search","door":"page"}`)},
	}
	for i, e := range entries {
		r, err := a.ledger.Append(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprint("k", i+1)
		if _, err := a.ledger.Append(t.Context(), ledger.Entry{Kind: ledger.KindOutcome, Outcome: "shown", Of: r.Number + 1,
			Employee: part("employee:e2", fmt.Sprintf(`{"id":%q,"employee":"e2","rows":3}`, id)),
			Customer: part("customer:"+string(her), fmt.Sprintf(`{"id":%q,"customer":%q,"rows":3}`, id, her))}); err != nil {
			t.Fatal(err)
		}
	}
	a.caughtUp(t)
}

func TestTheIndexOfAnHonestServerIsAsTheJournalMakesIt(t *testing.T) {
	a := newArchive(t)
	a.looked(t)
	asWritten(t, a.compare(t)) // beside the server
	a.erase(t, her, "")
	asWritten(t, a.compare(t))
	a.Save(t, &access.EmployeeKnown{Employee: access.Employee{ID: his, LeavesOn: a.Clock.Now().AddDate(-2, 0, 0)}})
	a.erase(t, "", his)
	a.looked2(t)
	r := a.compare(t)
	asWritten(t, r)
	if !strings.Contains(strings.Join(r.Unknown, " "), "findings") {
		t.Errorf("it doesn't say what isn't compared: %v", r.Unknown)
	}
	a.close(t)
	asWritten(t, a.compare(t)) // stopped
}

// looked2 has her looked at again, after her erasure.
func (a *archive) looked2(t *testing.T) {
	t.Helper()
	if _, err := a.lookups.Look(t.Context(), a.lead, lookup.Request{Door: "api", Customer: her, Action: access.ActionView}); err == nil {
		t.Fatal("a look-up without a task was allowed")
	}
	a.caughtUp(t)
}

// Attacks by somebody with the database's password. Each is named with its
// record and the kind of field, and no value is.
func TestAnIndexThatWasChangedIsNamed(t *testing.T) {
	a := newArchive(t)
	a.looked(t)
	a.close(t)
	asWritten(t, a.compare(t))
	var number, other int64
	if err := func() error {
		db, err := sql.Open("sqlite", filepath.Join(a.dir, store.StateFile))
		if err != nil {
			return err
		}
		defer db.Close()
		return db.QueryRow(`SELECT MIN(number), MAX(number) FROM lookups WHERE customer = ? AND employee = 'e1' AND act = ''`, string(her)).Scan(&number, &other)
	}(); err != nil {
		t.Fatal(err)
	}
	const save, back = `CREATE TABLE was AS SELECT * FROM lookups; CREATE TABLE was_at AS SELECT * FROM follower`,
		`DELETE FROM lookups; INSERT INTO lookups SELECT * FROM was; DELETE FROM follower; INSERT INTO follower SELECT * FROM was_at`
	a.sql(t, save)
	body := func(path, value string) string {
		return fmt.Sprintf(`UPDATE lookups SET body = json_set(body, '$.%s', %s) WHERE number = %d`, path, value, number)
	}
	cases := []struct{ name, attack, says string }{
		{"the employee changed", fmt.Sprintf(`UPDATE lookups SET employee = 'e3' WHERE number = %d`, number), "changed: employee"},
		{"the customer changed", fmt.Sprintf(`UPDATE lookups SET customer = 'cust-bob-1' WHERE number = %d`, number), "changed: customer"},
		{"the time changed", fmt.Sprintf(`UPDATE lookups SET at = at + 1000000 WHERE number = %d`, number), "changed"},
		{"what was shown changed", body("c", "json('[]')"), "what was shown"},
		{"the task changed", body("t", "'another'"), "task or purpose"},
		{"the purpose changed", body("p", "'claims'"), "task or purpose"},
		{"the reason changed", body("r", "'I was called'"), "reasons"},
		{"only the column changed by which it is found", fmt.Sprintf(`UPDATE lookups SET employee = 'e9' WHERE number = %d`, number), "changed: employee"},
		{"no row any more, but garbage", fmt.Sprintf(`UPDATE lookups SET body = '{' WHERE number = %d`, number), "what it is found by"},
		{"as if she were erased", fmt.Sprintf(`UPDATE lookups SET customer = '', body = json_set(json_remove(body, '$.t', '$.o', '$.c', '$.r'), '$.x', '2026-06-01T10:00:00Z') WHERE number = %d`, number), "says that somebody was erased"},
		{"the row removed", fmt.Sprintf(`DELETE FROM lookups WHERE number = %d`, number), "was removed"},
		{"the newest row removed", `DELETE FROM lookups WHERE number = (SELECT MAX(number) FROM lookups)`, "was removed"},
		{"the whole table emptied", `DELETE FROM lookups`, "was removed"},
		{"a row added where a record of the ledger's own is", `INSERT INTO lookups SELECT 0, id, at, employee, customer, outcome, act, body FROM was WHERE number = (SELECT MAX(number) FROM was)`, "it was added"},
		{"a row added behind the journal's end", `INSERT INTO lookups SELECT 99999, id, at, employee, customer, outcome, act, body FROM was WHERE number = (SELECT MAX(number) FROM was)`, "it was added"},
		{"a row added before its beginning", `INSERT INTO lookups SELECT -7, id, at, employee, customer, outcome, act, body FROM was WHERE number = (SELECT MAX(number) FROM was)`, "it was added"},
		{"two rows exchanged", fmt.Sprintf(`UPDATE lookups SET number = -1 WHERE number = %d; UPDATE lookups SET number = %d WHERE number = %d; UPDATE lookups SET number = %d WHERE number = -1`,
			number, number, other, other), "changed"},
		{"the checkpoint put behind the journal's end", `UPDATE follower SET number = 99999`, "checkpoint was changed"},
		{"the checkpoint reset and a row changed", body("t", "'another'") + `; UPDATE follower SET number = 0`, "task or purpose"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a.sql(t, back)
			a.sql(t, c.attack)
			r := a.compare(t)
			if !slices.ContainsFunc(r.Problems, func(p investigate.IndexProblem) bool { return strings.Contains(p.What, c.says) }) {
				t.Errorf("%d problems: %v", r.Count, r.Problems)
			}
			if !strings.Contains(c.name, "emptied") && r.Count > 2 {
				t.Errorf("one row makes %d problems: %v", r.Count, r.Problems)
			}
			for _, p := range r.Problems {
				if strings.Contains(p.What, string(her)) || strings.Contains(p.What, "e1") || strings.Contains(p.What, "another") {
					t.Errorf("a value is told: %s", p.What)
				}
			}
		})
	}
	a.sql(t, back)
	a.sql(t, `UPDATE follower SET number = 0; DELETE FROM lookups`)
	if r := a.compare(t); !strings.Contains(strings.Join(r.Unknown, " "), "was removed") {
		t.Errorf("an index that is to be built anew isn't told: %v", r.Unknown)
	}
}

// Attack: an erased person's row is written back from an old copy.
func TestARowThatComesBackAfterAnErasureIsNamed(t *testing.T) {
	a := newArchive(t)
	a.looked(t)
	a.sql(t, `CREATE TABLE was AS SELECT * FROM lookups`)
	a.erase(t, her, "")
	a.Clock.Advance(time.Hour)
	a.looked2(t)
	a.close(t)
	asWritten(t, a.compare(t))
	a.sql(t, `DELETE FROM lookups WHERE number IN (SELECT number FROM was); INSERT INTO lookups SELECT * FROM was`)
	r := a.compare(t)
	if r.Count == 0 || !strings.Contains(r.Problems[0].What, "still holds what was erased") {
		t.Errorf("%d problems: %v", r.Count, r.Problems)
	}
}

// Every field of a row is compared: one that is added later can't be forgotten.
func TestEveryFieldOfARowIsCompared(t *testing.T) {
	var base investigate.Indexed
	var walk func(v reflect.Value, name string)
	walk = func(v reflect.Value, name string) {
		if v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[time.Time]() {
			for i := range v.NumField() {
				walk(v.Field(i), name+"."+v.Type().Field(i).Name)
			}
			return
		}
		was := reflect.New(v.Type()).Elem()
		was.Set(v)
		switch {
		case v.Kind() == reflect.String:
			v.SetString("x")
		case v.CanInt():
			v.SetInt(7)
		case v.CanUint():
			v.SetUint(7)
		case v.Kind() == reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		case v.Type() == reflect.TypeFor[time.Time]():
			v.Set(reflect.ValueOf(time.Unix(1, 0)))
		default:
			t.Fatalf("%s: a %s", name, v.Type())
		}
		if len(base.Unlike(investigate.Indexed{})) != 1 {
			t.Errorf("%s isn't compared", name)
		}
		v.Set(was)
	}
	walk(reflect.ValueOf(&base).Elem(), "Indexed")
	if wrong := base.Unlike(investigate.Indexed{}); len(wrong) != 0 {
		t.Error(wrong)
	}
}
