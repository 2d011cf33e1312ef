package task_test

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"paravent/internal/access"
	"paravent/internal/task"
	"paravent/internal/testenv"
)

// read returns the events of a table, and what was wrong.
func read(table, text string) (events []access.Event, wrong []string) {
	for ev, err := range task.ReadCSV(table, strings.NewReader(text)) {
		if err != nil {
			wrong = append(wrong, err.Error())
			continue
		}
		events = append(events, ev)
	}
	return events, wrong
}

// when returns a moment of the second of March 2026.
func when(clock string) time.Time {
	at, err := time.Parse(time.RFC3339, "2026-03-02T"+clock+"Z")
	if err != nil {
		panic(err)
	}
	return at
}

func TestEachTableBecomesItsEvents(t *testing.T) {
	for table, c := range map[string]struct {
		text string
		want []access.Event
	}{
		"tasks": {"\ufeffopened_at,id,extra,customer,purpose,channel,order,opened_by,closed_at,closed_by\n" +
			"2026-03-02T10:00:00+01:00,t1,?,c1,refund,mail,o1,customer,2026-03-02T11:00:00.1234567Z,e1\r\n" +
			"2026-03-02T09:00:00Z,t2,,c1,order,,,,,\n", []access.Event{
			&access.TaskOpened{Task: access.Task{ID: "t1", Customer: "c1", Purpose: "refund", Channel: "mail", Order: "o1", OpenedAt: when("09:00:00"), OpenedBy: "customer"}},
			&access.TaskClosed{Task: "t1", At: when("11:00:00.123456"), By: "e1"},
			&access.TaskOpened{Task: access.Task{ID: "t2", Customer: "c1", Purpose: "order", OpenedAt: when("09:00:00")}},
		}},
		"assignments": {"task,employee,team,since,until,by\nt1,e1,,2026-03-02T09:00:00Z,2026-03-02T10:00:00Z,lead\nt1,,red,2026-03-02T09:00:00Z,,\n", []access.Event{
			&access.Assigned{Assignment: access.Assignment{Task: "t1", Employee: "e1", Since: when("09:00:00"), By: "lead"}},
			&access.Unassigned{Task: "t1", Employee: "e1", At: when("10:00:00")},
			&access.Assigned{Assignment: access.Assignment{Task: "t1", Team: "red", Since: when("09:00:00")}},
		}},
		"work": {"task,employee,at,kind\nt1,e1,2026-03-02T09:00:00Z,note\n", []access.Event{
			&access.Worked{Work: access.Work{Task: "t1", Employee: "e1", At: when("09:00:00"), Kind: "note"}},
		}},
		"contacts": {"id,customer,at,until,channel,direction,employee\nk1,,2026-03-02T09:00:00Z,,call,in,e1\n", []access.Event{
			&access.Contacted{Contact: access.Contact{ID: "k1", At: when("09:00:00"), Channel: "call", Direction: "in", Employee: "e1"}},
		}},
		"customers": {"id,surname,household,notable,employee\nc1,\"Fisch, von\",h1,yes,e1\nc2,,,,\n", []access.Event{
			&access.CustomerKnown{Customer: access.Customer{ID: "c1", Surname: "Fisch, von", Household: "h1", Notable: true, Employee: "e1"}},
			&access.CustomerKnown{Customer: access.Customer{ID: "c2"}},
		}},
		"employees": {"id,name,surname,household,team,role,manager,joined_on,leaves_on\ne1,Eve One,One,h1,red,agent,e9,2026-03-02,2026-03-02T23:30:00Z\n", []access.Event{
			&access.EmployeeKnown{Employee: access.Employee{ID: "e1", Name: "Eve One", Surname: "One", Household: "h1", Team: "red", Role: "agent", Manager: "e9",
				JoinedOn: when("00:00:00"), LeavesOn: when("00:00:00")}},
		}},
		"relations": {"employee,customer,kind\ne1,c1,former_partner\n", []access.Event{
			&access.Related{Relation: access.Relation{Employee: "e1", Customer: "c1", Kind: access.RelationFormerPartner}},
		}},
		"orders": {"id,customer,at\no1,c1,2026-03-02T09:00:00Z\n", []access.Event{
			&access.Ordered{Order: access.Order{ID: "o1", Customer: "c1", At: when("09:00:00")}},
		}},
		"news": {"customer,at\nc1,2026-03-02T09:00:00Z\n", []access.Event{
			&access.InNews{News: access.News{Customer: "c1", At: when("09:00:00")}},
		}},
	} {
		events, wrong := read(table, c.text)
		if diff := cmp.Diff(events, c.want); diff != "" || wrong != nil {
			t.Errorf("%s: got -, want +: %s, %v", table, diff, wrong)
		}
	}
}

