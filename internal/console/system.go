package console

import (
	"fmt"
	"net/http"
	"runtime"
)

// system handles GET /system: whether the program does its work. No customer
// and no finding; of employees only those who asked to change the ledger.
func (v *visit) system() error {
	return v.showSystem(http.StatusOK, changeAsked(v.r.URL.Query().Get("asked")))
}

func (v *visit) showSystem(status int, said notice) error {
	s := v.c.System()
	return v.show(status, "system", "System", struct {
		System
		Since, Began moment
		Running      string
		Behind       string
		Go           string
		Parts        ledgerPart
		Witnessing   witnessPart
	}{s, v.moment(s.Ledger.Since), v.moment(s.Started), ago(v.now.Sub(s.Started)), lag(s), runtime.Version(), v.ledgerPart(said), v.witnessPart(s)})
}

// witnessPart is what the page shows of the witnesses.
type witnessPart struct {
	State     tag
	Note      notice
	Published moment
	Rows      []witnessRow
}

// witnessRow is one witness in the list.
type witnessRow struct {
	Name, Records, Problem string
	At                     moment
	State                  tag
}

func (v *visit) witnessPart(s System) witnessPart {
	part := witnessPart{Published: v.moment(s.PublishedAt)}
	agree := 0
	for _, w := range s.Witnesses {
		row := witnessRow{Name: w.Name, Problem: w.Error, At: v.moment(w.At), State: tag{"Cosigns", "good"}}
		if w.Size > 0 {
			row.Records = count(w.Size)
		}
		switch {
		case w.Accuses:
			row.State = tag{"Contradicts", "bad"}
		case w.Error != "":
			row.State = tag{"Doesn’t cosign", "warn"}
		case w.At.IsZero():
			row.State = tag{"Not asked yet", "plain"}
		default:
			agree++
		}
		part.Rows = append(part.Rows, row)
	}
	switch {
	case len(s.Witnesses) == 0:
		part.State = tag{"none", "warn"}
	case s.WitnessRefusing != "":
		part.State = tag{"nobody may look", "bad"}
		part.Note = notice{"bad", "Nobody may look now.", sentence(s.WitnessRefusing)}
	case s.WitnessReason != "":
		part.State = tag{"behind", "warn"}
		part.Note = notice{"warn", "Not all is witnessed.", sentence(s.WitnessReason)}
	default:
		part.State = tag{fmt.Sprintf("%d of %d cosign", agree, len(s.Witnesses)), "good"}
	}
	return part
}

// sentence makes a sentence of a reason.
func sentence(reason string) string {
	if reason = words(reason); reason == "" {
		return ""
	}
	switch reason[len(reason)-1] {
	case '.', '!', '?':
		return reason
	}
	return reason + "."
}
