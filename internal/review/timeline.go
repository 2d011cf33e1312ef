package review

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"paravent/internal/access"
	"paravent/internal/detect"
)

// The size of a timeline, in units of its view box.
const (
	lineWidth  = 960.0
	lineLeft   = 150.0
	lineRight  = 945.0
	lineTop    = 8.0
	laneHeight = 34.0
	dotStep    = 7.0 // look-ups that fall within this are stacked
	wideStep   = 22.0
	dotStack   = 4 // so many high, then they become one dot with a number
)

// maxLanes is how many employees, and how many tasks, have a lane of their own.
const maxLanes = 6

// timeline is the drawing of what happened around a finding: a lane for each
// employee, one for what the customers did, one for each task.
type timeline struct {
	Height    float64
	Lanes     []lane
	Ticks     []chartLabel
	TickBase  float64
	Raised    float64 // where the finding was raised; 0: beyond what is shown
	Text      string  // the drawing in words, for those who can't see it
	HasOthers bool    // something besides look-ups is drawn
	HasNews   bool
}

type lane struct {
	Y, Mid      float64
	Kind, Label string
	Dots        []dot
	Bars        []bar
	Marks       []mark
}

// dot is one look-up, or several of about the same moment with their number.
type dot struct {
	X, Y, R float64
	Class   string // search, view, export or many
	Count   string
	Tip     string
}

// bar is the time in which a task was open.
type bar struct {
	X, W float64
	Open bool // beyond the right end
	Tip  string
}

// mark is a contact, an order, a piece of news or work on a task.
type mark struct {
	X, Y  float64
	Class string
	Tip   string
}

// scale places times.
type scale struct{ from, to time.Time }

func (s scale) x(t time.Time) float64 {
	share := float64(t.Sub(s.from)) / float64(max(1, s.to.Sub(s.from)))
	return round2(lineLeft + (lineRight-lineLeft)*min(1, max(0, share)))
}

// newTimeline draws the story of a finding; nil where it has no look-ups.
func newTimeline(f detect.Finding, s story) *timeline {
	if len(s.lookups) == 0 {
		return nil
	}
	sc := scaleOf(f, s)
	t := &timeline{}
	if !f.RaisedAt.After(sc.to) {
		t.Raised = sc.x(f.RaisedAt)
	}
	y := lineTop
	add := func(l lane) {
		l.Y, l.Mid = y, y+laneHeight/2
		for i := range l.Dots {
			l.Dots[i].Y = round2(l.Dots[i].Y + l.Mid)
		}
		for i := range l.Marks {
			l.Marks[i].Y = round2(l.Marks[i].Y + l.Mid)
		}
		t.Lanes = append(t.Lanes, l)
		y += laneHeight
	}
	for _, l := range employeeLanes(f, s, sc) {
		add(l)
	}
	if l, ok := customerLane(f, s, sc); ok {
		add(l)
		t.HasOthers = true
		t.HasNews = len(s.news) > 0
	}
	for _, task := range shownTasks(s, sc) {
		add(taskLane(task, sc))
		t.HasOthers = true
	}
	t.TickBase = y + 2
	t.Height = y + 22
	t.Ticks = ticks(sc)
	t.Text = strconv.Itoa(len(s.lookups)) + " look-ups, " + strconv.Itoa(len(s.contacts)) + " contacts and " + strconv.Itoa(len(s.tasks)) + " tasks between " +
		sc.from.Format("2 January 15:04") + " and " + sc.to.Format("2 January 15:04")
	return t
}