func TestARowThatCantBeUnderstoodIsNamedByLine(t *testing.T) {
	const good = "2026-03-02T09:00:00Z"
	for name, c := range map[string]struct{ table, rows, want string }{
		"no id":                  {"tasks", "id,customer,purpose,opened_at\n,c1,refund," + good, "line 2, id: it is empty"},
		"too few cells":          {"tasks", "id,customer,purpose,opened_at\nt1,c1", "line 2, purpose: it is empty"},
		"no time":                {"tasks", "id,customer,purpose,opened_at\nt1,c1,refund,yesterday", "line 2, opened_at: it isn't a time (RFC 3339 with an offset or Z)"},
		"a time without offset":  {"tasks", "id,customer,purpose,opened_at\nt1,c1,refund,2026-03-02T09:00:00", "line 2, opened_at: it isn't a time (RFC 3339 with an offset or Z)"},
		"a time before 1970":     {"tasks", "id,customer,purpose,opened_at\nt1,c1,refund,1969-12-31T09:00:00Z", "line 2, opened_at: it isn't a time (RFC 3339 with an offset or Z)"},
		"closed before opened":   {"tasks", "id,customer,purpose,opened_at,closed_at\nt1,c1,refund," + good + ",2026-03-01T09:00:00Z", "line 2, closed_at: it is before opened_at"},
		"an id of our own":       {"tasks", "id,customer,purpose,opened_at\nP-x,c1,refund," + good, "line 2, id: ids that begin with P- are made by Paravent alone"},
		"the third line":         {"news", "customer,at\nc1," + good + "\nc1,x", "line 3, at: it isn't a time (RFC 3339 with an offset or Z)"},
		"after a cell of lines":  {"customers", "id,surname\nc1,\"a\nb\"\n,x", "line 4, id: it is empty"},
		"to nobody":              {"assignments", "task,employee,team,since\nt1,,," + good, "line 2, employee: either employee or team is needed, and not both"},
		"to two":                 {"assignments", "task,employee,team,since\nt1,e,r," + good, "line 2, employee: either employee or team is needed, and not both"},
		"an unknown relation":    {"relations", "employee,customer,kind\ne,c,friend", "line 2, kind: it isn't one of self, family, former_partner, coworker, neighbour"},
		"a sideways call":        {"contacts", "id,at,channel,direction\nk," + good + ",call,sideways", "line 2, direction: it isn't one of in, out"},
		"neither yes nor no":     {"customers", "id,notable\nc,maybe", "line 2, notable: it isn't one of yes, no, "},
		"an open quotation mark": {"customers", "id,surname\nc,\"x", "line 2: it isn't CSV (RFC 4180)"},
		"a bare quotation mark":  {"customers", "id,surname\nc,x\"y", "line 2: it isn't CSV (RFC 4180)"},
		"NUL":                    {"customers", "id,surname\nc,x\x00", "line 2, surname: it isn't text of at most 1000 bytes in UTF-8"},
		"broken UTF-8":           {"customers", "id,surname\nc,\xff", "line 2, surname: it isn't text of at most 1000 bytes in UTF-8"},
		"a long cell":            {"customers", "id,surname\nc," + strings.Repeat("x", 1001), "line 2, surname: it isn't text of at most 1000 bytes in UTF-8"},
		"a day that isn't":       {"employees", "id,role,leaves_on\ne,agent,2026-02-30", "line 2, leaves_on: it isn't a time (RFC 3339 with an offset or Z)"},
	} {
		_, wrong := read(c.table, c.rows+"\n")
		if len(wrong) != 1 || wrong[0] != c.want {
			t.Errorf("%s: got %q, want %q", name, wrong, c.want)
		}
	}
}

func TestAFileThatIsNoTableIsInvalid(t *testing.T) {
	for name, c := range map[string]struct{ table, text string }{
		"an unknown table": {"passwords", "id\n"},
		"empty":            {"tasks", ""},
		"no header":        {"tasks", "t1,c1,refund,2026-03-02T09:00:00Z\n"},
		"a missing column": {"tasks", "id,customer,purpose\n"},
		"a column twice":   {"customers", "id,notable,notable\nc1,yes,no\n"},
		"a broken header":  {"tasks", "\"id\n"},
	} {
		env := testenv.New(t)
		_, err := env.Tasks.Import(t.Context(), importer, c.table, strings.NewReader(c.text))
		wantCode(t, name, err, access.Invalid)
	}
}

