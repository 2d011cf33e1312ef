package pggate_test

import (
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/pggate"

	"github.com/jackc/pgx/v5"
)

// minting counts the tokens that it makes.
type minting struct {
	*binds
	made atomic.Int32
}

func (m *minting) Token(_ string, g access.Grant, now time.Time) (string, error) {
	return strconv.Itoa(int(m.made.Add(1))), nil
}

func TestAStandbysTokenIsRenewedBetweenStatements(t *testing.T) {
	var ahead atomic.Int64
	m := &minting{}
	d := open(t, shop(t, "15"), func(c *pggate.Config) {
		m.binds = c.Binder.(*binds)
		c.Binder, c.Standby = m, true
		c.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	d.book.lasts = 24 * time.Hour
	later := func() {
		ahead.Add(int64(30 * time.Second))
		time.Sleep(60 * time.Millisecond)
	}
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeCacheStatement} {
		c := d.onTask(t)
		token := func() (v string) {
			if err := c.QueryRow(t.Context(), "select current_setting('paravent.token')", mode).Scan(&v); err != nil {
				t.Fatalf("%v: %v", mode, err)
			}
			return v
		}
		first := token()
		if token() != first {
			t.Errorf("%v: renewed at once", mode)
		}
		later()
		if second := token(); second == first {
			t.Errorf("%v: not renewed", mode)
		}
		if _, err := c.Exec(t.Context(), "begin"); err != nil {
			t.Fatal(err)
		}
		later()
		inside := token()
		if _, err := c.Exec(t.Context(), "rollback"); err != nil {
			t.Fatal(err)
		}
		if after := token(); after <= inside && len(after) <= len(inside) {
			t.Errorf("%v: after a rollback %s, inside it was %s", mode, after, inside)
		}
		if _, err := c.Exec(t.Context(), "discard all"); err != nil {
			t.Fatal(err)
		}
		if mode != pgx.QueryExecModeCacheStatement && token() == "" {
			t.Errorf("%v: gone after discard all", mode)
		}
		_ = c.Close(t.Context())
	}
	if m.all != 0 {
		t.Errorf("%d binds at a standby", m.all)
	}
}
