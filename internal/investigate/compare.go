package investigate

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"paravent/internal/chain"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
)

// StoredRow is a row of the index as it lies in the store.
type StoredRow struct {
	Number  int64
	Row     Indexed
	Damaged bool // its body can't be read, or isn't what it is found by
}

// StoredIndex reads the index without changing it.
type StoredIndex interface {
	// Followed returns the number of the first record whose row the follower may
	// not have written yet, as of its last checkpoint.
	Followed(ctx context.Context) (int64, error)
	// Rows returns the rows from that number on, at most limit, in their order.
	Rows(ctx context.Context, from int64, limit int) ([]StoredRow, error)
}

// Destroyed is the leaf that says that a key was destroyed.
type Destroyed struct {
	Record uint64
	At     time.Time
}

// Comparison is what the index is compared with.
type Comparison struct {
	Ledger    string                       // the ledger's folder, with the folders of its logs
	Keys      iter.Seq2[ledger.Key, error] // the rows of the key table, as often as they are asked for
	Destroyed map[ledger.KeyID]Destroyed   // by the leaves of the journal
	Index     StoredIndex
}

// An IndexProblem is a row that isn't what the follower would have written.
type IndexProblem struct {
	Record int64
	What   string // which kinds of fields, or that it is missing; no values
}

// maxIndexProblems bounds how many are listed.
const maxIndexProblems = 200

// IndexReport is what a comparison found.
type IndexReport struct {
	Rows     int            // that were compared
	Problems []IndexProblem // the first 200
	Count    int            // of problems, listed or not
	Notes    []string
	Unknown  []string // what couldn't be known
}

// CompareIndex makes the rows of the index again from the journal and the keys
// and holds what is stored against them (G4): a row that was changed, removed or added
// by somebody with the database's password is named. It changes nothing and
// may run beside the server: keys are read first, then the checkpoint, each row before the
// records behind it, so that what is stored is never ahead of what is read last.
func CompareIndex(ctx context.Context, c Comparison) (*IndexReport, error) {
	x := &comparer{c: c, report: &IndexReport{}, opener: ledger.NewOpener(), persons: map[string]ledger.KeyID{}, known: map[string]bool{}, names: map[ledger.KeyID]string{},
		open: map[uint64]*Indexed{}, held: map[uint64]*compared{}, at: math.MinInt64}
	for id, d := range c.Destroyed {
		x.opener.Destroyed(id, d.At)
		x.lastForget = max(x.lastForget, d.Record)
	}
	for key, err := range c.Keys {
		if err != nil {
			continue // the key table's own check names it
		}
		x.opener.Add(key)
		x.persons[key.Person], x.names[key.ID] = key.ID, key.Person
	}
	var err error
	if x.followed, err = c.Index.Followed(ctx); err != nil {
		return nil, err
	}
	if err := x.read(ctx); err != nil {
		return nil, err
	}
	return x.report, x.conclude(ctx)
}

// comparer is a comparison under way.
type comparer struct {
	c          Comparison
	report     *IndexReport
	opener     *ledger.Opener
	persons    map[string]ledger.KeyID // who has a key, and which
	names      map[ledger.KeyID]string
	known      map[string]bool // of them, whose key was made before the record that is read
	followed   int64
	lastForget uint64
	open       map[uint64]*Indexed
	held       map[uint64]*compared // by the number of an intent, until it has its outcome
	found      []mismatch

	page []StoredRow // read and not yet compared
	at   int64       // where the next page begins
	end  bool        // there is no further page

	first    uint64 // number of the first record that there is
	next     uint64 // number of the next record
	newest   time.Time
	skipped  int // records that couldn't be opened or read
	damaged  bool
	unerased int // rows of people whose key was destroyed just now
	blank    int // acts whose About an erasure, or somebody, has emptied
	orphans  int // rows of records that were dropped with their log
}

