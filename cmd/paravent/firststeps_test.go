package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"paravent/internal/access"
	"paravent/internal/source"
)

// firstSteps runs docs/first-steps.md as a new company would: its commands, one
// after the other, against the server that one of them starts.
type firstSteps struct {
	dir, bin, address string
	env               []string
	answers           map[string][]string // what is typed, by the beginning of the command
	server            *exec.Cmd
}

// The passwords that people choose on that page.
const (
	adminPassword  = "ada keeps nine quiet houses"
	annPassword    = "ann walks two slow dogs"
	ticketPassword = "machines like long passwords too"
)

func TestTheFirstStepsOfTheDocsWork(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("there is no curl, and CI must try the first steps: apt-get install curl")
		}
		t.Skip("there is no curl, which the first steps use: apt-get install curl")
	}
	text, err := os.ReadFile("../../docs/first-steps.md")
	if err != nil {
		t.Fatal(err)
	}
	f := newFirstSteps(t)
	outputs := map[string]string{}
	for _, block := range regexp.MustCompile("(?ms)^```(\\w+) ?(\\S*)\n(.*?)^```").FindAllStringSubmatch(string(text), -1) {
		if block[1] == "csv" {
			if err := os.WriteFile(filepath.Join(f.dir, block[2]), []byte(block[3]), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		for line := range strings.Lines(block[3]) {
			line = strings.TrimSpace(line)
			outputs[line] = f.run(t, line)
			t.Logf("$ %s\n%s", line, outputs[line])
		}
	}
	f.checkLookup(t, outputs)
	f.checkExplained(t, outputs)
	if got := outputs["paravent account close e101"]; got != "e101 is closed.\n" {
		t.Errorf("closing an account says %q", got)
	}
}

func newFirstSteps(t *testing.T) *firstSteps {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f := &firstSteps{dir: t.TempDir(), bin: t.TempDir(), address: freeAddress(t)}
	// TestMain runs the command instead of the tests when it is called by its name.
	if err := os.Symlink(exe, filepath.Join(f.bin, "paravent")); err != nil {
		t.Fatal(err)
	}
	f.env = append(os.Environ(), "PATH="+f.bin+":"+os.Getenv("PATH"), "HOME="+f.dir, "XDG_CONFIG_HOME="+f.dir+"/config",
		"PARAVENT_LISTEN="+f.address, "TZ=UTC")
	f.answers = map[string][]string{
		"paravent token --login ada":                   {adminPassword},
		"export TICKETS=":                              {ticketPassword},
		"export ANN=":                                  {annPassword},
		"paravent setup":                               nil, // the code, when init has told it
		"paravent password --login e101":               nil, // the first password, when it is known
		"paravent password --login tickets":            nil,
		"paravent account add E100 E101 P1 A2 tickets": {},
	}
	return f
}

// run runs one line of the page in a shell that knows what earlier lines have
// exported, and returns what it printed.
func (f *firstSteps) run(t *testing.T, line string) string {
	t.Helper()
	line = strings.ReplaceAll(line, "127.0.0.1:8420", f.address)
	if strings.HasPrefix(line, "paravent serve") {
		f.serve(t, line)
		return ""
	}
	var typed []string
	for beginning, answers := range f.answers {
		if strings.HasPrefix(line, beginning) {
			typed = answers
		}
	}
	shell := exec.CommandContext(t.Context(), "sh", "-c", "touch exported; . ./exported; "+line+"\ncode=$?; export -p >exported; exit $code")
	shell.Dir, shell.Env = f.dir, f.env
	shell.Stdin = strings.NewReader(strings.Join(typed, "\n") + "\n")
	var out, complaints bytes.Buffer
	shell.Stdout, shell.Stderr = &out, &complaints
	if err := shell.Run(); err != nil {
		t.Fatalf("%s\n%v\n%s%s", line, err, out.String(), complaints.String())
	}
	f.remember(t, line, out.String())
	return out.String()
}

// remember keeps the secrets that a command told, for those that ask for them.
func (f *firstSteps) remember(t *testing.T, line, out string) {
	t.Helper()
	switch {
	case strings.HasPrefix(line, "paravent init"):
		code := regexp.MustCompile(`setup-[a-z2-7]+`).FindString(out)
		f.answers["paravent setup"] = []string{code, adminPassword}
		f.fillShop(t)
	case strings.HasPrefix(line, "paravent account add E100"):
		for login, chosen := range map[string]string{"e101": annPassword, "tickets": ticketPassword} {
			first := regexp.MustCompile(`(?m)^` + login + `\t(\S+)$`).FindStringSubmatch(out)
			if first == nil {
				t.Fatalf("no first password of %s in %q", login, out)
			}
			f.answers["paravent password --login "+login] = []string{first[1], chosen}
		}
	}
}

// serve starts the server and waits until it answers.
func (f *firstSteps) serve(t *testing.T, line string) {
	t.Helper()
	var log bytes.Buffer
	args := strings.Fields(line)
	f.server = exec.Command(filepath.Join(f.bin, args[0]), args[1:]...)
	f.server.Dir, f.server.Env, f.server.Stdout, f.server.Stderr = f.dir, f.env, &log, &log
	if err := f.server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.server.Process.Signal(os.Interrupt); err != nil {
			t.Errorf("stop the server: %v", err)
		}
		if err := f.server.Wait(); err != nil {
			t.Errorf("the server ended with %v:\n%s", err, &log)
		}
		for _, secret := range []string{adminPassword, annPassword, ticketPassword, "Archer", "High Street"} {
			if strings.Contains(log.String(), secret) {
				t.Errorf("the server's log holds %q", secret)
			}
		}
	})
	(&stormFolder{address: f.address}).await(t, f.server, &log)
}

