package pggate_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"paravent/internal/pggate"
)

// A session that is bound says hello first, and again after DISCARD ALL, which
// makes PostgreSQL forget what the sequence gave it. Nothing that the client
// sets hinders it.
func TestASessionSaysHelloBeforeItIsBoundAndAfterDiscardAll(t *testing.T) {
	pg := shop(t, "15")
	pg.Exec(t, "CREATE SEQUENCE greetings; GRANT ALL ON SEQUENCE greetings TO reader")
	d := open(t, pg, func(c *pggate.Config) { c.Binder.(*binds).hello = "SELECT nextval('greetings')" })
	const drawn = "SELECT currval('greetings')"
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec, pgx.QueryExecModeDescribeExec} {
		c := d.dial(t, "&default_transaction_read_only=on&options=-cparavent.task%3DT-1")
		number := func(when string) (n int64) {
			if err := c.QueryRow(t.Context(), drawn, mode).Scan(&n); err != nil {
				t.Fatalf("%v, %s: %v", mode, when, err)
			}
			return n
		}
		first := number("first")
		for range 2 {
			if _, err := c.Exec(t.Context(), "discard all", mode); err != nil {
				t.Fatal(err)
			}
			if again := number("after discard all"); again <= first {
				t.Errorf("%v: %d after discard all, %d before", mode, again, first)
			}
		}
		if _, err := c.Exec(t.Context(), "begin", mode); err != nil {
			t.Fatal(err)
		}
		number("in a transaction")
		if err := c.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	c := d.dial(t, "")
	var n int64
	if err := c.QueryRow(t.Context(), drawn).Scan(&n); err == nil {
		t.Error("a session without a task has said hello")
	}
}
