package qualify_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"paravent/internal/access"
	"paravent/internal/policy"
	"paravent/internal/qualify"
	"paravent/internal/testenv"
)

func TestWhatAnEmployeeLacks(t *testing.T) {
	day := testenv.Start.Truncate(24 * time.Hour)
	row := func(kind qualify.Kind, days int) qualify.Row {
		return qualify.Row{Employee: "e1", Kind: kind, ValidUntil: day.AddDate(0, 0, days)}
	}
	foreign := row("training", 9)
	foreign.Employee = "E1"
	for name, c := range map[string]struct {
		rows []qualify.Row
		want []string
	}{
		"everything":             {nil, []string{"guideline", "training", "attestation"}},
		"nothing":                {[]qualify.Row{row("attestation", 9), row("training", 9), row("guideline", 9)}, nil},
		"nothing, until tonight": {[]qualify.Row{row("attestation", 0), row("training", 0), row("guideline", 0)}, nil},
		"what ended last night":  {[]qualify.Row{row("attestation", 9), row("training", -1), row("guideline", 9)}, []string{"training"}},
		"what a colleague has":   {[]qualify.Row{row("attestation", 9), foreign, row("guideline", 9)}, []string{"training"}},
		"what isn't a kind":      {[]qualify.Row{row("attestation", 9), row("Training", 9), row("guideline", 9)}, []string{"training"}},
	} {
		got := qualify.Check(c.rows, "e1", testenv.Start)
		if diff := cmp.Diff(got, policy.Qualification{Current: len(c.want) == 0, Missing: c.want}); diff != "" {
			t.Errorf("%s: got -, want +: %s", name, diff)
		}
	}
	if got := qualify.Check([]qualify.Row{{Kind: "guideline", ValidUntil: day}, {Kind: "training", ValidUntil: day}, {Kind: "attestation", ValidUntil: day}}, "", testenv.Start); got.Current {
		t.Error("nobody is qualified")
	}
}

func TestAnImportQualifies(t *testing.T) {
	env := testenv.New(t)
	ctx := t.Context()
	n, err := env.Qualify.Import(ctx, strings.NewReader("\ufeffvalid_until,kind,employee,note\n2026-12-31,guideline,e1,x\n2026-12-31,training,e1,\n2026-03-02,attestation,e1,\n"))
	if err != nil || n != 3 {
		t.Fatalf("got %d, %v", n, err)
	}
	for _, c := range []struct {
		e    access.EmployeeID
		at   time.Time
		want []string
	}{
		{"e1", testenv.Start, nil},
		{"e1", testenv.Start.AddDate(0, 0, 1), []string{"attestation"}},
		{"e1", testenv.Start.AddDate(1, 0, 0), []string{"guideline", "training", "attestation"}},
		{"e2", testenv.Start, []string{"guideline", "training", "attestation"}},
	} {
		got, err := env.Qualify.Qualification(ctx, c.e, c.at)
		if diff := cmp.Diff(got, policy.Qualification{Current: len(c.want) == 0, Missing: c.want}); err != nil || diff != "" {
			t.Errorf("%s at %v: got -, want +: %s, %v", c.e, c.at, diff, err)
		}
	}
	if _, err := env.Qualify.Import(ctx, strings.NewReader("employee,kind,valid_until\ne1,guideline,2026-01-01\n")); err != nil {
		t.Fatalf("taking it back: %v", err)
	}
	got, err := env.Qualify.Qualification(ctx, "e1", testenv.Start)
	if err != nil || got.Current {
		t.Errorf("after it was taken back: got %+v, %v", got, err)
	}
}

func TestAnImportWithABadRowSavesNothing(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no employee":       {"employee,kind,valid_until\ne1,guideline,2026-12-31\n,training,2026-12-31\n", "line 3, employee: it isn't an id"},
		"an unknown kind":   {"employee,kind,valid_until\ne1,guideline,2026-12-31\ne1,hearsay,2026-12-31\n", "line 3, kind: it isn't guideline, training or attestation"},
		"no day":            {"employee,kind,valid_until\ne1,guideline,2026-12-31\ne1,training,\n", "line 3, valid_until: it isn't a day (such as 2026-12-31)"},
		"a missing cell":    {"employee,kind,valid_until\ne1,guideline,2026-12-31\ne1,training\n", "line 3, valid_until: it isn't a day (such as 2026-12-31)"},
		"a quotation mark":  {"employee,kind,valid_until\ne1,guideline,2026-12-31\ne1,tr\"ning,2026-12-31\n", "line 3: it isn't CSV (RFC 4180)"},
		"a missing column":  {"employee,kind\n", "The columns of qualifications are: employee, kind, valid_until."},
		"an employee's NUL": {"employee,kind,valid_until\ne1,guideline,2026-12-31\ne\x00,training,2026-12-31\n", "line 3, employee: it isn't an id"},
	} {
		env := testenv.New(t)
		n, err := env.Qualify.Import(t.Context(), strings.NewReader(c.text))
		_, hint := access.Public(err)
		if access.CodeOf(err) != access.Invalid || n != 0 || hint != c.want {
			t.Errorf("%s: got %d, %v, %q, want %q", name, n, err, hint, c.want)
		}
		rows, err := env.Store.Qualifications(t.Context(), "e1")
		if err != nil || len(rows) != 0 {
			t.Errorf("%s: the good row was saved: %v, %v", name, rows, err)
		}
	}
	env := testenv.New(t)
	if _, err := env.Qualify.Import(t.Context(), strings.NewReader("")); access.CodeOf(err) != access.Invalid {
		t.Errorf("an empty file: got %v", err)
	}
}
