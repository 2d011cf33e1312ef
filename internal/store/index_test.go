package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"paravent/internal/access"
	"paravent/internal/detect"
	"paravent/internal/identity"
	"paravent/internal/investigate"
	"paravent/internal/lookup"
	"paravent/internal/qualify"
	"paravent/internal/store"
)

func triesCount(t *testing.T, s *store.Store) {
	ctx, k := t.Context(), s.Tries()
	reserve := func(when time.Duration) int64 {
		id, err := k.Reserve(ctx, "e1", at.Add(when))
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	want := func(what string, since time.Duration, misses int, until time.Time) {
		t.Helper()
		got, locked, err := k.Standing(ctx, "e1", at.Add(since))
		if err != nil || got != misses || !locked.Equal(until) {
			t.Errorf("%s: got %d, %v, %v, want %d, %v", what, got, locked, err, misses, until)
		}
	}
	want("nothing yet", 0, 0, time.Time{})
	reserve(0)
	second := reserve(time.Minute)
	want("two in the air", 0, 2, time.Time{})
	want("since the second", time.Minute, 1, time.Time{})
	if err := k.Settle(ctx, second, lookup.TryFound, nil); err != nil {
		t.Fatal(err)
	}
	want("somebody was found, no caller", 0, 1, time.Time{})
	if err := k.Settle(ctx, second, lookup.TryHit, []access.CustomerID{"c1"}); err != nil {
		t.Fatal(err)
	}
	want("after a hit", 0, 0, time.Time{})
	reserve(2 * time.Minute)
	reserve(3 * time.Minute)
	want("two after the hit", 0, 2, time.Time{})
	if err := k.Lock(ctx, "e1", at.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	want("locked", 0, 2, at.Add(time.Hour))
	if err := k.Unlock(ctx, "e1", at.Add(3*time.Minute)); err != nil {
		t.Fatal(err)
	}
	want("lifted", 0, 1, time.Time{})
	misses, locked, err := k.Standing(ctx, "e2", at)
	if err != nil || misses != 0 || !locked.IsZero() {
		t.Errorf("somebody else: got %d, %v, %v", misses, locked, err)
	}
	reserve(48 * time.Hour)
	want("a day later the old ones are forgotten", -time.Hour, 1, time.Time{})
}

func missesAtCustomer(t *testing.T, s *store.Store) {
	ctx, k := t.Context(), s.Tries()
	for i, e := range []access.EmployeeID{"e1", "e2", "e3"} {
		id, err := k.Reserve(ctx, e, at.Add(time.Duration(i)*time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		ended := lookup.TryMissed
		if e == "e3" {
			ended = lookup.TryHit
		}
		if err := k.Settle(ctx, id, ended, []access.CustomerID{"c1", "c2", "c1"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		customer access.CustomerID
		since    time.Duration
		want     int
	}{{"c1", 0, 2}, {"c1", time.Minute, 1}, {"c1", time.Hour, 0}, {"c2", 0, 2}, {"c3", 0, 0}} {
		got, err := k.MissesAt(ctx, c.customer, at.Add(c.since))
		if err != nil || got != c.want {
			t.Errorf("%s since %v: got %d, %v, want %d", c.customer, c.since, got, err, c.want)
		}
	}
}

// row is a row of the index: e1 looks at c1.
func row(number uint64, id access.LookupID, when time.Duration, outcome access.Outcome) investigate.Indexed {
	return investigate.Indexed{
		Number: number, Kind: "intent", Purpose: "refund", Role: "agent", Pseudonym: "p1", Door: "api", Reasons: []string{"assigned"}, Rows: 3,
		Lookup: access.Lookup{
			ID: id, At: at.Add(when), Employee: "e1", Customer: "c1", Action: access.ActionView,
			Categories: []access.Category{"orders"}, Task: "t1", Outcome: outcome,
		},
	}
}

func indexReplaces(t *testing.T, s *store.Store) {
	ctx := t.Context()
	first, second, other := row(0, "l0", 0, access.OutcomeUnknown), row(5, "l5", time.Minute, access.OutcomeShown), row(7, "l7", 0, access.OutcomeRefused)
	other.Lookup.Customer, other.Lookup.Employee = "c2", "e2"
	act := investigate.Indexed{Number: 9, Kind: "act", Act: "who_looked", Lookup: access.Lookup{ID: "l9", At: at.Add(time.Hour), Employee: "e2", Customer: "c1"}}
	done := row(0, "l0", 0, access.OutcomeShown)
	for _, rows := range [][]investigate.Indexed{{first, second, other, act, act}, {done}, nil} {
		if err := s.SaveIndexed(ctx, rows); err != nil {
			t.Fatal(err)
		}
	}
	check := func(what string, want []investigate.Indexed) func([]investigate.Indexed, error) {
		return func(got []investigate.Indexed, err error) {
			t.Helper()
			if diff := cmp.Diff(got, want); err != nil || diff != "" {
				t.Errorf("%s: got -, want +: %s, %v", what, diff, err)
			}
		}
	}
	check("at c1", []investigate.Indexed{act, second, done})(s.LookupsAt(ctx, "c1", 10))
	check("at c1, two", []investigate.Indexed{act, second})(s.LookupsAt(ctx, "c1", 2))
	check("at nobody", nil)(s.LookupsAt(ctx, "", 10))
	check("at C1", nil)(s.LookupsAt(ctx, "C1", 10))
	check("by e2", []investigate.Indexed{act.ForHim(), other.ForHim()})(s.LookupsBy(ctx, "e2", 10))
	check("by id", []investigate.Indexed{done, second})(s.LookupsByID(ctx, []access.LookupID{"l5", "", "l0", "l1"}))
}

func lookupsAreCounted(t *testing.T, s *store.Store) {
	act := investigate.Indexed{Number: 99, Kind: "act", Act: "who_looked", Lookup: access.Lookup{At: at, Employee: "e1"}}
	rows := []investigate.Indexed{
		act, row(1, "a", -time.Microsecond, access.OutcomeShown), row(2, "b", 0, access.OutcomeShown), row(3, "c", time.Minute-time.Microsecond, access.OutcomeShown),
		row(4, "d", time.Minute, access.OutcomeRefused), row(5, "e", 2*time.Minute, access.OutcomeShown), row(6, "f", 3*time.Minute, access.OutcomeMissed),
	}
	if err := s.SaveIndexed(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	got, err := s.CountLookups(t.Context(), at, time.Minute, 3)
	want := map[access.Outcome][]int{access.OutcomeShown: {2, 0, 1}, access.OutcomeRefused: {0, 1, 0}}
	if diff := cmp.Diff(got, want); err != nil || diff != "" {
		t.Errorf("got -, want +: %s, %v", diff, err)
	}
	if _, err := s.CountLookups(t.Context(), at, 0, 3); err == nil {
		t.Error("steps without a length were counted")
	}
}

func checkpointSaved(t *testing.T, s *store.Store) {
	ctx := t.Context()
	none, err := s.Checkpoint(ctx)
	if diff := cmp.Diff(none, investigate.Checkpoint{}); err != nil || diff != "" {
		t.Errorf("before the first: %s, %v", diff, err)
	}
	f1 := detect.Finding{ID: "f1", Score: 0.5, Kind: "pair", Customers: []access.CustomerID{"c1"}, Employees: []access.EmployeeID{"e1"}, RaisedAt: at}
	f2 := detect.Finding{ID: "f2", Score: 0.9, Kind: "crowd", RaisedAt: at.Add(time.Hour)}
	sample := detect.Finding{ID: "s1", Kind: "sample", RaisedAt: at}
	for _, c := range []investigate.Checkpoint{{}, {Number: 7, Seq: 9, State: []byte{1, 0, 2}}} {
		if err := s.SaveCheckpoint(ctx, c, []detect.Finding{f1, f2}, []detect.Finding{sample}); err != nil {
			t.Fatal(err)
		}
	}
	c, err := s.Checkpoint(ctx)
	if diff := cmp.Diff(c, investigate.Checkpoint{Number: 7, Seq: 9, State: []byte{1, 0, 2}}); err != nil || diff != "" {
		t.Errorf("checkpoint: got -, want +: %s, %v", diff, err)
	}
	found, err := s.Findings(ctx, false, 10)
	if diff := cmp.Diff(found, []detect.Finding{f2, f1}); err != nil || diff != "" {
		t.Errorf("findings: got -, want +: %s, %v", diff, err)
	}
	samples, err := s.Findings(ctx, true, 10)
	if diff := cmp.Diff(samples, []detect.Finding{sample}); err != nil || diff != "" {
		t.Errorf("samples: got -, want +: %s, %v", diff, err)
	}
	n, err := s.CountFindings(ctx)
	if err != nil || n != 2 {
		t.Errorf("count: got %d, %v, want 2", n, err)
	}
	bad := detect.Finding{ID: "bad\x00", RaisedAt: at}
	err = s.SaveCheckpoint(ctx, investigate.Checkpoint{Number: 8}, []detect.Finding{{ID: "f3", RaisedAt: at}, bad}, nil)
	wantCode(t, "a finding that can't be stored", err, access.Invalid)
	c, err = s.Checkpoint(ctx)
	if err != nil || c.Number != 7 {
		t.Errorf("the checkpoint moved without its findings: %+v, %v", c, err)
	}
	_, err = s.Finding(ctx, "f3")
	wantCode(t, "the finding beside it", err, access.NotFound)
}

func qualificationsReplaced(t *testing.T, s *store.Store) {
	day := at.Truncate(24 * time.Hour)
	q := func(kind qualify.Kind, days int) qualify.Row {
		return qualify.Row{Employee: "e1", Kind: kind, ValidUntil: day.AddDate(0, 0, days)}
	}
	if err := s.SaveQualifications(t.Context(), []qualify.Row{q("guideline", 1), q("training", 2), q("training", 3)}); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveQualifications(t.Context(), []qualify.Row{q("guideline", 0)}); err != nil {
		t.Fatal(err)
	}
	got, err := s.Qualifications(t.Context(), "e1")
	if diff := cmp.Diff(got, []qualify.Row{q("guideline", 0), q("training", 3)}); err != nil || diff != "" {
		t.Errorf("got -, want +: %s, %v", diff, err)
	}
}

// anAccount is an employee's.
func anAccount(login string, e access.EmployeeID) identity.Account {
	return identity.Account{Login: login, Kind: identity.KindEmployee, Employee: e, Hash: "h"}
}

func oneAccount(t *testing.T, s *store.Store) {
	ctx := t.Context()
	wantCode(t, "the first", s.AddAccount(ctx, anAccount("a", "e1")), "")
	wantCode(t, "the same login", s.AddAccount(ctx, anAccount("a", "e2")), access.Conflict)
	wantCode(t, "the same person", s.AddAccount(ctx, anAccount("b", "e1")), access.Conflict)
	customer := identity.Account{Login: "c", Kind: identity.KindCustomer, Customer: "e1", Hash: "h"}
	wantCode(t, "a customer of that id", s.AddAccount(ctx, customer), "")
	got, err := s.Account(ctx, "c")
	if diff := cmp.Diff(got, customer); err != nil || diff != "" {
		t.Errorf("got -, want +: %s, %v", diff, err)
	}
}

func firstAccount(t *testing.T, s *store.Store) {
	ctx := t.Context()
	save(t, s, &access.EmployeeKnown{Employee: access.Employee{ID: "agent", Role: access.RoleAgent}})
	err := s.AddFirst(ctx, access.Employee{ID: "agent", Role: access.RoleAdministrator}, anAccount("agent", "agent"))
	wantCode(t, "taking an employee's place", err, access.Conflict)
	e, err := s.Employee(ctx, "agent")
	if err != nil || e.Role != access.RoleAgent {
		t.Errorf("the agent: got %+v, %v", e, err)
	}
	admin := access.Employee{ID: "admin", Role: access.RoleAdministrator}
	wantCode(t, "the first", s.AddFirst(ctx, admin, anAccount("admin", "admin")), "")
	wantCode(t, "a second first", s.AddFirst(ctx, access.Employee{ID: "x"}, anAccount("x", "x")), access.Conflict)
	_, err = s.Employee(ctx, "x")
	wantCode(t, "his employee", err, access.NotFound)
}

func accountsAreListed(t *testing.T, s *store.Store) {
	ctx := t.Context()
	if any, err := s.AnyAccount(ctx); any || err != nil {
		t.Errorf("an empty store: got %t, %v", any, err)
	}
	for _, a := range []identity.Account{
		{Login: "c%", Kind: identity.KindCustomer, Customer: "c1", Hash: "h"}, anAccount("zoe", "e1"), anAccount("ann", "e2"), anAccount("anton", "e3"),
	} {
		wantCode(t, a.Login, s.AddAccount(ctx, a), "")
	}
	if any, err := s.AnyAccount(ctx); !any || err != nil {
		t.Errorf("a full store: got %t, %v", any, err)
	}
	for _, c := range []struct {
		find  string
		limit int
		want  string
	}{{"", 10, "ann anton zoe c%"}, {"", 2, "ann anton"}, {"an", 10, "ann anton"}, {"e1", 10, "zoe"}, {"c1", 10, "c%"}, {"%", 10, ""}, {"_", 10, ""}, {"ANN", 10, ""}} {
		all, err := s.ListAccounts(ctx, c.find, c.limit)
		var logins []string
		for _, a := range all {
			logins = append(logins, a.Login)
			if a.Hash != "" || a.Employee == "" && a.Customer == "" {
				t.Errorf("listed as %+v", a)
			}
		}
		if got := strings.Join(logins, " "); err != nil || got != c.want {
			t.Errorf("find %q, at most %d: got %q, %v, want %q", c.find, c.limit, got, err, c.want)
		}
	}
}

// signedIn adds an account with one session and one token.
func signedIn(t *testing.T, s *store.Store, login string, b byte) {
	t.Helper()
	ctx := t.Context()
	if err := s.AddAccount(ctx, anAccount(login, access.EmployeeID("e-"+login))); err != nil {
		t.Fatal(err)
	}
	if err := s.AddSession(ctx, identity.Session{Hash: [32]byte{b}, ID: "s", Login: login, Since: at, Seen: at, Until: at.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if err := s.AddToken(ctx, identity.Token{ID: "k-" + login, Hash: [32]byte{b}, Login: login, Name: "n", Since: at, Until: at.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
}

func changedAccount(t *testing.T, s *store.Store) {
	ctx := t.Context()
	signedIn(t, s, "a", 1)
	signedIn(t, s, "b", 2)
	change := identity.Account{Login: "a", Hash: "new", Disabled: true, MustChange: true}
	if err := s.ChangeAccount(ctx, change, at.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	got, err := s.Account(ctx, "a")
	if err != nil || got.Hash != "new" || !got.Disabled || !got.MustChange || got.Employee != "e-a" {
		t.Errorf("account: got %+v, %v", got, err)
	}
	_, err = s.Session(ctx, [32]byte{1})
	wantCode(t, "its session", err, access.NotFound)
	k, err := s.Token(ctx, [32]byte{1})
	if err != nil || !k.RevokedAt.Equal(at.Add(time.Minute)) {
		t.Errorf("its token: got %+v, %v", k, err)
	}
	_, err = s.Session(ctx, [32]byte{2})
	wantCode(t, "another's session", err, "")
	tokens, err := s.TokensOf(ctx, "b")
	if err != nil || len(tokens) != 1 {
		t.Errorf("another's tokens: got %+v, %v", tokens, err)
	}
}

func endedSessions(t *testing.T, s *store.Store) {
	ctx := t.Context()
	signedIn(t, s, "a", 1)
	if err := s.SeeSession(ctx, [32]byte{1}, at.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := s.SeeSession(ctx, [32]byte{1}, at.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	got, err := s.Session(ctx, [32]byte{1})
	want := identity.Session{Hash: [32]byte{1}, ID: "s", Login: "a", Since: at, Seen: at.Add(time.Minute), Until: at.Add(time.Hour)}
	if diff := cmp.Diff(got, want); err != nil || diff != "" {
		t.Errorf("got -, want +: %s, %v", diff, err)
	}
	if err := s.EndSession(ctx, [32]byte{1}); err != nil {
		t.Fatal(err)
	}
	if err := s.SeeSession(ctx, [32]byte{1}, at.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	_, err = s.Session(ctx, [32]byte{1})
	wantCode(t, "used after its end", err, access.NotFound)
}

func revokeToken(t *testing.T, s *store.Store) {
	ctx := t.Context()
	signedIn(t, s, "a", 1)
	signedIn(t, s, "b", 2)
	wantCode(t, "somebody else's", s.RevokeToken(ctx, "b", "k-a", at), access.NotFound)
	wantCode(t, "his own", s.RevokeToken(ctx, "a", "k-a", at), "")
	wantCode(t, "once more", s.RevokeToken(ctx, "a", "k-a", at), access.NotFound)
	if err := s.SeeToken(ctx, "k-b", at.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	k, err := s.Token(ctx, [32]byte{2})
	if err != nil || !k.Seen.Equal(at.Add(time.Minute)) || !k.RevokedAt.IsZero() {
		t.Errorf("the other: got %+v, %v", k, err)
	}
}