// fillShop puts a company's own data into the example database.
func (f *firstSteps) fillShop(t *testing.T) {
	t.Helper()
	path := filepath.Join(f.dir, "mine", "shop.db")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	err := source.Load(t.Context(), path, []source.Content{
		{Name: "customers", Columns: []string{"id", "name", "email", "street", "postcode", "city"}, Rows: [][]any{
			{"C7", "Cy Archer", "cy@example.org", "High Street 1", "AB1 2CD", "Town"}, {"C8", "Stella Star", "star@example.org", "Hill 3", "XY9 8ZW", "Village"},
		}},
		{Name: "orders", Columns: []string{"id", "customer_id", "placed_at", "status", "total_cents"}, Rows: [][]any{
			{"O-55", "C7", "2026-01-02T10:00:00Z", "sent", 1000}, {"O-56", "C7", "2026-01-03T10:00:00Z", "sent", 7700},
		}},
		{Name: "order_items", Columns: []string{"id", "order_id", "article", "department", "quantity", "price_cents"}, Rows: [][]any{{"I1", "O-55", "Kettle", "kitchen", 1, 1000}}},
		{Name: "payments", Columns: []string{"id", "order_id", "method", "iban", "amount_cents"}, Rows: [][]any{{"P1", "O-55", "debit", "DE00123456781111", 1000}}},
		{Name: "deliveries", Columns: []string{"id", "order_id", "recipient", "carrier", "tracking"}, Rows: [][]any{{"D1", "O-55", "Cy Archer", "Swift", "TRACK-1"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkLookup holds what the look-up showed against the purpose's categories.
func (f *firstSteps) checkLookup(t *testing.T, outputs map[string]string) {
	t.Helper()
	answer := ""
	for line, out := range outputs {
		if strings.HasPrefix(line, "curl ") {
			answer = out
		}
	}
	var got struct {
		Tables []struct {
			Name    string
			Columns []struct{ Category access.Category }
		}
		RecordedAs struct{ Position uint64 } `json:"recorded_as"`
	}
	if err := json.Unmarshal([]byte(answer), &got); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	shown := map[access.Category]bool{}
	for _, table := range got.Tables {
		for _, c := range table.Columns {
			shown[c.Category] = true
		}
	}
	categories := slices.Sorted(maps.Keys(shown))
	want := []access.Category{"contact", "delivery", "identity", "orders"} // the purpose's, in policy.yaml
	if !slices.Equal(categories, want) || got.RecordedAs.Position == 0 {
		t.Errorf("shown are %v, want %v, as record %d", categories, want, got.RecordedAs.Position)
	}
	for _, value := range []string{"Cy Archer", "High Street 1", "TRACK-1", "O-55"} {
		if !strings.Contains(answer, value) {
			t.Errorf("the look-up lacks %q: %s", value, answer)
		}
	}
	for _, value := range []string{"Kettle", "DE00123456781111", "1111", "O-56", "Stella"} {
		if strings.Contains(answer, value) {
			t.Errorf("the look-up shows %q", value)
		}
	}
}

// checkExplained holds what policy explain says of the two tasks.
func (f *firstSteps) checkExplained(t *testing.T, outputs map[string]string) {
	t.Helper()
	explain := "PARAVENT_TOKEN=$ANN paravent policy explain --employee E101 --task "
	for task, says := range map[string][]string{
		"T-1001": {"allow\n", "for delivery: customer C7, reach record (order O-55)", "tracking"},
		"T-1002": {"needs second person\n", "A second person must agree"},
	} {
		for _, want := range says {
			if !strings.Contains(outputs[explain+task], want) {
				t.Errorf("explaining %s lacks %q:\n%s", task, want, outputs[explain+task])
			}
		}
	}
}
