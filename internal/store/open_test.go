package store_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"paravent/internal/access"
	"paravent/internal/ledger"
	"paravent/internal/store"
	"paravent/internal/testenv"
)

// openAt opens the store in dir.
func openAt(t *testing.T, dir string) (*store.Store, error) {
	t.Helper()
	return store.Open(t.Context(), dir, testenv.NewClock(testenv.Start).Now)
}

// mustOpen opens the store in dir or ends the test.
func mustOpen(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := openAt(t, dir)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return s
}

// mustClose closes the store.
func mustClose(t *testing.T, s *store.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

func TestANewerSchemaIsRefusedAndLeftAsItIs(t *testing.T) {
	dir := t.TempDir()
	mustClose(t, mustOpen(t, dir))
	if err := store.Migrate(t.Context(), dir, "CREATE TABLE from_the_future (x INTEGER) STRICT"); err != nil {
		t.Fatalf("migrate: %v", err)
	}
	before, err := os.ReadFile(filepath.Join(dir, store.StateFile))
	if err != nil {
		t.Fatal(err)
	}
	_, err = openAt(t, dir)
	if err == nil || !strings.Contains(err.Error(), "version 7") {
		t.Errorf("got %v, want a refusal that names the version", err)
	}
	after, err := os.ReadFile(filepath.Join(dir, store.StateFile))
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was changed: %v", err)
	}
}

func TestAMigrationThatFailsChangesNothing(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	save(t, s, customerNamed("c1", "x"))
	mustClose(t, s)
	err := store.Migrate(t.Context(), dir, "DELETE FROM customers; CREATE TABLE customers (x INTEGER)")
	if err == nil || !strings.Contains(err.Error(), "migration 7") {
		t.Fatalf("got %v, want an error that names the migration", err)
	}
	s = mustOpen(t, dir)
	defer mustClose(t, s)
	if _, err := s.Customer(t.Context(), "c1"); err != nil {
		t.Errorf("what was there: %v", err)
	}
}

func TestAStoreOfWhichAFileIsGoneIsRefused(t *testing.T) {
	for _, gone := range []string{store.KeysFile, store.StateFile} {
		dir := t.TempDir()
		s := mustOpen(t, dir)
		if err := s.Keys().Create(t.Context(), []ledger.Key{keyOf("customer:c1", 'k')}); err != nil {
			t.Fatal(err)
		}
		mustClose(t, s)
		if err := os.Remove(filepath.Join(dir, gone)); err != nil {
			t.Fatal(err)
		}
		_, err := openAt(t, dir)
		if err == nil || !strings.Contains(err.Error(), gone) {
			t.Errorf("without %s: got %v, want a refusal that names it", gone, err)
		}
		if _, err := os.Stat(filepath.Join(dir, gone)); err == nil {
			t.Errorf("%s was made anew", gone)
		}
	}
}

func TestAStoreWhoseMakingWasCutOffIsMadeAgain(t *testing.T) {
	dir := t.TempDir()
	mustClose(t, mustOpen(t, dir))
	if err := os.Remove(filepath.Join(dir, store.StateFile)); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, dir) // keys.db is there and holds no key
	mustClose(t, s)
}

func TestADamagedFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	mustClose(t, mustOpen(t, dir))
	if err := os.WriteFile(filepath.Join(dir, store.KeysFile), []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openAt(t, dir); err == nil {
		t.Error("a damaged table of keys was opened")
	}
}

func TestAStoreLivesInAFolderOfAnyName(t *testing.T) {
	for _, name := range []string{"with blanks", "50%", "a?b=c&d", "a#b", "ümläut", "semi;colon", "plus+"} {
		dir := filepath.Join(t.TempDir(), name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		s := mustOpen(t, dir)
		save(t, s, customerNamed("c1", "x"))
		mustClose(t, s)
		s = mustOpen(t, dir)
		if _, err := s.Customer(t.Context(), "c1"); err != nil {
			t.Errorf("in %q: %v", name, err)
		}
		mustClose(t, s)
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 2 {
			t.Errorf("in %q: got %v, %v, want two files", name, entries, err)
		}
	}
}

func TestOnlyTheOwnerMayReadTheFiles(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	defer mustClose(t, s)
	save(t, s, customerNamed("c1", "x"))
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: got %v, %v", entry.Name(), info.Mode(), err)
		}
	}
}

