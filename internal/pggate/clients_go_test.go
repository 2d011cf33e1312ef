package pggate_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/lib/pq"
)

// repertoire is what both Go clients ask.
var repertoire = []string{"select null, true, 1.50::numeric, 'NaN'::float8, 9223372036854775807, ''", `select '{1,2,NULL}'::int[], '{{a,b},{c,d}}'::text[], '{"a":[1]}'::jsonb, '\xdeadbeef'::bytea`,
	"select date '2026-02-28', timestamptz '2026-02-28 12:00+02', interval '1 year -3 days', 'infinity'::timestamp", "select * from customers order by id", "select 1/0", "select * from nowhere", "",
	"begin", "insert into articles values (9001, 'x', 1)", "savepoint a", "select 1/0", "select 'this fails'", "rollback to a", "select count(*) from articles", "rollback",
	"insert into articles values (1, 'twice', 1)", "do $$ begin raise notice 'noticed %', 1; end $$", "select n, repeat('x', 100) from generate_series(1, 5000) n"}

func said(out *bytes.Buffer, err error) {
	var p *pgconn.PgError
	var q *pq.Error
	switch {
	case errors.As(err, &p):
		fmt.Fprintf(out, "error %+v\n", *p)
	case errors.As(err, &q):
		fmt.Fprintf(out, "error %s %s %s %s %s %s\n", q.Severity, q.Code, q.Message, q.Detail, q.Hint, q.Position)
	case err != nil:
		fmt.Fprintf(out, "error %v\n", err)
	}
}

// everydayPgx is what a program with pgx does all day.
func everydayPgx(t *testing.T, dsn string) []byte {
	var out bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	cfg.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { fmt.Fprintf(&out, "notice %s %s\n", n.Code, n.Message) }
	c, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		for _, q := range repertoire {
			rows, err := c.Query(ctx, q, mode)
			said(&out, err)
			if err != nil {
				continue
			}
			for rows.Next() {
				v, err := rows.Values()
				fmt.Fprintln(&out, v, err)
			}
			said(&out, rows.Err())
			fmt.Fprintln(&out, rows.CommandTag(), rows.FieldDescriptions(), string(c.PgConn().TxStatus()))
		}
		rows, err := c.Query(ctx, "select $1::int, $2::text, $3::int[]", mode, 1, nil, []int32{1, 2})
		said(&out, err)
		got, err := pgx.CollectRows(rows, pgx.RowToMap)
		fmt.Fprintln(&out, got, err)
	}
	b := &pgx.Batch{}
	for i := range 50 {
		b.Queue("select $1::int * 2", i)
	}
	b.Queue("select 1/0")
	b.Queue("select 'not run'")
	results := c.SendBatch(ctx, b)
	for range 52 {
		var v any
		said(&out, results.QueryRow().Scan(&v))
		fmt.Fprintln(&out, v)
	}
	said(&out, results.Close())
	p := c.PgConn().StartPipeline(ctx)
	for i := range 40 {
		p.SendQueryParams("select 1/$1::int", [][]byte{fmt.Append(nil, i%7)}, nil, nil, nil)
		if i%5 == 4 {
			said(&out, p.Sync())
		}
	}
	said(&out, p.Sync())
	for {
		r, err := p.GetResults()
		said(&out, err)
		if r == nil && err == nil {
			break
		}
		if rr, ok := r.(*pgconn.ResultReader); ok {
			x := rr.Read()
			fmt.Fprintln(&out, x.Rows, x.CommandTag)
			said(&out, x.Err)
		} else if _, ok := r.(*pgconn.PipelineSync); ok {
			fmt.Fprintln(&out, "sync")
		}
	}
	said(&out, p.Close())
	tag, err := c.PgConn().CopyTo(ctx, &out, "copy articles to stdout")
	fmt.Fprintln(&out, tag, err)
	_, err = c.PgConn().CopyTo(ctx, &out, "copy (select 1/(id-3) from articles order by id) to stdout")
	said(&out, err)
	short, stop := context.WithTimeout(ctx, 200*time.Millisecond)
	defer stop()
	c2, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c2.Close(context.Background())
	_, err = c2.Exec(short, "select pg_sleep(20)")
	fmt.Fprintln(&out, err != nil)
	go func() { time.Sleep(200 * time.Millisecond); _ = c.PgConn().CancelRequest(ctx) }()
	_, err = c.Exec(ctx, "select pg_sleep(20)")
	said(&out, err)
	return out.Bytes()
}

// everydayPq is what a program with database/sql and lib/pq does all day.
func everydayPq(t *testing.T, dsn string) []byte {
	var out bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	c, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ask := func(q string, args ...any) {
		rows, err := c.QueryContext(ctx, q, args...)
		said(&out, err)
		if err != nil {
			return
		}
		defer rows.Close()
		names, _ := rows.Columns()
		v, p := make([]any, len(names)), make([]any, len(names))
		for i := range v {
			p[i] = &v[i]
		}
		for rows.Next() {
			err := rows.Scan(p...)
			fmt.Fprintln(&out, v, err)
		}
		said(&out, rows.Err())
		fmt.Fprintln(&out, names)
	}
	for _, q := range repertoire {
		ask(q)
	}
	ask("select $1::int, $2::text, $3::int[], $4::bytea", 1, nil, pq.Array([]int{1, 2}), []byte{0, 255})
	ask("select $1::int", "x")
	st, err := c.PrepareContext(ctx, "select name from customers where id = $1")
	if err != nil {
		t.Fatal(err)
	}
	for id := range 5 {
		var name string
		err := st.QueryRowContext(ctx, id).Scan(&name)
		fmt.Fprintln(&out, name, err)
	}
	said(&out, st.Close())
	tx, err := c.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
	if err != nil {
		t.Fatal(err)
	}
	in, err := tx.PrepareContext(ctx, "COPY articles (id, title) FROM STDIN")
	said(&out, err)
	if err == nil {
		for i := range 30 {
			_, err := in.ExecContext(ctx, 9500+i, "by copy")
			said(&out, err)
		}
		_, err = in.ExecContext(ctx)
		said(&out, err)
		said(&out, in.Close())
	}
	var n int
	said(&out, tx.QueryRowContext(ctx, "select count(*) from articles").Scan(&n))
	fmt.Fprintln(&out, n)
	said(&out, tx.Rollback())
	ask("select 1; select 2")
	short, stop := context.WithTimeout(ctx, 200*time.Millisecond)
	defer stop()
	_, err = c.ExecContext(short, "select pg_sleep(20)")
	said(&out, err)
	return out.Bytes()
}
