package investigate_test

import (
	"slices"
	"strings"
	"testing"

	"paravent/internal/access"
	"paravent/internal/chain"
	"paravent/internal/investigate"
)

// again closes everything, does something with the folder, and opens it again.
func (a *archive) again(t *testing.T, with func()) {
	t.Helper()
	a.close(t)
	a.open(t, a.Clock, false) // the store is needed for the keys
	if err := a.ledger.Close(); err != nil {
		t.Fatal(err)
	}
	with()
	if err := a.store.Close(); err != nil {
		t.Fatal(err)
	}
	a.open(t, a.Clock, false)
	a.Env.Store = a.store
	a.serve(t)
}

// rotate freezes the last log and opens the next.
func (a *archive) rotate(t *testing.T) {
	t.Helper()
	if _, err := a.ledger.Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.again(t, func() {})
}

// The index of a ledger of several logs is as the logs make it: after rotations,
// an erasure over all of them, a drop, and in the moment between the drop and
// what the store then forgets. What was changed in a later log is named by the
// number of the record in the whole ledger.
func TestTheIndexOfSeveralLogsIsAsTheyMakeIt(t *testing.T) {
	a := newArchive(t)
	a.looked(t)
	a.rotate(t)
	a.looked(t)
	asWritten(t, a.compare(t))
	a.rotate(t)
	a.looked(t)
	before := a.compare(t)
	asWritten(t, before)
	a.erase(t, her, "")
	asWritten(t, a.compare(t))
	if hits := found(t, a.dir, []string{string(her), "Lovelacequist"}); len(hits) > 0 {
		t.Errorf("left after an erasure over several logs: %s", strings.Join(hits, ", "))
	}

	first := a.ledger.Names()[1].Base
	a.again(t, func() {
		if _, err := chain.Drop(a.ledgerPath(), "0001", a.chainOptions(a.Clock)); err != nil {
			t.Fatal(err)
		}
	})
	between := a.compare(t)
	asWritten(t, between)
	if !slices.ContainsFunc(between.Unknown, func(s string) bool { return strings.Contains(s, "their log was dropped") }) {
		t.Errorf("rows of a dropped log aren't told: %v", between.Unknown)
	}
	dropped, err := a.store.DropIndex(t.Context(), first)
	if err != nil || dropped == 0 {
		t.Fatalf("%d rows, %v", dropped, err)
	}
	after := a.compare(t)
	asWritten(t, after)
	if after.Rows != between.Rows || slices.ContainsFunc(after.Unknown, func(s string) bool { return strings.Contains(s, "dropped") }) {
		t.Errorf("%d rows, %d before; %v", after.Rows, between.Rows, after.Unknown)
	}
	a.looked(t) // the follower goes on
	asWritten(t, a.compare(t))

	rows, err := a.store.LookupsBy(t.Context(), his, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if row.Number < first {
			t.Errorf("record %d of the dropped log is in the index", row.Number)
		}
	}
	i := slices.IndexFunc(rows, func(row investigate.Indexed) bool { return row.Lookup.Outcome == access.OutcomeShown })
	if i < 0 {
		t.Fatal("no look-up was shown: the test shows nothing")
	}
	a.close(t)
	a.sql(t, `UPDATE lookups SET employee = 'e7' WHERE number = ?`, rows[i].Number)
	if r := a.compare(t); r.Count != 1 || r.Problems[0].Record != int64(rows[i].Number) {
		t.Errorf("%d problems: %v, want one of record %d", r.Count, r.Problems, rows[i].Number)
	}
}
