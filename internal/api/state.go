package api

import (
	"net/http"
	"time"
)

// stateBody is the answer of GET /v1/state.
type stateBody struct {
	OK bool `json:"ok"`
	*stateDetails
}

// stateDetails is for who is proven.
type stateDetails struct {
	Version string `json:"version"`
	Ledger  struct {
		OK      bool      `json:"ok"`
		Reason  string    `json:"reason,omitempty"`
		Since   time.Time `json:"since,omitzero"`
		Records uint64    `json:"records"`
	} `json:"ledger"`
	Follower struct {
		BehindRecords uint64  `json:"behind_records"`
		BehindSeconds float64 `json:"behind_seconds"`
	} `json:"follower"`
}

// handleState handles GET /v1/state: to anybody whether the program can do its
// work (200 or 503), to employees how it does. It holds no personal data.
func (a *api) handleState(w http.ResponseWriter, r *http.Request) {
	s := a.State()
	out := stateBody{OK: s.OK}
	if r.Header.Get("Authorization") != "" {
		if _, err := a.who(r); err != nil {
			a.fail(w, r, err)
			return
		}
		d := &stateDetails{Version: s.Version}
		d.Ledger.OK, d.Ledger.Reason, d.Ledger.Since, d.Ledger.Records = s.Ledger.OK, s.Ledger.Reason, s.Ledger.Since, s.Records
		d.Follower.BehindRecords, d.Follower.BehindSeconds = s.LagRecords, s.Lag.Seconds()
		out.stateDetails = d
	}
	status := http.StatusOK
	if !s.OK {
		status = http.StatusServiceUnavailable
	}
	a.write(w, r, status, out)
}
