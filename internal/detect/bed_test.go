package detect_test

import (
	"cmp"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/detect"
)

// bedDir holds the labelled test bed: the folder that PARAVENT_BED names, or
// else the one that lies beside the checkout, where it does.
var bedDir = cmp.Or(os.Getenv("PARAVENT_BED"), filepath.Join("..", "..", "..", "shared", "data", "bed"))

// bed is a test bed in memory: its events in order of time, and its labels.
type bed struct {
	events   []access.Event
	lookups  []*access.Lookup
	byID     map[access.LookupID]*access.Lookup
	bots     map[access.EmployeeID]bool
	episodes map[string]*bedEpisode
	of       map[access.LookupID]string
	first    time.Time
	last     time.Time
}

type bedEpisode struct {
	scenario  string
	benign    bool
	lookups   []*access.Lookup
	employees map[access.EmployeeID]bool
	customers map[access.CustomerID]bool
}

// rowsOf reads one table of the bed, each row as a function from column to cell.
func rowsOf(t testing.TB, table string, each func(col func(string) string)) {
	t.Helper()
	f, err := os.Open(filepath.Join(bedDir, table+".csv.gz"))
	if err != nil {
		t.Fatalf("open the bed: %v", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatalf("open the bed's %s: %v", table, err)
	}
	r := csv.NewReader(z)
	r.ReuseRecord = true
	head, err := r.Read()
	if err != nil {
		t.Fatalf("read the bed's %s: %v", table, err)
	}
	at := map[string]int{}
	for i, h := range head {
		at[strings.Clone(h)] = i
	}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("read the bed's %s: %v", table, err)
		}
		each(func(c string) string {
			if i, ok := at[c]; ok {
				return row[i]
			}
			return ""
		})
	}
}

func timeIn(t testing.TB, s string) time.Time {
	if s == "" {
		return time.Time{}
	}
	layout := time.RFC3339
	if len(s) == len(time.DateOnly) {
		layout = time.DateOnly
	}
	at, err := time.Parse(layout, s)
	if err != nil {
		t.Fatalf("bed: %v", err)
	}
	return at.UTC()
}

// damage says what to leave out of a bed, to see what detection rests on.
type damage struct {
	relations, news bool    // leave out the whole table
	contacts        float64 // share of days whose contacts are left out
	tasks           float64 // share of tasks left out
	seed            uint64
}

// wholeBed is the bed without damage, read once.
var wholeBed *bed

