package simulate

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"paravent/internal/access"
)

// WriteFiles writes the shop's history as the input of a review: plain CSV
// files in dir, which is made where it is missing, and labels.csv beside them.
// It holds one day at a time. A file that exists is never overwritten: the error
// is then os.ErrExist. told, if not nil, hears of each day that is written; the
// last word is returned. When ctx ends, what is written stays as it is.
func WriteFiles(ctx context.Context, dir string, s *Shop, told func(Written)) (w Written, err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return w, fmt.Errorf("make the bed's folder: %w", err)
	}
	b := &bed{s: s, files: make(map[string]*sheet)}
	defer func() { err = errors.Join(err, b.close()) }()
	for _, f := range bedFiles {
		if _, err := os.Lstat(filepath.Join(dir, f.name+".csv")); !errors.Is(err, fs.ErrNotExist) {
			return w, fmt.Errorf("make the bed's %s: %w", f.name, cmp.Or(err, fs.ErrExist))
		}
	}
	for _, f := range bedFiles {
		if err := b.create(dir, f.name, f.header); err != nil {
			return w, err
		}
	}
	b.pick()
	b.standing()
	s.run(func(it item) bool {
		b.write(&it)
		switch it.kind {
		case isLookup:
			w.Lookups++
		case isOpened:
			w.Tasks++
		}
		if day := s.dayOf(it.at) + 1; day > w.Days {
			w.Days = day
			if told != nil {
				told(w)
			}
			return b.failed() == nil && ctx.Err() == nil
		}
		return true
	})
	return w, errors.Join(b.failed(), ctx.Err())
}

// Written says how much of a bed has been written: days begun, look-ups, tasks.
type Written struct{ Days, Lookups, Tasks int }

// bedFiles are the files in the order of their making.
var bedFiles = [...]struct{ name, header string }{
	{"accesses", "id,at,employee,customer,action,categories,record,task,reason,session,device,site,outcome"},
	{"tasks", "id,customer,purpose,channel,opened_at,opened_by,closed_at,closed_by"},
	{"assignments", "task,employee,team,since,until,by"},
	{"work", "task,employee,at,kind"},
	{"contacts", "id,customer,at,until,channel,direction,employee"},
	{"customers", "id,surname,household,notable,employee"},
	{"employees", "id,surname,household,team,role,manager,joined_on,leaves_on"},
	{"relations", "employee,customer,kind"},
	{"orders", "id,customer,at"},
	{"purposes", "purpose,categories"},
	{"news", "customer,at"},
	{"labels", "access,episode,scenario,benign"},
}

// bed is a set of files under way.
type bed struct {
	s     *Shop
	files map[string]*sheet
	list  []*sheet

	accesses, tasks, assignments, work, contacts, orders, news, labels *sheet
}

// sheet is one CSV file. Nothing that is written needs quoting: no cell holds a
// comma, a quote or a line break.
type sheet struct {
	f     *os.File
	w     *bufio.Writer
	row   []byte
	first bool
	err   error
}

