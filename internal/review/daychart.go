package review

import (
	"math"
	"strconv"
	"time"

	"paravent/internal/detect"
)

// The size of the chart of days, in units of its view box.
const (
	chartWidth  = 960.0
	chartHeight = 220.0
	chartLeft   = 52.0
	chartTop    = 10.0
	chartBase   = 190.0
)

// dayChart is the chart of look-ups per day: stacked bars.
type dayChart struct {
	Bars   []dayBar
	Lines  []chartLine // horizontal, with the number of look-ups
	Labels []chartLabel
}

type dayBar struct {
	X, W             float64
	StrongY, StrongH float64
	NoneY, NoneH     float64
	MarkX, MarkR     float64 // the dot for findings; no radius: none
	Tip              string
}

type chartLine struct {
	Y    float64
	Text string
}

type chartLabel struct {
	X    float64
	Text string
}

// newDayChart lays the chart out. Days without look-ups have their place, too;
// more than 400 days are joined into weeks.
func newDayChart(t detect.Tally) dayChart {
	days, step := everyDay(t.Days)
	if len(days) == 0 {
		return dayChart{}
	}
	most := 1
	for _, d := range days {
		most = max(most, d.Lookups)
	}
	top := niceAbove(most)
	y := func(n int) float64 { return round2(chartBase - (chartBase-chartTop)*float64(n)/float64(top)) }
	pitch := (chartWidth - chartLeft) / float64(len(days))
	var c dayChart
	for _, quarter := range []int{0, 1, 2, 3, 4} {
		n := top * quarter / 4
		c.Lines = append(c.Lines, chartLine{y(n), grouped(n)})
	}
	labelEvery := int(math.Ceil(64 / pitch))
	for i, d := range days {
		x := chartLeft + pitch*float64(i)
		known := d.Lookups - d.Unexplained
		b := dayBar{X: round2(x + pitch*0.1), W: round2(max(0.8, pitch*0.8)), StrongY: y(known), NoneY: y(d.Lookups), MarkX: round2(x + pitch/2)}
		b.StrongH, b.NoneH = round2(chartBase-b.StrongY), round2(b.StrongY-b.NoneY)
		if d.Findings > 0 {
			b.MarkR = round2(min(2+0.5*float64(d.Findings), 5, max(1, pitch*0.45)))
		}
		b.Tip = d.Day.Format("Monday, 2 January 2006")
		if step > 1 {
			b.Tip = "Week of " + d.Day.Format("2 January 2006")
		}
		b.Tip += ": " + grouped(d.Lookups) + " look-ups, " + grouped(d.Unexplained) + " unexplained, " + strconv.Itoa(d.Findings) + " findings"
		c.Bars = append(c.Bars, b)
		if i%labelEvery == 0 && x < chartWidth-30 {
			c.Labels = append(c.Labels, chartLabel{round2(x + pitch/2), d.Day.Format("2 Jan")})
		}
	}
	return c
}

// everyDay fills the gaps between days and returns how many days each stands for.
func everyDay(days []detect.TallyDay) ([]detect.TallyDay, int) {
	const day = 24 * time.Hour
	if len(days) == 0 {
		return nil, 1
	}
	first := days[0].Day
	step := 1
	if days[len(days)-1].Day.Sub(first) > 400*day {
		step = 7
	}
	at := func(d time.Time) int { return int(d.Sub(first)/day) / step }
	n := at(days[len(days)-1].Day) + 1
	if n > 2000 { // decades: the gaps are worth nothing
		return days, 1
	}
	full := make([]detect.TallyDay, n)
	for i := range full {
		full[i].Day = first.Add(time.Duration(i*step) * day)
	}
	for _, d := range days {
		x := &full[at(d.Day)]
		x.Lookups += d.Lookups
		x.Unexplained += d.Unexplained
		x.Findings += d.Findings
	}
	return full, step
}

// niceAbove returns the next number of the form 1, 2, 4 or 8 × 10^k, at least 4,
// so that its quarters read well.
func niceAbove(n int) int {
	for unit := 1; ; unit *= 10 {
		for _, lead := range []int{4, 8, 12, 16, 20, 32} {
			if lead*unit >= n {
				return lead * unit
			}
		}
	}
}
