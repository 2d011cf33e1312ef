package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"paravent/internal/access"
	"paravent/internal/lookup"
	"paravent/internal/store"
	"paravent/internal/testenv"
)

// at is a moment in every test; its microseconds tell whether they are kept.
var at = testenv.Start.Add(123456 * time.Microsecond)

// save saves facts or ends the test.
func save(t *testing.T, s *store.Store, events ...access.Event) {
	t.Helper()
	if err := s.SaveFacts(t.Context(), events); err != nil {
		t.Fatalf("save facts: %v", err)
	}
}

// wantCode fails unless err has the code.
func wantCode(t *testing.T, what string, err error, want access.Code) {
	t.Helper()
	if got := access.CodeOf(err); got != want {
		t.Errorf("%s: got %q (%v), want %q", what, got, err, want)
	}
}

// customerNamed is a customer whom a test tells from others by surname.
func customerNamed(id, surname string) access.Event {
	return &access.CustomerKnown{Customer: access.Customer{ID: access.CustomerID(id), Surname: surname}}
}

// eachApart saves a customer under each id and expects to find all of them.
func eachApart(t *testing.T, s *store.Store, ids ...string) {
	t.Helper()
	for _, id := range ids {
		save(t, s, customerNamed(id, "surname of "+id))
	}
	for _, id := range ids {
		c, err := s.Customer(t.Context(), access.CustomerID(id))
		if err != nil || c.Surname != "surname of "+id {
			t.Errorf("customer %q: got %+v, %v", id, c, err)
		}
	}
}

func caseMatters(t *testing.T, s *store.Store) {
	eachApart(t, s, "c1", "C1", "straße", "STRASSE", "İ", "i", "ı")
	_, err := s.Customer(t.Context(), "STRAßE")
	wantCode(t, "another spelling", err, access.NotFound)
}

func normalizationMatters(t *testing.T, s *store.Store) {
	eachApart(t, s, "caf\u00e9", "cafe\u0301", "c1", "c1 ", " c1", "c%", "c_", "ｃ1", "\U0001F41F")
}

func textIsKept(t *testing.T, s *store.Store) {
	for _, text := range []string{"", " ", "  two  ", "a'b\"c", "line\nline\r\n", "日本語", "e\u0301", "\u202e", "🐟", "NULL", "0", "1e5"} {
		save(t, s, customerNamed("c", text))
		c, err := s.Customer(t.Context(), "c")
		if err != nil || c.Surname != text {
			t.Errorf("got %q, %v, want %q", c.Surname, err, text)
		}
	}
}

func badTextIsRefused(t *testing.T, s *store.Store) {
	for _, bad := range []string{"a\x00b", "\x00", "\xff", "a\xc3"} {
		err := s.SaveFacts(t.Context(), []access.Event{customerNamed("good", ""), customerNamed(bad, "")})
		wantCode(t, "an id", err, access.Invalid)
		err = s.SaveFacts(t.Context(), []access.Event{customerNamed("good", bad)})
		wantCode(t, "a value", err, access.Invalid)
		_, err = s.Customer(t.Context(), access.CustomerID(bad))
		wantCode(t, "asking for it", err, access.NotFound)
	}
	_, err := s.Customer(t.Context(), "good")
	wantCode(t, "what stood beside it", err, access.NotFound)
	_, err = s.Customer(t.Context(), "a")
	wantCode(t, "what stood before the NUL", err, access.NotFound)
}

func timesAreKept(t *testing.T, s *store.Store) {
	east := time.FixedZone("east", 5*3600+1800)
	opened := time.Date(2026, 3, 2, 23, 59, 59, 999_999_000, east)
	save(t, s, &access.TaskOpened{Task: access.Task{ID: "t", Customer: "c", Purpose: "refund", OpenedAt: opened}})
	got, err := s.Task(t.Context(), "t")
	if err != nil {
		t.Fatal(err)
	}
	if !got.OpenedAt.Equal(opened) || got.OpenedAt.Location() != time.UTC {
		t.Errorf("got %v, want %v in UTC", got.OpenedAt, opened)
	}
	facts, err := s.Facts(t.Context(), 0, 10)
	if err != nil || len(facts) != 1 || !facts[0].Event.When().Equal(opened) {
		t.Errorf("change log: got %+v, %v", facts, err)
	}
}