func (b *bed) create(dir, name, header string) error {
	f, err := os.OpenFile(filepath.Join(dir, name+".csv"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return fmt.Errorf("make the bed's %s: %w", name, err)
	}
	h := &sheet{f: f, w: bufio.NewWriterSize(f, 1<<16), first: true}
	b.files[name], b.list = h, append(b.list, h)
	_, err = io.WriteString(h.w, header+"\n")
	return err
}

// pick finds the sheets that are written row by row.
func (b *bed) pick() {
	b.accesses, b.tasks, b.assignments, b.work = b.files["accesses"], b.files["tasks"], b.files["assignments"], b.files["work"]
	b.contacts, b.orders, b.news, b.labels = b.files["contacts"], b.files["orders"], b.files["news"], b.files["labels"]
}

// failed returns the first error of any sheet.
func (b *bed) failed() error {
	for _, h := range b.list {
		if h.err != nil {
			return fmt.Errorf("write the bed: %w", h.err)
		}
	}
	return nil
}

func (b *bed) close() error {
	var all error
	for _, h := range b.list {
		all = errors.Join(all, h.w.Flush(), h.f.Close())
	}
	if all != nil {
		return fmt.Errorf("write the bed: %w", all)
	}
	return nil
}

// text adds a cell.
func (h *sheet) text(v string) *sheet {
	h.sep()
	h.row = append(h.row, v...)
	return h
}

// id adds a cell of a letter or prefix and a number; an empty one for 0.
func (h *sheet) id(prefix string, n uint64) *sheet {
	h.sep()
	if n != 0 {
		h.row = strconv.AppendUint(append(h.row, prefix...), n, 10)
	}
	return h
}

// time adds a cell of a moment, an empty one for 0.
func (h *sheet) time(t int64) *sheet {
	h.sep()
	if t != 0 {
		h.row = moment(t).AppendFormat(h.row, time.RFC3339)
	}
	return h
}

func (h *sheet) sep() {
	if !h.first {
		h.row = append(h.row, ',')
	}
	h.first = false
}

// end writes the row out.
func (h *sheet) end() {
	h.row = append(h.row, '\n')
	if _, err := h.w.Write(h.row); err != nil && h.err == nil {
		h.err = err
	}
	h.row, h.first = h.row[:0], true
}

// standing writes what is known from the start.
func (b *bed) standing() {
	s := b.s
	for _, p := range purposes {
		b.files["purposes"].text(string(p.name)).text(categoryWords[p.needs]).end()
	}
	for _, c := range s.Customers {
		b.files["customers"].text(string(c.ID)).text(c.Surname).text(c.Household).text(yes(c.Notable)).text(string(c.Employee)).end()
	}
	for _, e := range s.Employees {
		b.files["employees"].text(string(e.ID)).text(e.Surname).text(e.Household).text(string(e.Team)).text(string(e.Role)).
			text(string(e.Manager)).text(date(e.JoinedOn)).text(date(e.LeavesOn)).end()
	}
	for _, r := range s.Relations {
		b.files["relations"].text(string(r.Employee)).text(string(r.Customer)).text(string(r.Kind)).end()
	}
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

func date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.DateOnly)
}

// write writes the rows of one item; what another row tells already (a closing,
// the end of an assignment) has none of its own.
func (b *bed) write(it *item) {
	s := b.s
	switch it.kind {
	case isLookup:
		b.lookup(it)
	case isOpened:
		h := b.tasks.id("T-", it.task).text(string(s.customerID(it.customer))).text(string(purposes[it.code].name)).text(channels[it.channel]).
			time(it.at).text(s.origin(it.by)).time(it.end)
		if it.end == 0 {
			it.closer = byUnknown
		}
		h.text(s.origin(it.closer)).end()
	case isAssigned:
		team := ""
		if it.employee < 0 {
			team = string(s.teams[it.team].id)
		}
		b.assignments.id("T-", it.task).text(string(s.employeeID(it.employee))).text(team).time(it.at).time(it.end).text(s.origin(it.by)).end()
	case isWork:
		b.work.id("T-", it.task).text(string(s.employeeID(it.employee))).time(it.at).text(workKinds[it.code]).end()
	case isContact:
		direction := "in"
		if it.out {
			direction = "out"
		}
		b.contacts.id("k", it.number).text(string(s.customerID(it.customer))).time(it.at).time(it.end).text(channels[it.channel]).
			text(direction).text(string(s.employeeID(it.employee))).end()
	case isOrder:
		b.orders.text(string(orderID(it.order))).text(string(s.customerID(it.customer))).time(it.at).end()
	case isNews:
		b.news.text(string(s.customerID(it.customer))).time(it.at).end()
	}
}

func (b *bed) lookup(it *item) {
	s, k := b.s, b.s.deskOf(it)
	h := b.accesses.id("a", it.number).time(it.at).text(string(s.employeeID(it.employee))).text(string(s.customerID(it.customer))).
		text(string(actions[it.action])).text(categoryWords[it.cats])
	if it.order != none {
		h.text(string(orderID(it.order)))
	} else {
		h.text("")
	}
	h.id("T-", it.task).text(reasons[it.reason]).id("s", uint64(k.session)).id("d", uint64(1001+k.device)).text(sites[k.site]).text(string(access.OutcomeShown)).end()
	if it.label != nil {
		l := it.label.of(it.number)
		b.labels.text(string(l.Access)).text(l.Episode).text(string(l.Scenario)).text(yes(l.Benign)).end()
	}
}
