# What a program with psycopg2 does all day. The connection is the argument.
import datetime, decimal, sys, threading
import psycopg2, psycopg2.extras

c = psycopg2.connect(sys.argv[1])
cur = c.cursor()
def plain(x): return bytes(x) if isinstance(x, memoryview) else tuple(map(plain, x)) if isinstance(x, tuple) else x
def show(*a): print(*[repr(plain(x)) for x in a])
def run(q, *args):
    try:
        cur.execute(q, *args)
        show(q[:70] if isinstance(q, str) else q, cur.statusmessage, cur.rowcount, [(d.name, d.type_code, d.internal_size) for d in cur.description or []])
        if cur.description: show(*cur.fetchall())
    except psycopg2.Error as e:
        show(type(e).__name__, e.pgcode, e.pgerror, e.diag.message_hint, e.diag.statement_position)
    show(c.status, c.info.transaction_status)

for q in ["select null, true, 1.50::numeric, 'NaN'::float8, 9223372036854775807, ''", "select '{1,2,NULL}'::int[], '{{a,b},{c,d}}'::text[], '{\"a\": [1]}'::jsonb",
          "select date '2026-02-28', timestamptz '2026-02-28 12:00+02', interval '1 year -3 days', time '12:30'", "select * from customers order by id", "select 1/0", "select 1", ]:
    run(q)
c.rollback()
run("select %s, %s, %s, %s::date, %s", (1, None, [1, 2], datetime.date(2026, 2, 28), decimal.Decimal("1.5")))
cur.execute("select %s::bytea, %s", (psycopg2.Binary(bytes(range(256))), "it's \\ \u00e4\u20ac")); b, s = cur.fetchone(); show(bytes(b), s)
run("insert into articles values (9001, 'x', 1)"); run("savepoint a"); run("select 1/0"); run("rollback to a"); run("select count(*) from articles"); c.rollback()
psycopg2.extras.execute_values(cur, "insert into articles (id, title) values %s", [(9100 + i, "t%d" % i) for i in range(250)])
run("select count(*), min(title) from articles"); c.rollback()
psycopg2.extras.execute_batch(cur, "update articles set price_cents = %s where id = %s", [(i, i) for i in range(1, 40)])
run("select sum(price_cents) from articles"); c.rollback()
with c.cursor(name="server_side") as s:
    s.itersize = 500
    s.execute("select n, md5(n::text) from generate_series(1, 5000) n")
    show(sum(len(r[1]) for r in s))
    show(s.rowcount)
c.rollback()
import io
out = io.StringIO(); cur.copy_expert("copy articles to stdout with csv header", out); show(out.getvalue())
try: cur.copy_expert("copy (select 1/(id-3) from articles order by id) to stdout", io.StringIO())
except psycopg2.Error as e: show(e.pgcode, e.pgerror)
c.rollback()
cur.execute("create temp table mine (a int, b text)"); cur.copy_from(io.StringIO("1\tone\n2\t\\N\n"), "mine"); run("select * from mine")
try: cur.copy_from(io.StringIO("x\tone\n"), "mine")
except psycopg2.Error as e: show(e.pgcode, e.pgerror)
c.rollback()
c.autocommit = True
run("do $$ begin raise notice 'noticed %', 1; end $$"); show(c.notices)
run("select 1; select 2")
t = threading.Timer(0.3, c.cancel); t.start(); run("select pg_sleep(20)"); t.join()
run("select generate_series(1, 3)")
cur.execute("select n, repeat('x', 100) from generate_series(1, 50000) n"); show(len(cur.fetchall()))
show(c.encoding, c.server_version, sorted((k, c.get_parameter_status(k)) for k in ("DateStyle", "TimeZone", "integer_datetimes", "standard_conforming_strings")))
c.set_session(isolation_level="SERIALIZABLE", readonly=True); run("show transaction_read_only"); run("insert into articles values (1)")
c.close()
