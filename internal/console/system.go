package console

import (
	"net/http"
	"runtime"
)

// system handles GET /system: whether the program does its work. No customer,
// no finding, no employee.
func (v *visit) system() error {
	s := v.c.System()
	return v.show(http.StatusOK, "system", "System", struct {
		System
		Since, Began moment
		Running      string
		Behind       string
		Go           string
	}{s, v.moment(s.Ledger.Since), v.moment(s.Started), ago(v.now.Sub(s.Started)), lag(s), runtime.Version()})
}