func unknownStaysUnknown(t *testing.T, s *store.Store) {
	want := access.Employee{ID: "e", Role: access.RoleAgent}
	save(t, s, &access.EmployeeKnown{Employee: want})
	got, err := s.Employee(t.Context(), "e")
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if !got.JoinedOn.IsZero() || !got.LeavesOn.IsZero() {
		t.Errorf("days that nobody told: %v, %v", got.JoinedOn, got.LeavesOn)
	}
	full := access.Employee{
		ID: "f", Name: "F. Ull", Surname: "Ull", Household: "h", Team: "t", Role: "x", Manager: "e",
		JoinedOn: testenv.Start.AddDate(-1, 0, 0), LeavesOn: testenv.Start.AddDate(1, 0, 0),
	}
	save(t, s, &access.EmployeeKnown{Employee: full})
	got, err = s.Employee(t.Context(), "f")
	if diff := cmp.Diff(got, full); err != nil || diff != "" {
		t.Errorf("got -, want +: %s, %v", diff, err)
	}
}

func listsAreOrdered(t *testing.T, s *store.Store) {
	var events []access.Event
	for i, id := range []string{"b", "a", "Z", "é", "c"} {
		opened := at.Add(time.Duration(i%3) * time.Minute)
		events = append(events, &access.EmployeeKnown{Employee: access.Employee{ID: access.EmployeeID(id), Role: "agent"}},
			&access.TaskOpened{Task: access.Task{ID: access.TaskID(id), Customer: "c", Purpose: "p", OpenedAt: opened}},
			&access.Assigned{Assignment: access.Assignment{Task: access.TaskID(id), Employee: "e", Since: opened}})
	}
	save(t, s, events...)
	all, err := s.Employees(t.Context())
	var ids string
	for _, e := range all {
		ids += string(e.ID)
	}
	if want := "Zabcé"; err != nil || ids != want {
		t.Errorf("employees by bytes of id: got %q, %v, want %q", ids, err, want)
	}
	tasks, err := s.TasksOf(t.Context(), "e", "", at.Add(time.Hour))
	ids = ""
	for _, k := range tasks {
		ids += string(k.ID)
	}
	if want := "Zacbé"; err != nil || ids != want {
		t.Errorf("tasks newest first, then by id: got %q, %v, want %q", ids, err, want)
	}
}

func absentIsNotFound(t *testing.T, s *store.Store) {
	ctx := t.Context()
	ask := map[string]func() error{
		"account":           func() error { _, err := s.Account(ctx, "x"); return err },
		"session":           func() error { _, err := s.Session(ctx, [32]byte{}); return err },
		"token":             func() error { _, err := s.Token(ctx, [32]byte{}); return err },
		"employee":          func() error { _, err := s.Employee(ctx, "x"); return err },
		"customer":          func() error { _, err := s.Customer(ctx, "x"); return err },
		"task":              func() error { _, err := s.Task(ctx, "x"); return err },
		"call":              func() error { _, err := s.CallInProgress(ctx, "x", at); return err },
		"request":           func() error { _, err := s.Request(ctx, "x"); return err },
		"finding":           func() error { _, err := s.Finding(ctx, "x"); return err },
		"session to end":    func() error { return s.EndSession(ctx, [32]byte{}) },
		"account to change": func() error { return s.ChangeAccount(ctx, anAccount("x", "e"), at) },
		"token to revoke":   func() error { return s.RevokeToken(ctx, "x", "y", at) },
		"task to confirm":   func() error { return s.ConfirmTask(ctx, "x", "e") },
		"request to decide": func() error { return s.DecideRequest(ctx, "x", "confirmed", "e", at, "") },
		"try to settle":     func() error { return s.Tries().Settle(ctx, 7, lookup.TryHit, nil) },
	}
	for what, call := range ask {
		wantCode(t, what, call(), access.NotFound)
	}
	relations, err := s.Relations(ctx, "e", "c")
	if err != nil || len(relations) != 0 {
		t.Errorf("relations: got %v, %v", relations, err)
	}
}
