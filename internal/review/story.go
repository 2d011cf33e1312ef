package review

import (
	"context"
	"slices"
	"time"

	"paravent/internal/access"
	"paravent/internal/detect"
)

// A story is what the report shows of one finding besides its reasons: its
// look-ups, and what there was of the customer's around them.
type story struct {
	lookups  []*access.Lookup // in order of time
	tasks    []*taskStory     // in the order in which they were opened
	contacts []*access.Contacted
	orders   []time.Time
	news     []time.Time
}

// taskStory is the life of one task.
type taskStory struct {
	access.Task
	assigned []access.Assignment
	worked   []access.Work
}

// fullCustomers is up to how many customers of one finding the report shows
// tasks and contacts for. A finding about more is about the look-ups.
const fullCustomers = 3

// longestTask is how long before the first look-up a task may have been opened
// to be shown, for it may still have been open.
const longestTask = 180 * 24 * time.Hour

// maxFacts is how many facts of one kind a story holds about its customers.
const maxFacts = 200

// tellStories goes through the events once more and returns the story of each
// finding, then of each sample, in their order. It holds no more than what
// these are about.
func tellStories(ctx context.Context, read *reading, r *result) ([]story, error) {
	c := newCollector(slices.Concat(r.findings, r.samples))
	m, err := read.merged()
	if err != nil {
		return nil, err
	}
	for n := 0; ; n++ {
		record := m.first()
		if record == nil {
			return c.stories, nil
		}
		if n%4096 == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if c.wants(record) {
			c.take(c.decoder.event(record))
		}
		if err := m.drop(); err != nil {
			return nil, err
		}
	}
}

// collector gathers stories in one pass.
type collector struct {
	findings  []detect.Finding
	stories   []story
	lookups   map[string][]int // look-up → the findings that it belongs to
	customers map[string][]int
	tasks     map[string]map[int]*taskStory
	decoder   *decoder
}

func newCollector(findings []detect.Finding) *collector {
	c := &collector{
		findings: findings, stories: make([]story, len(findings)), decoder: newDecoder(),
		lookups: map[string][]int{}, customers: map[string][]int{}, tasks: map[string]map[int]*taskStory{},
	}
	for i, f := range findings {
		for _, id := range f.Accesses {
			c.lookups[string(id)] = append(c.lookups[string(id)], i)
		}
		if len(f.Customers) > fullCustomers {
			continue
		}
		for _, id := range f.Customers {
			c.customers[string(id)] = append(c.customers[string(id)], i)
		}
	}
	return c
}

// wants reports whether a record belongs to any story, before it is decoded.
func (c *collector) wants(record []byte) bool {
	f := fields{record[headLen:]}
	first := f.next()
	switch recordRank(record) {
	case rankLookup:
		return c.lookups[string(first)] != nil
	case rankTaskOpened, rankContacted, rankOrdered:
		return c.customers[string(f.next())] != nil
	case rankInNews:
		return c.customers[string(first)] != nil
	case rankAssigned, rankAssignedBriefly, rankWorked, rankTaskClosed:
		return c.tasks[string(first)] != nil
	default:
		return false
	}
}

func (c *collector) take(ev access.Event) {
	switch ev := ev.(type) {
	case *access.Lookup:
		for _, i := range c.lookups[string(ev.ID)] {
			c.stories[i].lookups = append(c.stories[i].lookups, ev)
		}
	case *access.TaskOpened:
		for _, i := range c.near(ev.Customer, ev.OpenedAt, longestTask) {
			if len(c.stories[i].tasks) == maxFacts {
				continue
			}
			t := &taskStory{Task: ev.Task}
			c.stories[i].tasks = append(c.stories[i].tasks, t)
			if c.tasks[string(ev.ID)] == nil {
				c.tasks[string(ev.ID)] = map[int]*taskStory{}
			}
			c.tasks[string(ev.ID)][i] = t
		}
	case *access.Contacted:
		for _, i := range c.near(ev.Customer, ev.At, 0) {
			if s := &c.stories[i]; len(s.contacts) < maxFacts {
				s.contacts = append(s.contacts, ev)
			}
		}
	case *access.Ordered:
		for _, i := range c.near(ev.Customer, ev.At, 0) {
			if s := &c.stories[i]; len(s.orders) < maxFacts {
				s.orders = append(s.orders, ev.At)
			}
		}
	case *access.InNews:
		for _, i := range c.near(ev.Customer, ev.At, 0) {
			if s := &c.stories[i]; len(s.news) < maxFacts {
				s.news = append(s.news, ev.At)
			}
		}
	default:
		c.follow(ev)
	}
}

// follow adds what happened to a task of a story.
func (c *collector) follow(ev access.Event) {
	switch ev := ev.(type) {
	case *access.TaskClosed:
		c.each(ev.Task, ev.At, func(t *taskStory) { t.ClosedAt, t.ClosedBy = ev.At, ev.By })
	case *access.Assigned:
		c.each(ev.Task, ev.Since, func(t *taskStory) { t.assigned = append(t.assigned, ev.Assignment) })
	case *access.Worked:
		c.each(ev.Task, ev.At, func(t *taskStory) { t.worked = append(t.worked, ev.Work) })
	}
}

// each calls change for a task in every story that it belongs to and that
// could know of a fact of this moment.
func (c *collector) each(id access.TaskID, at time.Time, change func(*taskStory)) {
	for i, t := range c.tasks[string(id)] {
		if !at.After(c.findings[i].RaisedAt) {
			change(t)
		}
	}
}

// near returns the stories about a customer to which a fact of this moment may
// belong: not longer before than its timeline shows (or before), and nothing
// that happened after the finding was raised, for it didn't rest on that.
func (c *collector) near(customer access.CustomerID, at time.Time, before time.Duration) []int {
	var list []int
	for _, i := range c.customers[string(customer)] {
		f := &c.findings[i]
		from := f.FirstAt.Add(-max(before, margin(f)))
		if !at.Before(from) && !at.After(f.RaisedAt) {
			list = append(list, i)
		}
	}
	return list
}

// margin is how far before its first look-up the timeline of a finding begins:
// as long as the finding lasted, within two days and thirty.
func margin(f *detect.Finding) time.Duration {
	const day = 24 * time.Hour
	return min(max(f.RaisedAt.Sub(f.FirstAt), 2*day), 30*day)
}
