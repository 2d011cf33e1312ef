package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"paravent/internal/access"
	"paravent/internal/investigate"
)

// chartMinutes is how far back the overview's chart goes.
const chartMinutes = 60

// figures is what the overview shows and then asks for again every 2 s: counts,
// no person.
type figures struct {
	Tiles    map[string]string `json:"tiles"` // by name, ready to be shown
	From     int64             `json:"from"`  // of the chart's first minute, seconds since 1970 UTC
	Zone     int               `json:"zone"`  // of the shown times, seconds east of UTC
	Shown    []int             `json:"shown"` // look-ups a minute
	Refused  []int             `json:"refused"`
	Other    []int             `json:"other"`     // nobody found, failed, not known, in an emergency
	LedgerOK bool              `json:"ledger_ok"` // look-ups can be recorded
}

// overview handles GET /overview. It names nobody, so it is no act.
func (v *visit) overview() error {
	f, err := v.gather()
	if err != nil {
		return err
	}
	type minute struct {
		At                    moment
		Shown, Refused, Other int
	}
	data := struct {
		Figures figures
		Ledger  struct {
			OK     bool
			Reason string
			Since  moment
		}
		Minutes []minute // the last of them, newest first, for readers without the chart
		Decides bool
	}{Figures: f, Decides: deciders(v.in)}
	state := v.c.System().Ledger
	data.Ledger.OK, data.Ledger.Reason, data.Ledger.Since = state.OK, state.Reason, v.moment(state.Since)
	const listed = 15
	for i := chartMinutes - 1; i >= chartMinutes-listed; i-- {
		at := time.Unix(f.From, 0).Add(time.Duration(i) * time.Minute)
		data.Minutes = append(data.Minutes, minute{v.moment(at), f.Shown[i], f.Refused[i], f.Other[i]})
	}
	return v.show(http.StatusOK, "overview", "Overview", data)
}

// figures handles GET /overview/figures.
func (v *visit) figures() error {
	f, err := v.gather()
	if err != nil {
		return err
	}
	body, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("encode figures: %w", err)
	}
	v.send(http.StatusOK, "application/json", body)
	return nil
}

// gather counts.
func (v *visit) gather() (figures, error) {
	ctx := v.r.Context()
	local := v.now.In(v.c.Zone)
	midnight := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, v.c.Zone)
	const wholeDay = 26 * time.Hour // longer than the longest day of a zone with summer time
	today, err := v.c.Index.CountLookups(ctx, midnight, wholeDay, 1)
	if err != nil {
		return figures{}, err
	}
	from := v.now.Truncate(time.Minute).Add(-(chartMinutes - 1) * time.Minute)
	minutes, err := v.c.Index.CountLookups(ctx, from, time.Minute, chartMinutes)
	if err != nil {
		return figures{}, err
	}
	found, err := v.c.Findings.CountFindings(ctx)
	if err != nil {
		return figures{}, err
	}
	waiting, err := v.c.RequestStates.Requests(ctx, investigate.Filter{State: investigate.Waiting, Alive: v.now})
	if err != nil {
		return figures{}, err
	}
	_, zone := local.Zone()
	f := figures{From: from.Unix(), Zone: zone, Shown: make([]int, chartMinutes), Refused: make([]int, chartMinutes), Other: make([]int, chartMinutes)}
	for outcome, counts := range minutes {
		into := f.Other
		switch outcome {
		case access.OutcomeShown:
			into = f.Shown
		case access.OutcomeRefused:
			into = f.Refused
		}
		for i, n := range counts[:min(len(counts), chartMinutes)] {
			into[i] += n
		}
	}
	all := 0
	for _, counts := range today {
		all += sum(counts)
	}
	system := v.c.System()
	f.LedgerOK = system.Ledger.OK
	f.Tiles = map[string]string{
		"today": count(all), "refused": count(sum(today[access.OutcomeRefused])), "findings": count(found),
		"waiting": count(len(waiting)), "records": count(system.LedgerSize), "lag": lag(system), "explained": share(system.Explained, system.Unexplained),
	}
	return f, nil
}

// share is the part of the judged look-ups that are explained, in percent.
func share(explained, unexplained int) string {
	if explained+unexplained == 0 {
		return "–"
	}
	percent := 100 * float64(explained) / float64(explained+unexplained)
	if percent > 99.9 && unexplained > 0 {
		percent = 99.9 // never round away what isn't explained
	}
	return fmt.Sprintf("%.1f %%", percent)
}

// lag says how far the follower is behind the ledger.
func lag(s System) string {
	if s.LagRecords == 0 && s.Lag < time.Second {
		return "none"
	}
	if s.Lag < time.Minute {
		return fmt.Sprintf("%.1f s", s.Lag.Seconds())
	}
	return ago(s.Lag)
}

func sum(counts []int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}