// scaleOf chooses what the timeline shows: from the first of the facts near the
// look-ups to the moment of raising, with a little air on both sides.
func scaleOf(f detect.Finding, s story) scale {
	from, to := s.lookups[0].At, f.RaisedAt
	if last := s.lookups[len(s.lookups)-1].At; last.After(to) {
		to = last
	}
	if len(s.contacts)+len(s.orders)+len(s.news)+len(s.tasks) == 0 {
		// Nothing but look-ups: the wait until raising would only push them together.
		last := s.lookups[len(s.lookups)-1].At
		if reach := last.Add(max(last.Sub(from), 10*time.Minute)); to.After(reach) {
			to = last
		}
	}
	earliest := from.Add(-margin(&f))
	reach := func(t time.Time) {
		if t.Before(from) && !t.Before(earliest) {
			from = t
		}
	}
	for _, c := range s.contacts {
		reach(c.At)
	}
	for _, o := range s.orders {
		reach(o)
	}
	for _, n := range s.news {
		reach(n)
	}
	for _, task := range s.tasks {
		reach(task.OpenedAt)
		if !task.ClosedAt.IsZero() {
			reach(task.ClosedAt)
		}
	}
	air := max(to.Sub(from)/40, time.Minute)
	return scale{from.Add(-air).UTC(), to.Add(air).UTC()}
}

// employeeLanes returns a lane for each employee, the busiest first; those
// beyond the last lane share it.
func employeeLanes(f detect.Finding, s story, sc scale) []lane {
	by := map[access.EmployeeID][]*access.Lookup{}
	for _, l := range s.lookups {
		by[l.Employee] = append(by[l.Employee], l)
	}
	who := slices.Clone(f.Employees)
	slices.SortStableFunc(who, func(a, b access.EmployeeID) int { return -cmp.Compare(len(by[a]), len(by[b])) })
	var lanes []lane
	for i, e := range who {
		if i == maxLanes-1 && len(who) > maxLanes {
			var rest []*access.Lookup
			for _, other := range who[i:] {
				rest = append(rest, by[other]...)
			}
			slices.SortStableFunc(rest, func(a, b *access.Lookup) int { return a.At.Compare(b.At) })
			return append(lanes, lane{Kind: "employees", Label: strconv.Itoa(len(who)-i) + " more", Dots: dots(rest, sc)})
		}
		lanes = append(lanes, lane{Kind: "employee", Label: shortened(string(e), 16), Dots: dots(by[e], sc)})
	}
	return lanes
}

// dots places look-ups, stacking those of about the same moment. A lane with
// more than a stack can hold is cut into wider pieces, each a dot with a number.
func dots(lookups []*access.Lookup, sc scale) []dot {
	order, groups := pieces(lookups, sc, dotStep)
	step := dotStep
	if slices.ContainsFunc(order, func(g int) bool { return len(groups[g]) > dotStack }) {
		step = wideStep
		order, groups = pieces(lookups, sc, step)
	}
	var list []dot
	for _, g := range order {
		group := groups[g]
		x := round2((sc.x(group[0].At) + sc.x(group[len(group)-1].At)) / 2)
		if len(group) > dotStack {
			list = append(list, dot{X: x, R: round2(min(11, 7.5+float64(len(group))/8)), Class: "many", Count: strconv.Itoa(len(group)), Tip: tipOfMany(group)})
			continue
		}
		for i, l := range group {
			y := (float64(i) - float64(len(group)-1)/2) * dotStep
			list = append(list, dot{X: x, Y: y, R: 3.2, Class: string(l.Action), Tip: tipOf(l)})
		}
	}
	return list
}

// pieces cuts the line into pieces of step and returns the look-ups of each,
// and the pieces that have any, in order of time.
func pieces(lookups []*access.Lookup, sc scale, step float64) (order []int, groups map[int][]*access.Lookup) {
	groups = map[int][]*access.Lookup{}
	for _, l := range lookups {
		g := int((sc.x(l.At) - lineLeft) / step)
		if groups[g] == nil {
			order = append(order, g)
		}
		groups[g] = append(groups[g], l)
	}
	return order, groups
}

func tipOf(l *access.Lookup) string {
	v := newLookView(l)
	text := v.At + " " + v.Employee + " " + v.Action + " " + v.Customer
	if v.Categories != "" {
		text += ": " + v.Categories
	}
	if v.Task != "" {
		text += " (named task " + v.Task + ")"
	}
	return text
}

func tipOfMany(group []*access.Lookup) string {
	first, last := group[0].At.UTC(), group[len(group)-1].At.UTC()
	return strconv.Itoa(len(group)) + " look-ups, " + spanText(first, last)
}