// G3: a record may be sealed only under a key that no crash can take away.
func TestG3KeysAreSyncedBeforeTheyAreUsed(t *testing.T) {
	s := testenv.Store(t, testenv.NewClock(testenv.Start).Now)
	for _, c := range []struct {
		file, setting string
		durable       bool
		want          string
	}{
		{store.KeysFile, "synchronous", true, "2"},
		{store.KeysFile, "journal_mode", true, "wal"},
		{store.KeysFile, "secure_delete", true, "1"},
		{store.StateFile, "synchronous", true, "2"},
		{store.StateFile, "synchronous", false, "1"},
		{store.StateFile, "synchronous", true, "2"},
		{store.StateFile, "foreign_keys", true, "1"},
	} {
		got, err := s.Setting(t.Context(), c.file, c.setting, c.durable)
		if err != nil || got != c.want {
			t.Errorf("%s of %s (durable %v): got %q, %v, want %q", c.setting, c.file, c.durable, got, err, c.want)
		}
	}
}

func TestAPanicInAChangeBlocksNobody(t *testing.T) {
	s := testenv.Store(t, testenv.NewClock(testenv.Start).Now)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		t.Errorf("returned: %v", s.Panic(t.Context()))
	}()
	save(t, s, customerNamed("c1", "x"))
	rows, err := s.Qualifications(t.Context(), "e")
	if err != nil || len(rows) != 0 {
		t.Errorf("half a change is there: %v, %v", rows, err)
	}
}

func TestALostConnectionIsMadeAnew(t *testing.T) {
	s := testenv.Store(t, testenv.NewClock(testenv.Start).Now)
	save(t, s, customerNamed("c1", "x"))
	if err := s.LoseConnection(); err != nil {
		t.Errorf("lose the connection: %v", err)
	}
	save(t, s, customerNamed("c2", "x"))
	if got, err := s.Setting(t.Context(), store.StateFile, "synchronous", true); err != nil || got != "2" {
		t.Errorf("synchronous on the new connection: got %q, %v", got, err)
	}
}

func TestReadersCannotWrite(t *testing.T) {
	s := testenv.Store(t, testenv.NewClock(testenv.Start).Now)
	if _, err := s.Plan(t.Context(), "SELECT 1"); err != nil {
		t.Errorf("plan: %v", err)
	}
	if err := s.Read(t.Context(), "DELETE FROM customers"); err == nil {
		t.Error("a reader deleted")
	}
}

// Each question that a look-up or a page asks is answered from an index.
func TestQuestionsAreAnsweredFromAnIndex(t *testing.T) {
	s := testenv.Store(t, testenv.NewClock(testenv.Start).Now)
	for name, c := range map[string]struct {
		query string
		n     int // parameters
		want  string
	}{
		"tasks of an employee":  {store.SelectTasksOf, 9, "assignments_employee"},
		"tasks of a team":       {store.SelectTasksOf, 9, "assignments_team"},
		"call in progress":      {store.SelectCall, 4, "contacts_employee"},
		"assignments of a task": {store.SelectAssignments, 1, "USING INDEX"},
		"look-ups at":           {store.SelectLookupsAt, 2, "lookups_customer"},
		"look-ups by":           {store.SelectLookupsBy, 2, "lookups_employee"},
		"look-up by id":         {store.SelectLookupByID, 1, "lookups_id"},
		"counts":                {store.CountLookups, 4, "lookups_at"},
		"findings":              {store.SelectFindings, 2, "findings_raised"},
		"misses":                {store.CountMisses, 4, "tries_employee"},
		"misses at":             {store.CountNearMisses, 2, "near_misses_customer"},
		"change log":            {store.SelectFacts, 2, "USING INTEGER PRIMARY KEY"},
	} {
		plan, err := s.Plan(t.Context(), c.query, make([]any, c.n)...)
		if err != nil || !strings.Contains(plan, c.want) || strings.Contains(plan, "SCAN ") {
			t.Errorf("%s: got %v\n%swant %s and no scan", name, err, plan, c.want)
		}
	}
}

func TestAnUnknownFactInTheChangeLogIsAnError(t *testing.T) {
	s := testenv.Store(t, testenv.NewClock(testenv.Start).Now)
	save(t, s, customerNamed("c1", "x"))
	if err := s.Run(t.Context(), "UPDATE facts SET kind = 'rumour'"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Facts(t.Context(), 0, 10); access.CodeOf(err) != access.Internal {
		t.Errorf("got %v, want an internal error", err)
	}
}

func TestADamagedKeyIsNoKey(t *testing.T) {
	s := testenv.Store(t, testenv.NewClock(testenv.Start).Now)
	if err := s.Keys().Create(t.Context(), []ledger.Key{keyOf("customer:c1", 'k')}); err != nil {
		t.Fatal(err)
	}
	if err := s.RunKeys(t.Context(), "UPDATE keys SET secret = x'00'"); err != nil {
		t.Fatal(err)
	}
	got, err := s.Keys().Lookup(t.Context(), []string{"customer:c1"})
	if err == nil {
		t.Errorf("got %v, want an error: a missing key would be made anew", got)
	}
}
