package source_test

import (
	"context"
	"testing"

	"paravent/internal/access"
	"paravent/internal/source"
)

func read(tb testing.TB, s *source.SQLite, g access.Grant) *source.Result {
	tb.Helper()
	r, err := s.Read(context.Background(), g)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func TestAReadShowsTheCustomerAndNobodyElse(t *testing.T) {
	s := open(t)
	r := read(t, s, grant("c1", access.ReachAll))
	t.Logf("%+v", r)
}
