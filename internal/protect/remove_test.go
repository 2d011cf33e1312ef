package protect_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"paravent/internal/protect"
	"paravent/internal/testenv"
)

// What Remove leaves is what stood before protect was applied: every right of
// every role and every object, and, by PostgreSQL 15's own pg_dump, the whole
// database; also after it was applied twice.
func TestRemovingLeavesWhatStoodBefore(t *testing.T) {
	for _, version := range testenv.Versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			w := &world{pg: testenv.Postgres(t, version), policy: shopPolicy(t)}
			w.pg.Shop(t)
			// Rights as grown databases have them.
			w.pg.Exec(t, `GRANT SELECT (id, title), INSERT (title) ON articles TO PUBLIC;
				CREATE ROLE "Odd ""name""" LOGIN; GRANT SELECT ON payments TO "Odd ""name""" WITH GRANT OPTION;
				SET ROLE "Odd ""name"""; GRANT SELECT ON payments TO PUBLIC; RESET ROLE;
				GRANT CREATE ON SCHEMA public TO PUBLIC; CREATE EXTENSION pg_stat_statements; CREATE EXTENSION pg_trgm;
				CREATE PROCEDURE tidy() LANGUAGE sql AS 'SELECT 1'; CREATE AGGREGATE total(integer) (SFUNC = int4pl, STYPE = integer);`)
			before, dumped := catalog(t, w.pg), dump(t, w.pg)
			w.apply(t)
			if slices.Equal(before, catalog(t, w.pg)) {
				t.Fatal("applying changed nothing")
			}
			w.apply(t)
			conn := w.pg.Connect(t, testenv.ShopDBA)
			for range 2 {
				if err := protect.Remove(t.Context(), conn); err != nil {
					t.Fatal(err)
				}
			}
			if after := catalog(t, w.pg); !slices.Equal(before, after) {
				t.Errorf("after removing: %v", strings.Join(differences(before, after), "\n"))
			}
			if after := dump(t, w.pg); after != dumped {
				t.Errorf("the dump differs: %v", differences(strings.Split(dumped, "\n"), strings.Split(after, "\n")))
			}
		})
	}
}

// dump is what pg_dump and pg_dumpall --roles-only write, without what changes
// from one run to the next; "" for 18, to which 15's programs don't speak.
func dump(t *testing.T, pg *testenv.PG) string {
	t.Helper()
	if pg.Version != "15" {
		return ""
	}
	var out strings.Builder
	for _, args := range [][]string{{"pg_dump", pg.DSN(testenv.Superuser)}, {"pg_dumpall", "--roles-only", "-d", pg.DSN(testenv.Superuser)}} {
		c := exec.Command(filepath.Join(testenv.Tools(t), args[0]), args[1:]...)
		c.Stderr = os.Stderr
		text, err := c.Output()
		if err != nil {
			t.Fatalf("%s: %v", args[0], err)
		}
		for line := range strings.Lines(string(text)) {
			if !strings.HasPrefix(line, "\\restrict") && !strings.HasPrefix(line, "\\unrestrict") {
				out.WriteString(line)
			}
		}
	}
	return out.String()
}

// A grant that somebody made by name while protect stood stays when it goes.
func TestRemovingKeepsWhatWasGrantedMeanwhile(t *testing.T) {
	versions(t, false, func(t *testing.T, w *world) {
		w.pg.Exec(t, "GRANT SELECT ON payments TO shop_bi; CREATE ROLE later LOGIN; GRANT EXECUTE ON FUNCTION pg_notify(text, text) TO later")
		conn := w.pg.Connect(t, testenv.ShopDBA)
		if err := protect.Remove(t.Context(), conn); err != nil {
			t.Fatal(err)
		}
		after := catalog(t, w.pg)
		for _, want := range []string{"relation payments shop_bi SELECTfalse", "function pg_notify(text,text) later EXECUTEfalse", "function pg_notify(text,text) - EXECUTEfalse"} {
			if !slices.Contains(after, want) {
				t.Errorf("no longer there: %s", want)
			}
		}
		for _, line := range after {
			if strings.Contains(line, "paravent") {
				t.Errorf("left behind: %s", line)
			}
		}
	})
}