func TestAnImportSavesAllRowsOrNone(t *testing.T) {
	env := testenv.New(t)
	ctx := t.Context()
	var bad strings.Builder
	bad.WriteString("employee,customer,kind\ne1,c1,family\n")
	for range 30 {
		bad.WriteString("e1,secret-customer,enemy\n")
	}
	n, err := env.Tasks.Import(ctx, importer, "relations", strings.NewReader(bad.String()))
	wantCode(t, "with bad rows", err, access.Invalid)
	if n.Rows != 31 || n.Bad != 30 || n.Events != 0 || len(n.Errors) != 20 || n.Errors[0].Line != 3 {
		t.Errorf("count: got %+v", n)
	}
	message, hint := access.Public(err)
	if !strings.Contains(hint, "line 3") || strings.Contains(message+hint+err.Error(), "secret-customer") {
		t.Errorf("the error: got %q, %q", message, hint)
	}
	ties, err := env.Store.Relations(ctx, "e1", "c1")
	if err != nil || len(ties) != 0 {
		t.Errorf("the good row: got %v, %v, want it left out", ties, err)
	}

	good := "employee,customer,kind\ne1,c1,family\ne1,c1,neighbour\n"
	for range 2 { // importing twice is no mistake
		n, err = env.Tasks.Import(ctx, importer, "relations", strings.NewReader(good))
		if err != nil || n.Rows != 2 || n.Events != 2 || n.Bad != 0 {
			t.Errorf("got %+v, %v", n, err)
		}
	}
	ties, err = env.Store.Relations(ctx, "e1", "c1")
	if diff := cmp.Diff(ties, []access.RelationKind{"family", "neighbour"}); err != nil || diff != "" {
		t.Errorf("got -, want +: %s, %v", diff, err)
	}
	n, err = env.Tasks.Import(ctx, importer, "news", strings.NewReader("customer,at\n"))
	if err != nil || n.Rows != 0 || n.Events != 0 {
		t.Errorf("a table without rows: got %+v, %v", n, err)
	}
}

func TestRowsOfTwoMomentsCountOnce(t *testing.T) {
	env := testenv.New(t)
	n, err := env.Tasks.Import(t.Context(), importer, "tasks", strings.NewReader(
		"id,customer,purpose,opened_at,closed_at\nt1,c1,refund,2026-03-02T08:00:00Z,2026-03-02T10:00:00Z\nt2,c1,refund,2026-03-02T08:00:00Z,\n"))
	if err != nil || n.Rows != 2 || n.Events != 3 {
		t.Errorf("got %+v, %v, want 2 rows and 3 events", n, err)
	}
	k, err := env.Store.Task(t.Context(), "t1")
	if err != nil || !k.Open(at) || k.Open(at.Add(time.Hour)) {
		t.Errorf("got %+v, %v", k, err)
	}
}

func TestAFileThatBreaksOffIsNotImported(t *testing.T) {
	env := testenv.New(t)
	r := iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("customer,at\nc1,2026-03-02T08:00:00Z\n")))
	_, err := env.Tasks.Import(t.Context(), importer, "news", r)
	if err == nil {
		t.Error("no error")
	}
	r = iotest.DataErrReader(iotest.ErrReader(errors.New("the line went dead")))
	_, err = env.Tasks.Import(t.Context(), importer, "news", r)
	if err == nil {
		t.Error("no error")
	}
}

func FuzzReadCSV(f *testing.F) {
	f.Add("tasks", "id,customer,purpose,opened_at,closed_at\nt1,c1,refund,2026-03-02T08:00:00Z,\n")
	f.Add("employees", "id,role,leaves_on\ne1,agent,2026-01-01\n")
	f.Add("assignments", "task,employee,team,since,until\nt,\"e\",,2026-03-02T08:00:00Z,x\n")
	f.Fuzz(func(t *testing.T, table, text string) {
		for ev, err := range task.ReadCSV(table, strings.NewReader(text)) {
			if (ev == nil) == (err == nil) {
				t.Fatalf("got %v and %v", ev, err)
			}
			if k, ok := ev.(*access.TaskOpened); ok && (k.ID == "" || k.Customer == "" || k.OpenedAt.IsZero()) {
				t.Fatalf("half a task: %+v", k)
			}
		}
	})
}

// importer is a connector's account.
var importer = access.Employee{ID: "tickets", Role: access.RoleConnector}

// G8: who may import the directory can't make himself somebody else.
func TestNobodyImportsAnotherRoleForHimself(t *testing.T) {
	ada := access.Employee{ID: "ada", Role: access.RoleAdministrator}
	const header = "id,role,team,manager\n"
	for _, c := range []struct {
		name, rows string
		code       access.Code
	}{
		{"his own row as it is", "ada,administrator,,\n", ""},
		{"another role", "e1,agent,care,\nada,privacy_officer,,\n", access.Invalid},
		{"another team", "ada,administrator,care,\n", access.Invalid},
		{"another manager", "ada,administrator,,e1\n", access.Invalid},
		{"somebody else's role", "e1,privacy_officer,,\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := testenv.New(t)
			n, err := env.Tasks.Import(t.Context(), ada, "employees", strings.NewReader(header+c.rows))
			if access.CodeOf(err) != c.code {
				t.Errorf("got %v, want code %q", err, c.code)
			}
			if (c.code == "") != (n.Events > 0) {
				t.Errorf("%d facts were saved", n.Events)
			}
		})
	}
}
