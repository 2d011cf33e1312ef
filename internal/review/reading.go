package review

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
)

// reading is what was read of all files.
type reading struct {
	tables []*tableReader // in the order of the inputs
}

// readAll reads all inputs, several at a time, the largest first; temporary
// files go to work. The reading is returned with an error, too, so that it can
// be closed.
func readAll(ctx context.Context, o Options, inputs []input, work string) (*reading, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	r := &reading{}
	meter := &meter{tell: o.Progress}
	for _, in := range inputs {
		meter.total += in.size
		r.tables = append(r.tables, &tableReader{
			table: in.table, file: in.name(), last: known,
			sorter:  newSorter(work, o.Memory),
			rejects: &rejects{dir: work, file: in.name()},
		})
	}
	order := make([]int, len(inputs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return -cmp.Compare(inputs[a].size, inputs[b].size) })
	errs := make([]error, len(inputs))
	gate := make(chan struct{}, max(1, runtime.GOMAXPROCS(0)))
	var wg sync.WaitGroup
	for _, i := range order {
		wg.Go(func() {
			gate <- struct{}{}
			defer func() { <-gate }()
			if errs[i] = readOne(ctx, inputs[i], r.tables[i], meter.add); errs[i] != nil {
				stop()
			}
		})
	}
	wg.Wait()
	meter.finish()
	return r, firstError(errs)
}

// firstError returns the first error that isn't merely the end of the others.
func firstError(errs []error) error {
	var interrupted error
	for _, err := range errs {
		switch {
		case errors.Is(err, context.Canceled):
			interrupted = err
		case err != nil:
			return err
		}
	}
	return interrupted
}

func readOne(ctx context.Context, in input, t *tableReader, progress func(int)) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	src, closer, err := in.open(ctx, progress)
	if err != nil {
		return err
	}
	return errors.Join(t.read(ctx, src), closer.Close())
}

// merged returns one stream of all records, in order, from the beginning.
func (r *reading) merged() (*merger, error) {
	var all []cursor
	for _, t := range r.tables {
		list, err := t.sorter.cursors()
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	return newMerger(all)
}

// lookups returns the reader of the look-ups.
func (r *reading) lookups() *tableReader { return r.tables[0] }

// has reports whether there was a file of this name.
func (r *reading) has(name string) bool {
	return slices.ContainsFunc(r.tables, func(t *tableReader) bool { return t.table.name == name })
}

// events returns how many records there are.
func (r *reading) events() int64 {
	var n int64
	for _, t := range r.tables {
		n += t.sorter.count
	}
	return n
}

func (r *reading) summary(missing []string) Summary {
	s := Summary{Missing: missing}
	for _, t := range r.tables {
		s.Files = append(s.Files, FileSummary{t.file, t.rows, t.rejects.count})
		s.Bad += t.rejects.count
		if room := shownRejects - len(s.Rejected); room > 0 {
			s.Rejected = append(s.Rejected, t.rejects.first[:min(room, len(t.rejects.first))]...)
		}
	}
	return s
}

func (r *reading) close() error {
	if r == nil {
		return nil
	}
	var errs []error
	for _, t := range r.tables {
		errs = append(errs, t.sorter.close(), t.rejects.close())
	}
	return errors.Join(errs...)
}

// meter gathers how much was read of all files.
type meter struct {
	total int64 // set before use
	tell  func(Progress)

	mu   sync.Mutex
	done int64 // guarded by mu
}

// add tells that n bytes more were read.
func (m *meter) add(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done += int64(n)
	m.tell(Progress{PhaseReading, min(m.done, m.total), m.total})
}

// finish tells that all was read.
func (m *meter) finish() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tell(Progress{PhaseReading, m.total, m.total})
}
