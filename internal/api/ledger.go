package api

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"

	"paravent/internal/access"
	"paravent/internal/detect"
	"paravent/internal/identity"
	"paravent/internal/investigate"
	"paravent/internal/lookup"
)

// Cases finds what evidence is asked about. *store.Store is one.
type Cases interface {
	// Finding returns a finding or sample, access.NotFound where there is none.
	Finding(ctx context.Context, id string) (detect.Finding, error)
	// LookupsByID returns the look-ups of these ids that the index knows.
	LookupsByID(ctx context.Context, ids []access.LookupID) ([]investigate.Indexed, error)
}

// Evidence writes a bundle that proves what the records at these numbers and
// the outcomes that belong to them say. What it is about is one line of text.
type Evidence func(ctx context.Context, w io.Writer, about string, numbers []uint64) error

// auditors may read the ledger's tiles where they aren't public. They name
// nobody: any role that watches will do.
var auditors = []access.Role{access.RoleAuditor, access.RolePrivacyOfficer, access.RoleAdministrator, access.RoleSecurity}

// officers may take evidence out: it holds opened records.
var officers = []access.Role{access.RolePrivacyOfficer, access.RoleAuditor}

// handleLedger handles GET /ledger/…: checkpoint, tiles and leaves, for auditors.
func (a *api) handleLedger(w http.ResponseWriter, r *http.Request, who identity.Who) {
	if !slices.Contains(auditors, who.Employee().Role) {
		a.fail(w, r, access.Errorf(access.Denied, "The ledger is read by auditors.").WithHint("Ask the privacy office for what concerns you."))
		return
	}
	a.serveLedger(w, r)
}

func (a *api) serveLedger(w http.ResponseWriter, r *http.Request) {
	http.StripPrefix("/ledger", a.Ledger).ServeHTTP(w, r)
}

// handleEvidence handles GET /v1/evidence/{id}: a bundle about a finding or a
// look-up, a zip file. Taking it out is an act, recorded before (G7).
func (a *api) handleEvidence(w http.ResponseWriter, r *http.Request, who identity.Who) {
	var bundle bytes.Buffer
	if err := a.evidence(r.Context(), &bundle, who, r.PathValue("id")); err != nil {
		a.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Disposition", `attachment; filename="evidence.zip"`)
	if _, err := w.Write(bundle.Bytes()); err != nil {
		a.Log.WarnContext(r.Context(), "evidence was not taken to the end", "error", err)
	}
}

func (a *api) evidence(ctx context.Context, bundle io.Writer, who identity.Who, id string) error {
	if !slices.Contains(officers, who.Employee().Role) {
		if _, err := a.Lookups.Act(ctx, who, lookup.Act{Name: "evidence_refused", Door: lookup.DoorAPI}); err != nil {
			return err
		}
		return access.Errorf(access.Denied, "Evidence is taken out by the privacy office or an auditor.")
	}
	about, ids := "look-up "+id, []access.LookupID{access.LookupID(id)}
	switch f, err := a.Cases.Finding(ctx, id); access.CodeOf(err) {
	case "":
		about, ids = "finding "+id, f.Accesses
	case access.NotFound: // perhaps a look-up's id
	default:
		return err
	}
	rows, err := a.Cases.LookupsByID(ctx, ids)
	if err != nil {
		return err
	}
	// G7: recorded, once for each customer, before anything is taken out.
	told := map[access.CustomerID]bool{}
	var numbers []uint64
	for _, row := range rows {
		numbers = append(numbers, row.Number)
		if c := row.Lookup.Customer; !told[c] {
			told[c] = true
			if _, err := a.Lookups.Act(ctx, who, lookup.Act{Name: "take_evidence", Customer: c, About: about, Door: lookup.DoorAPI}); err != nil {
				return err
			}
		}
	}
	if len(numbers) == 0 {
		if _, err := a.Lookups.Act(ctx, who, lookup.Act{Name: "take_evidence", Door: lookup.DoorAPI}); err != nil {
			return err
		}
		return access.Errorf(access.NotFound, "There is no finding or look-up of that id.").WithHint("A look-up is known a moment after it was recorded.")
	}
	return a.Evidence(ctx, bundle, about, numbers)
}
