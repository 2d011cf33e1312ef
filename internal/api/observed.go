package api

import (
	"context"
	"net/http"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/lookup"
)

// Observer records what a database's log tells of reads past Paravent.
// *lookup.Observer is one.
type Observer interface {
	// Watched returns which relations are protected, and whose reads aren't
	// recorded.
	Watched(who identity.Who) (lookup.Watched, error)
	// Observe records those sightings that aren't recorded yet, durable on return.
	Observe(ctx context.Context, who identity.Who, batch []lookup.Sighting) (lookup.Counted, error)
}

// sightingBody is one line of a database's log.
type sightingBody struct {
	ID        string    `json:"id"` // SHA-256 of the line, 64 hex digits
	At        time.Time `json:"at,omitzero"`
	Reader    string    `json:"reader"` // the database's role
	Database  string    `json:"database,omitempty"`
	Program   string    `json:"program,omitempty"`
	Host      string    `json:"host,omitempty"`
	Session   string    `json:"session,omitempty"`
	Command   string    `json:"command,omitempty"`
	Relations []string  `json:"relations"`           // schema.name
	Statement string    `json:"statement,omitempty"` // without literals
}

// observedBody is the body of POST /v1/observed.
type observedBody struct {
	Sightings []sightingBody `json:"sightings"` // at most 1000
}

// handleObserved handles POST /v1/observed. The same batch may be sent again.
func (a *api) handleObserved(w http.ResponseWriter, r *http.Request, who identity.Who) {
	var b observedBody
	err := a.observes()
	if err == nil {
		err = read(r, &b)
	}
	var n lookup.Counted
	if err == nil {
		batch := make([]lookup.Sighting, len(b.Sightings))
		for i, s := range b.Sightings {
			batch[i] = lookup.Sighting(s)
		}
		n, err = a.Observer.Observe(r.Context(), who, batch)
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.write(w, r, http.StatusOK, struct {
		Recorded int `json:"recorded"`
		Known    int `json:"known"`
		Passed   int `json:"passed"`
	}(n))
}

// handleWatched handles GET /v1/observed.
func (a *api) handleWatched(w http.ResponseWriter, r *http.Request, who identity.Who) {
	err := a.observes()
	var watched lookup.Watched
	if err == nil {
		watched, err = a.Observer.Watched(who)
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.write(w, r, http.StatusOK, struct {
		Relations []string `json:"relations"` // protected: schema.name
		Passed    []string `json:"passed"`    // roles whose reads aren't recorded
	}(watched))
}

// observes says whether there is anything to watch.
func (a *api) observes() error {
	if a.Observer == nil {
		return access.Errorf(access.NotFound, "No PostgreSQL is protected here.").
			WithHint("Name one under sources in the server's configuration.")
	}
	return nil
}