// A compared is a row that waits for its outcome.
type compared struct {
	stored  *StoredRow
	skip    bool
	persons []string
}

// A mismatch is a problem, and whom it speaks of: who is erased while the
// comparison runs is no problem.
type mismatch struct {
	IndexProblem
	persons []string
	since   time.Time // the leaf's, of an erasure that isn't done; else zero
}

// pageRows is how many rows are read at once.
const pageRows = 2000

// read goes through the logs, then through what was written meanwhile.
func (x *comparer) read(ctx context.Context) error {
	logs, err := x.inspect(ctx)
	if err != nil {
		return err
	}
	if x.first, err = logs[0].Base(); err != nil {
		return err
	}
	x.next = x.first
	if err := x.rowsBefore(ctx, int64(x.first), func(row StoredRow) {
		if row.Number >= 0 {
			x.orphans++
			return
		}
		x.problem(row.Number, noRecord, nil)
	}); err != nil {
		return err
	}
	for r, err := range x.records(ctx, logs) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil { // the ledger's own verification names it
			x.skipped, x.damaged = x.skipped+1, true
			continue
		}
		if err := x.record(ctx, r); err != nil {
			return err
		}
	}
	return x.tail(ctx)
}

// inspect lists the logs. One may be dropped just while it looks: then it looks
// again.
func (x *comparer) inspect(ctx context.Context) ([]chain.InspectedLog, error) {
	for try := 0; ; try++ {
		logs, err := chain.Inspect(x.c.Ledger)
		if err == nil && len(logs) == 0 {
			err = ledger.ErrMissing
		}
		if err == nil || try == inspectTries {
			return logs, err
		}
		select {
		case <-time.After(inspectPause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// How often, and after how long, the logs are listed again.
const (
	inspectTries = 3
	inspectPause = 100 * time.Millisecond
)

// noRecord is what is wrong with a row that somebody added.
const noRecord = "no record makes this row: it was added"

// records yields the records of the logs from the next one on.
func (x *comparer) records(ctx context.Context, logs []chain.InspectedLog) iter.Seq2[ledger.Record, error] {
	return func(yield func(ledger.Record, error) bool) {
		for i, l := range logs {
			base, err := l.Base()
			if err != nil { // of its records no number is known
				if !yield(ledger.Record{}, err) {
					return
				}
				continue
			}
			if i+1 < len(logs) {
				if end, err := logs[i+1].Base(); err == nil && end <= x.next {
					continue // read already
				}
			}
			for r, err := range l.Records(ctx, x.opener, max(x.next, base)-base) {
				if !yield(r, err) {
					return
				}
			}
		}
	}
}

// record compares the row of one record.
func (x *comparer) record(ctx context.Context, r ledger.Record) error {
	if x.damaged { // what stands in the gap can't be compared
		if err := x.rowsBefore(ctx, int64(r.Number), func(StoredRow) {}); err != nil {
			return err
		}
		x.damaged = false
	}
	x.next, x.newest = r.Number+1, later(x.newest, r.Time, r.Given)
	var stored *StoredRow
	err := x.rowsBefore(ctx, int64(r.Number)+1, func(row StoredRow) {
		if row.Number == int64(r.Number) {
			stored = &row
			return
		}
		x.problem(row.Number, noRecord, nil)
	})
	if err != nil {
		return err
	}
	if id, _, ok := ledger.Announced(r.Detail); ok && r.Kind == ledger.KindKey && x.names[id] != "" {
		x.known[x.names[id]] = true
	}
	d, ours, err := lookup.Decode(r)
	if err != nil || !ours {
		if stored != nil {
			x.problem(stored.Number, noRecord, nil)
		}
		return nil
	}
	if d.Kind == ledger.KindOutcome {
		if stored != nil {
			x.problem(stored.Number, noRecord, nil)
		}
		x.outcome(d)
		return nil
	}
	row, _, _ := rowOf(x.open, d)
	h := &compared{stored: stored, skip: unknowable(d), persons: personsOf(row)}
	if x.open[r.Number] != nil {
		x.held[r.Number] = h
		return nil
	}
	x.compare(h, row)
	return nil
}

// later returns the later of the ledger's own times.
func later(a, b time.Time, given bool) time.Time {
	if given || b.Before(a) {
		return a
	}
	return b
}

// outcome completes the row of an intent and compares it.
func (x *comparer) outcome(d lookup.Decoded) {
	h := x.held[d.Of-1]
	if d.Of == 0 || h == nil {
		return
	}
	delete(x.held, d.Of-1)
	before := *x.open[d.Of-1]
	before.Lookup.Categories, before.Reasons = slices.Clone(before.Lookup.Categories), slices.Clone(before.Reasons)
	row, _, _ := rowOf(x.open, d)
	h.skip = h.skip || unknowable(d)
	h.persons = append(h.persons, personsOf(row)...)
	// The follower may have left the intent as it was where the outcome came late,
	// and hasn't yet read an outcome behind its checkpoint.
	if late := d.Lookup.At.Sub(before.Lookup.At) > outcomeWait; late || int64(d.Number) >= x.followed {
		x.compare(h, row, before)
		return
	}
	x.compare(h, row)
}

// unknowable says that a part can't be opened though no leaf says that its key
// was destroyed: the key table's own check names that.
func unknowable(d lookup.Decoded) bool {
	return d.Erased && d.CustomerErased.IsZero() && d.EmployeeErased.IsZero()
}

// personsOf names the persons of a row, as the key table does.
func personsOf(row Indexed) (all []string) {
	if row.Lookup.Customer != "" {
		all = append(all, lookup.PersonOfCustomer(row.Lookup.Customer))
	}
	if row.Lookup.Employee != "" {
		all = append(all, lookup.PersonOfEmployee(row.Lookup.Employee))
	}
	if row.Employee != "" {
		all = append(all, "employee:"+row.Employee)
	}
	return all
}

// rowsBefore calls fn for each stored row before that number that wasn't
// taken yet.
func (x *comparer) rowsBefore(ctx context.Context, number int64, fn func(StoredRow)) error {
	for {
		for len(x.page) > 0 && x.page[0].Number < number {
			fn(x.page[0])
			x.page = x.page[1:]
		}
		if len(x.page) > 0 || x.end || x.at >= number {
			return nil
		}
		// Rows are read after the checkpoint and before the end of the journal: they
		// are never behind the one nor ahead of the other.
		page, err := x.c.Index.Rows(ctx, x.at, pageRows)
		if err != nil {
			return err
		}
		x.page, x.end = page, len(page) < pageRows
		if n := len(page); n > 0 && page[n-1].Number < math.MaxInt64 {
			x.at = page[n-1].Number + 1
		}
	}
}

// compare holds a stored row against what it may be.
func (x *comparer) compare(h *compared, rows ...Indexed) {
	number := rows[0].Number
	switch {
	case h.skip:
		x.skipped++
		return
	case h.stored == nil:
		if int64(number) < x.followed {
			x.problem(int64(number), "its row of the index is missing: it was removed", h.persons)
		}
		return
	case h.stored.Damaged:
		x.problem(int64(number), "its row of the index was changed: what it is found by", h.persons)
		return
	}
	x.report.Rows++
	var first []string
	for i, row := range rows {
		if at := unerased(h.stored.Row, row); !at.IsZero() {
			x.problem(int64(number), "its row of the index still holds what was erased", h.persons)
			x.found[len(x.found)-1].since = at
			return
		}
		wrong := x.differences(h.stored.Row, row)
		if len(wrong) == 0 {
			return
		}
		if i == 0 {
			first = wrong
		}
	}
	x.problem(int64(number), "its row of the index was changed: "+strings.Join(first, ", "), h.persons)
}

func (x *comparer) problem(record int64, what string, persons []string) {
	x.found = append(x.found, mismatch{IndexProblem: IndexProblem{Record: record, What: what}, persons: persons})
	if len(x.found) > 100*maxIndexProblems { // an emptied table of millions
		x.report.Count += len(x.found) - 50*maxIndexProblems
		x.found = x.found[:50*maxIndexProblems]
	}
}

// tail reads what came while the journal was read: outcomes of rows that were
// stored with them already, and rows of records that are younger.
func (x *comparer) tail(ctx context.Context) error {
	var young []int64 // numbers
	if err := x.rowsBefore(ctx, math.MaxInt64, func(row StoredRow) { young = append(young, row.Number) }); err != nil {
		return err
	}
	logs, err := x.inspect(ctx)
	if err != nil {
		return err
	}
	makes := map[int64]bool{}
	damaged := x.damaged
	for r, err := range x.records(ctx, logs) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			damaged = true
			continue
		}
		x.next = r.Number + 1
		d, ours, err := lookup.Decode(r)
		if err != nil || !ours {
			continue
		}
		if d.Kind == ledger.KindOutcome {
			x.outcome(d)
			continue
		}
		makes[int64(r.Number)] = true
	}
	for _, number := range young {
		if !makes[number] && !damaged {
			x.problem(number, noRecord, nil)
		}
	}
	for _, number := range slices.Sorted(maps.Keys(x.held)) {
		x.compare(x.held[number], *x.open[number])
	}
	if x.followed > int64(x.next) || x.followed < 0 {
		x.problem(x.followed, "the follower's checkpoint was changed: there is no such record", nil)
	}
	return nil
}

// conclude drops what an erasure that was carried out meanwhile explains, and
// says what wasn't compared.
func (x *comparer) conclude(ctx context.Context) error {
	now := map[string]ledger.KeyID{}
	if len(x.found) > 0 {
		for key, err := range x.c.Keys {
			if err == nil {
				now[key.Person] = key.ID
			}
		}
	}
	// A log may have been dropped meanwhile, with its rows.
	dropped := x.first
	if logs, err := x.inspect(ctx); err == nil {
		if first, err := logs[0].Base(); err == nil {
			dropped = max(dropped, first)
		}
	}
	r := x.report
	for _, m := range x.found {
		if m.Record >= int64(x.first) && m.Record < int64(dropped) {
			continue
		}
		if slices.ContainsFunc(m.persons, func(p string) bool { return now[p] != x.persons[p] }) {
			continue
		}
		if !m.since.IsZero() && x.newest.Sub(m.since) < erasureLag {
			x.unerased++
			continue
		}
		r.Count++
		if len(r.Problems) < maxIndexProblems {
			r.Problems = append(r.Problems, m.IndexProblem)
		}
	}
	if n := int64(x.next) - x.followed; n > 0 {
		r.Unknown = append(r.Unknown, fmt.Sprintf("whether a row of the newest %d records was removed: the follower's last checkpoint is before record %d", n, x.followed))
	}
	if x.skipped > 0 {
		r.Unknown = append(r.Unknown, fmt.Sprintf("whether the index is right about %d records that can't be opened", x.skipped))
	}
	if x.unerased > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("%d rows of the index still hold what an erasure of the last minutes is taking out; it is done when the server runs", x.unerased))
	}
	if x.orphans > 0 {
		r.Unknown = append(r.Unknown, fmt.Sprintf("whether %d rows of records before %d are right: their log was dropped; the server takes them away when it starts", x.orphans, x.first))
	}
	if x.blank > 0 {
		r.Unknown = append(r.Unknown, fmt.Sprintf("who emptied what %d acts were about: an erasure does, and no leaf says whose", x.blank))
	}
	r.Unknown = append(r.Unknown, "whether findings and samples are as they were raised: they are not made again from the journal")
	return ctx.Err()
}
