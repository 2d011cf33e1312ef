package api

import (
	"errors"
	"mime"
	"net/http"
	"slices"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/lookup"
	"paravent/internal/qualify"
	"paravent/internal/task"
)

// administered are the tables that an administrator may import. Tasks, calls
// and customers come from connectors alone: who could make tasks could look.
var administered = []string{"employees", qualify.Table}

// handleImport handles POST /v1/import/{table}: rows as CSV, all or none.
func (a *api) handleImport(w http.ResponseWriter, r *http.Request, who identity.Who) {
	rows, err := a.importTable(r, who, r.PathValue("table"))
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.write(w, r, http.StatusOK, struct {
		Rows int `json:"rows"`
	}{rows})
}

// importTable imports one table; that is recorded before (G7).
func (a *api) importTable(r *http.Request, who identity.Who, table string) (int, error) {
	role := who.Employee().Role
	if table != qualify.Table && !slices.Contains(task.Tables(), table) {
		return 0, access.Errorf(access.NotFound, "There is no such table.")
	}
	name := "import"
	may := role == access.RoleConnector || role == access.RoleAdministrator && slices.Contains(administered, table)
	if !may {
		name = "import_refused"
	}
	if _, err := a.Lookups.Act(r.Context(), who, lookup.Act{Name: name, About: table, Door: lookup.DoorAPI}); err != nil {
		return 0, err
	}
	if !may {
		return 0, access.Errorf(access.Denied, "Your role may not import this table.").WithHint("A connector's account can.")
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "text/csv" {
		return 0, access.Errorf(access.Invalid, "The body must be CSV.").WithHint("Send the header Content-Type: text/csv.")
	}
	var rows int
	var err error
	if table == qualify.Table {
		rows, err = a.Qualifications.Import(r.Context(), r.Body)
	} else {
		var n task.Count
		n, err = a.Facts.Import(r.Context(), who.Employee(), table, r.Body)
		rows = n.Rows
	}
	var long *http.MaxBytesError
	if errors.As(err, &long) {
		return 0, access.Errorf(access.Invalid, "The table is too long.").WithHint("Send it in several parts.")
	}
	return rows, err
}
