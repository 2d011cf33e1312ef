package console

import (
	"fmt"

	"paravent/internal/access"
	"paravent/internal/investigate"
)

// logRow is one log of the ledger in the list.
type logRow struct {
	Name, Numbers, Records, Size string
	First, Last                  moment
	State                        tag
	Oldest, Open                 bool
	Droppable                    bool
	KeptUntil                    string // the day, of the oldest that is too young to be dropped
}

// changeRow is one request to change the ledger.
type changeRow struct {
	What, Asker, By, Said, Failure string
	At, Done                       moment
	State                          tag
}

// ledgerPart is what the page of the system shows of the ledger's logs.
type ledgerPart struct {
	Notice  notice
	Logs    []logRow
	Changes []changeRow
	Unread  bool // the changes can't be shown, as reading them can't be recorded
}

// ledgerPart gathers the logs and what was asked of them, which is recorded. When
// that can't be, the rest of the page is shown all the same: it says why.
func (v *visit) ledgerPart(said notice) (part ledgerPart) {
	part.Notice = said
	if v.c.Upkeep == nil {
		return part
	}
	logs := v.c.Upkeep.Logs()
	for i, l := range logs {
		part.Logs = append(part.Logs, v.logRow(l, i == 0, i == len(logs)-1))
	}
	all, err := v.c.Upkeep.List(v.r.Context(), v.in.Who)
	if err != nil {
		v.c.Log.ErrorContext(v.r.Context(), "what was asked of the ledger can't be shown", "request_id", v.id, "error", err)
		part.Unread = true
	}
	for _, r := range all {
		part.Changes = append(part.Changes, changeRow{What: changeTitle(r), Asker: string(r.Asker), By: string(r.By), Said: r.Said, Failure: r.Failure,
			At: v.moment(r.At), Done: v.moment(r.DoneAt), State: changeState(r)})
	}
	return part
}

func (v *visit) logRow(l investigate.LogFacts, oldest, last bool) logRow {
	row := logRow{Name: l.Name, Records: count(l.Size), Size: bytesOf(l.Bytes), First: v.moment(l.First), Last: v.moment(l.Last),
		State: tag{"Frozen", "plain"}, Oldest: oldest, Open: last && !l.Frozen}
	if l.Size > 0 {
		row.Numbers = "#" + count(l.Base) + " – #" + count(l.Base+l.Size-1)
	}
	if row.Open {
		row.State, row.Last = tag{"Written to", "good"}, moment{}
	}
	if oldest && l.Frozen && !last {
		until := v.c.Upkeep.KeptUntil(l)
		row.Droppable = !until.IsZero() && !v.now.Before(until)
		if !until.IsZero() && !row.Droppable {
			row.KeptUntil = until.UTC().Format("2 January 2006")
		}
	}
	return row
}

// bytesOf writes a size on disk; "" where it isn't told.
func bytesOf(n int64) string {
	switch {
	case n <= 0:
		return ""
	case n < 1_000_000:
		return fmt.Sprintf("%d kB", (n+999)/1000)
	case n < 1_000_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

// changeTitle names a change of the ledger.
func changeTitle(r investigate.Request) string {
	if r.Kind == investigate.KindDrop {
		return "Drop log " + r.About
	}
	return "Rotate: freeze log " + r.About
}

// changeState is the state of such a request in a word.
func changeState(r investigate.Request) tag {
	switch {
	case r.State == investigate.Failed:
		return tag{"Not done", "bad"}
	case !r.DoneAt.IsZero():
		return tag{"Done", "good"}
	case r.State == investigate.Confirmed:
		return tag{"Being done", "warn"}
	case r.State == investigate.Declined:
		return tag{"Declined", "bad"}
	case r.State == investigate.Lapsed:
		return tag{"Lapsed", "plain"}
	}
	return tag{"Waits for a second person", "warn"}
}

// askRotation handles POST /system/rotations.
func (v *visit) askRotation() error { return v.askChange(investigate.KindRotation) }

// askDrop handles POST /system/drops.
func (v *visit) askDrop() error { return v.askChange(investigate.KindDrop) }

func (v *visit) askChange(kind string) error {
	if err := v.parseForm(); err != nil {
		return err
	}
	if v.c.Upkeep == nil {
		return access.Errorf(access.Unavailable, "The ledger can't be changed here.")
	}
	_, err := v.c.Upkeep.Ask(v.r.Context(), v.in.Who, kind, v.form("log"), v.form("reason"))
	switch code := access.CodeOf(err); code {
	case "":
		v.redirect("/system?asked=" + kind)
		return nil
	case access.Conflict, access.Invalid, access.Denied, access.NotFound:
		message, hint := access.Public(err)
		return v.showSystem(statusOf(code), notice{"bad", message, hint})
	}
	return err
}

// changeAsked tells what was asked a moment ago.
func changeAsked(kind string) notice {
	switch kind {
	case investigate.KindRotation:
		return notice{"good", "A second person is asked.", "An auditor, a privacy officer or another administrator has to agree; then the log is frozen at once."}
	case investigate.KindDrop:
		return notice{"good", "A second person is asked.", "An auditor or a privacy officer has to agree; then the log goes at once."}
	}
	return notice{}
}