func loadBed(t testing.TB, d damage) *bed {
	t.Helper()
	if d == (damage{}) && wholeBed != nil {
		return wholeBed
	}
	if _, err := os.Stat(filepath.Join(bedDir, "accesses.csv.gz")); err != nil {
		t.Skip("the labelled test bed isn't here, PARAVENT_BED names its folder; detection is then held by the scenario tests alone")
	}
	rng := rand.New(rand.NewPCG(d.seed, 1))
	b := &bed{byID: map[access.LookupID]*access.Lookup{}, bots: map[access.EmployeeID]bool{}, episodes: map[string]*bedEpisode{}, of: map[access.LookupID]string{}}
	add := func(ev access.Event) { b.events = append(b.events, ev) }
	c := strings.Clone
	rowsOf(t, "purposes", func(col func(string) string) {
		add(&access.PurposeNeeds{Purpose: access.Purpose(c(col("purpose"))), Categories: categoriesIn(col("categories"))})
	})
	rowsOf(t, "employees", func(col func(string) string) {
		e := access.Employee{ID: access.EmployeeID(c(col("id"))), Surname: c(col("surname")), Household: c(col("household")), Team: access.TeamID(c(col("team"))),
			Role: access.Role(c(col("role"))), Manager: access.EmployeeID(c(col("manager"))), JoinedOn: timeIn(t, col("joined_on")), LeavesOn: timeIn(t, col("leaves_on"))}
		b.bots[e.ID] = e.Role.Automatic()
		add(&access.EmployeeKnown{Employee: e})
	})
	rowsOf(t, "customers", func(col func(string) string) {
		add(&access.CustomerKnown{Customer: access.Customer{ID: access.CustomerID(c(col("id"))), Surname: c(col("surname")), Household: c(col("household")),
			Notable: col("notable") == "yes", Employee: access.EmployeeID(c(col("employee")))}})
	})
	if !d.relations {
		rowsOf(t, "relations", func(col func(string) string) {
			add(&access.Related{Relation: access.Relation{Employee: access.EmployeeID(c(col("employee"))), Customer: access.CustomerID(c(col("customer"))), Kind: access.RelationKind(c(col("kind")))}})
		})
	}
	dropped := map[access.TaskID]bool{}
	rowsOf(t, "tasks", func(col func(string) string) {
		k := access.Task{ID: access.TaskID(c(col("id"))), Customer: access.CustomerID(c(col("customer"))), Purpose: access.Purpose(c(col("purpose"))), Channel: c(col("channel")),
			OpenedAt: timeIn(t, col("opened_at")), OpenedBy: c(col("opened_by"))}
		if rng.Float64() < d.tasks {
			dropped[k.ID] = true
			return
		}
		add(&access.TaskOpened{Task: k})
		if at := timeIn(t, col("closed_at")); !at.IsZero() {
			add(&access.TaskClosed{Task: k.ID, At: at, By: c(col("closed_by"))})
		}
	})
	rowsOf(t, "assignments", func(col func(string) string) {
		a := access.Assignment{Task: access.TaskID(c(col("task"))), Employee: access.EmployeeID(c(col("employee"))), Team: access.TeamID(c(col("team"))), Since: timeIn(t, col("since")), By: c(col("by"))}
		if dropped[a.Task] {
			return
		}
		add(&access.Assigned{Assignment: a})
		if at := timeIn(t, col("until")); !at.IsZero() {
			add(&access.Unassigned{Task: a.Task, Employee: a.Employee, Team: a.Team, At: at})
		}
	})
	rowsOf(t, "work", func(col func(string) string) {
		w := access.Work{Task: access.TaskID(c(col("task"))), Employee: access.EmployeeID(c(col("employee"))), At: timeIn(t, col("at")), Kind: c(col("kind"))}
		if !dropped[w.Task] {
			add(&access.Worked{Work: w})
		}
	})
	silent := map[string]bool{}
	rowsOf(t, "contacts", func(col func(string) string) {
		k := access.Contact{ID: access.ContactID(c(col("id"))), Customer: access.CustomerID(c(col("customer"))), At: timeIn(t, col("at")), Until: timeIn(t, col("until")),
			Channel: c(col("channel")), Direction: c(col("direction")), Employee: access.EmployeeID(c(col("employee")))}
		day := k.At.Format(time.DateOnly)
		if _, ok := silent[day]; !ok {
			silent[day] = rng.Float64() < d.contacts
		}
		if !silent[day] {
			add(&access.Contacted{Contact: k})
		}
	})
	rowsOf(t, "orders", func(col func(string) string) {
		add(&access.Ordered{Order: access.Order{ID: access.OrderID(c(col("id"))), Customer: access.CustomerID(c(col("customer"))), At: timeIn(t, col("at"))}})
	})
	if !d.news {
		rowsOf(t, "news", func(col func(string) string) {
			add(&access.InNews{News: access.News{Customer: access.CustomerID(c(col("customer"))), At: timeIn(t, col("at"))}})
		})
	}
	rowsOf(t, "accesses", func(col func(string) string) {
		l := &access.Lookup{ID: access.LookupID(c(col("id"))), At: timeIn(t, col("at")), Employee: access.EmployeeID(c(col("employee"))), Customer: access.CustomerID(c(col("customer"))),
			Action: access.Action(c(col("action"))), Categories: categoriesIn(col("categories")), Record: access.OrderID(c(col("record"))), Task: access.TaskID(c(col("task"))),
			Reason: c(col("reason")), Session: access.SessionID(c(col("session"))), Device: c(col("device")), Site: c(col("site")), Outcome: access.Outcome(c(col("outcome")))}
		b.lookups = append(b.lookups, l)
		b.byID[l.ID] = l
		add(l)
	})
	slices.SortStableFunc(b.events, func(x, y access.Event) int { return x.When().Compare(y.When()) })
	rowsOf(t, "labels", func(col func(string) string) {
		l := b.byID[access.LookupID(col("access"))]
		name := c(col("episode"))
		e := b.episodes[name]
		if e == nil {
			e = &bedEpisode{scenario: c(col("scenario")), benign: col("benign") == "yes", employees: map[access.EmployeeID]bool{}, customers: map[access.CustomerID]bool{}}
			b.episodes[name] = e
		}
		e.lookups = append(e.lookups, l)
		e.employees[l.Employee], e.customers[l.Customer] = true, true
		b.of[l.ID] = name
	})
	b.first, b.last = b.lookups[0].At, b.lookups[0].At
	for _, l := range b.lookups {
		if l.At.Before(b.first) {
			b.first = l.At
		}
		if l.At.After(b.last) {
			b.last = l.At
		}
	}
	if d == (damage{}) {
		wholeBed = b
	}
	return b
}

var categoryLists = map[string][]access.Category{}

func categoriesIn(s string) []access.Category {
	if l, ok := categoryLists[s]; ok {
		return l
	}
	var out []access.Category
	for _, x := range strings.Fields(s) {
		out = append(out, access.Category(strings.Clone(x)))
	}
	categoryLists[strings.Clone(s)] = out
	return out
}

// review feeds the whole bed and returns the findings.
func (b *bed) review(t testing.TB, o detect.Options) []detect.Finding {
	t.Helper()
	e, err := detect.New(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, ev := range b.events {
		if err := e.Feed(ev); err != nil {
			t.Fatal(err)
		}
	}
	e.Finish(b.last)
	f, _ := e.Take()
	return f
}
