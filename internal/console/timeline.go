package console

import (
	"fmt"
	"slices"
	"time"

	"paravent/internal/access"
	"paravent/internal/detect"
	"paravent/internal/investigate"
)

// The measures of a timeline, in the units of its drawing.
const (
	lineWidth  = 900
	laneHeight = 34
	laneLeft   = 190 // where the names end
	laneTop    = 34  // where the times end
	maxLanes   = 12
)

// timeline draws a finding's look-ups: a lane for each employee, or for each
// customer where one employee ran through many.
type timeline struct {
	Width, Height int
	Title         string
	Lanes         []lane
	Ticks         []tick
	Hidden        int // lanes that there is no room for
}

type lane struct {
	Name  string
	Y     int
	TextY int
	Left  int
	Right int
	Dots  []dot
}

// dot is one look-up, or several that are too close to be told apart.
type dot struct {
	X      int
	Radius int
	Class  string // of its outcome; of several, the first that wasn't shown
	Title  string
	Count  int
}

type tick struct {
	X      int
	Text   string
	Anchor string // start, middle or end
	Top    int
	Bottom int
}

// timeline returns nil where there is nothing to draw.
func (v *visit) timeline(f detect.Finding, rows []investigate.Indexed) *timeline {
	if len(rows) == 0 {
		return nil
	}
	from, until := rows[0].Lookup.At, rows[0].Lookup.At
	for _, r := range rows {
		if r.Lookup.At.Before(from) {
			from = r.Lookup.At
		}
		if r.Lookup.At.After(until) {
			until = r.Lookup.At
		}
	}
	const slack = 0.04 // of the whole, so that no dot sits on an edge
	margin := max(time.Duration(slack*float64(until.Sub(from))), 5*time.Minute)
	from, until = from.Add(-margin), until.Add(margin)
	place := func(at time.Time) int {
		return laneLeft + int(float64(lineWidth-laneLeft-20)*float64(at.Sub(from))/float64(until.Sub(from)))
	}
	t := &timeline{Width: lineWidth, Title: fmt.Sprintf("%s between %s and %s", plural(len(rows), "look-up", "look-ups"),
		v.moment(rows[0].Lookup.At).Text, v.moment(rows[len(rows)-1].Lookup.At).Text)}
	for _, r := range rows {
		name := r.Pseudonym
		if name == "" {
			name = v.c.Pseudonym(r.Lookup.Employee)
		}
		if f.Kind == detect.KindRun {
			name = string(r.Lookup.Customer)
		}
		at := slices.IndexFunc(t.Lanes, func(l lane) bool { return l.Name == name })
		if at < 0 {
			y := laneTop + len(t.Lanes)*laneHeight + laneHeight/2
			t.Lanes = append(t.Lanes, lane{Name: name, Y: y, TextY: y + 4, Left: laneLeft, Right: lineWidth - 20})
			at = len(t.Lanes) - 1
		}
		t.Lanes[at].add(dot{X: place(r.Lookup.At), Class: outcomeClass(r.Lookup.Outcome), Title: v.dotTitle(r), Count: 1, Radius: 6})
	}
	if len(t.Lanes) > maxLanes {
		t.Hidden, t.Lanes = len(t.Lanes)-maxLanes, t.Lanes[:maxLanes]
	}
	t.Height = laneTop + len(t.Lanes)*laneHeight + 10
	t.Ticks = v.ticks(from, until, place, t.Height)
	return t
}

// add draws a look-up, in order of time, into the dot before it where the two
// would overlap.
func (l *lane) add(d dot) {
	const apart, most, titles = 13, 11, 6
	if len(l.Dots) == 0 || d.X-l.Dots[len(l.Dots)-1].X >= apart {
		l.Dots = append(l.Dots, d)
		return
	}
	last := &l.Dots[len(l.Dots)-1]
	last.Count++
	last.Radius = min(6+last.Count, most)
	if last.Class == "good" {
		last.Class = d.Class
	}
	if last.Count <= titles {
		last.Title += "\n" + d.Title
	} else if last.Count == titles+1 {
		last.Title += "\n…"
	}
}

// dotTitle is what a look-up's dot tells to whoever points at it.
func (v *visit) dotTitle(r investigate.Indexed) string {
	out := v.moment(r.Lookup.At).Exact + ", customer " + string(r.Lookup.Customer)
	if r.Lookup.Task != "" {
		out += ", task " + string(r.Lookup.Task)
	} else {
		out += ", no task named"
	}
	if len(r.Lookup.Categories) > 0 {
		out += ", " + lowerList(v.categoryTitles(r.Lookup.Categories))
	}
	if o := r.Lookup.Outcome; o != "" && o != access.OutcomeShown {
		out += " (" + lowerFirst(outcomeTitle(o)) + ")"
	}
	return out
}

// ticks marks round times.
func (v *visit) ticks(from, until time.Time, place func(time.Time) int, bottom int) []tick {
	const atMost = 6
	steps := []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
		24 * time.Hour, 48 * time.Hour, 7 * 24 * time.Hour, 14 * 24 * time.Hour, 28 * 24 * time.Hour, 91 * 24 * time.Hour, 365 * 24 * time.Hour}
	step := steps[len(steps)-1]
	for _, s := range steps {
		if until.Sub(from)/s <= atMost {
			step = s
			break
		}
	}
	_, offset := from.In(v.c.Zone).Zone()
	shift := time.Duration(offset) * time.Second
	format := "2 Jan, 15:04"
	if step >= 24*time.Hour {
		format = "2 Jan"
	} else if from.In(v.c.Zone).YearDay() == until.In(v.c.Zone).YearDay() {
		format = "15:04"
	}
	var out []tick
	for at := from.Add(shift).Truncate(step).Add(step - shift); at.Before(until); at = at.Add(step) {
		x, anchor := place(at), "middle"
		if x > lineWidth-60 {
			anchor = "end"
		}
		out = append(out, tick{X: x, Text: at.In(v.c.Zone).Format(format), Anchor: anchor, Top: laneTop - 8, Bottom: bottom})
	}
	return out
}