// customerLane shows what the customers themselves did.
func customerLane(f detect.Finding, s story, sc scale) (lane, bool) {
	l := lane{Kind: "customer", Label: shortened(joined(f.Customers, 1), 16)}
	visible := func(t time.Time) bool { return !t.Before(sc.from) && !t.After(sc.to) }
	for _, t := range s.orders {
		if visible(t) {
			l.Marks = append(l.Marks, mark{X: sc.x(t), Class: "order", Tip: "order placed " + t.UTC().Format("2 January 15:04")})
		}
	}
	for _, c := range s.contacts {
		if visible(c.At) {
			tip := strings.TrimSpace(c.Channel+" "+c.Direction) + " " + c.At.UTC().Format("2 January 15:04")
			if c.Employee != "" {
				tip += ", taken by " + string(c.Employee)
			}
			l.Marks = append(l.Marks, mark{X: sc.x(c.At), Class: "contact", Tip: tip})
		}
	}
	for _, t := range s.news {
		if visible(t) {
			l.Marks = append(l.Marks, mark{X: sc.x(t), Class: "news", Tip: "in the news " + t.UTC().Format("2 January 15:04")})
		}
	}
	return l, len(l.Marks) > 0
}

// shownTasks returns the tasks that were open in the time shown, the latest
// few, in order of opening.
func shownTasks(s story, sc scale) []*taskStory {
	var list []*taskStory
	for _, t := range s.tasks {
		if t.OpenedAt.After(sc.to) || (!t.ClosedAt.IsZero() && t.ClosedAt.Before(sc.from)) {
			continue
		}
		list = append(list, t)
	}
	return list[max(0, len(list)-maxLanes):]
}

func taskLane(t *taskStory, sc scale) lane {
	until := t.ClosedAt
	open := until.IsZero()
	if open {
		until = sc.to
	}
	x := sc.x(t.OpenedAt)
	tip := "task " + string(t.ID) + " (" + string(t.Purpose) + "), opened " + t.OpenedAt.UTC().Format("2 January 2006 15:04")
	if t.OpenedBy != "" {
		tip += " by " + t.OpenedBy
	}
	if !open {
		tip += ", closed " + t.ClosedAt.UTC().Format("2 January 2006 15:04")
		if t.ClosedBy != "" {
			tip += " by " + t.ClosedBy
		}
	}
	for i, a := range t.assigned {
		if i == 8 {
			tip += ", and more"
			break
		}
		who := string(a.Employee)
		if who == "" {
			who = "team " + string(a.Team)
		}
		tip += ", to " + who + " " + a.Since.UTC().Format("2 Jan 15:04")
	}
	kind := "task"
	if t.Purpose != "" {
		kind = shortened("task, "+string(t.Purpose), 22)
	}
	l := lane{Kind: kind, Label: shortened(string(t.ID), 16)}
	l.Bars = []bar{{X: x, W: round2(max(4, sc.x(until)-x)), Open: open, Tip: tip}}
	for _, w := range t.worked {
		if !w.At.Before(sc.from) && !w.At.After(sc.to) {
			l.Marks = append(l.Marks, mark{X: sc.x(w.At), Class: "work", Tip: w.Kind + " by " + string(w.Employee) + " " + w.At.UTC().Format("2 January 15:04")})
		}
	}
	return l
}

// ticks returns about six round moments.
func ticks(sc scale) []chartLabel {
	const hour = time.Hour
	span := sc.to.Sub(sc.from)
	step := 365 * 24 * hour
	for _, s := range []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, hour, 3 * hour, 6 * hour, 12 * hour, 24 * hour, 2 * 24 * hour, 7 * 24 * hour, 14 * 24 * hour, 28 * 24 * hour, 91 * 24 * hour} {
		if span/s <= 7 {
			step = s
			break
		}
	}
	layout := "2 Jan"
	if step < 24*hour {
		layout = "2 Jan 15:04"
	}
	var list []chartLabel
	for t := sc.from.Truncate(step).Add(step); t.Before(sc.to) && len(list) < 12; t = t.Add(step) {
		if x := sc.x(t); x > lineLeft+20 && x < lineRight-30 {
			list = append(list, chartLabel{x, t.Format(layout)})
		}
	}
	return list
}
