// What a program with node-postgres does all day. The connection is the argument.
const { Client, types } = require('pg');
const out = (...a) => console.log(...a.map(x => JSON.stringify(x, (k, v) => v && v.type === 'Buffer' ? Buffer.from(v.data).toString('hex') : v)));
(async () => {
  const dsn = process.argv[2];
  const c = new Client({ connectionString: dsn });
  c.on('notice', n => out('notice', n.severity, n.code, n.message, n.detail, n.hint));
  await c.connect();
  const run = async (q, v) => {
    try {
      const r = await c.query(q, v);
      for (const x of [].concat(r)) out(x.command, x.rowCount, x.fields.map(f => [f.name, f.dataTypeID, f.dataTypeSize, f.format]), x.rows);
    } catch (e) { out('error', e.code, e.severity, e.message, e.detail, e.hint, e.position, e.routine); }
  };
  for (const q of ["select null, true, 1.50::numeric, 'NaN'::float8, 9223372036854775807, ''", "select '{1,2,NULL}'::int[], '{{a,b},{c,d}}'::text[], '{\"a\":[1]}'::jsonb, '\\xdeadbeef'::bytea",
    "select date '2026-02-28', timestamptz '2026-02-28 12:00+02', interval '1 year -3 days'", 'select * from customers order by id', 'select 1/0', 'select 1; select 2 as b', '', 'select * from nowhere']) await run(q);
  await run('select $1::int, $2::text, $3::int[], $4::jsonb, $5::bytea, $6::timestamptz', [1, null, [1, 2], { a: 1 }, Buffer.from([0, 1, 255]), new Date(0)]);
  await run({ name: 'named', text: 'select name from customers where id = $1', values: [42] });
  await run({ name: 'named', text: 'select name from customers where id = $1', values: [7] });
  await run({ text: 'select id, name from customers where id = $1', values: [42], rowMode: 'array' });
  await run({ text: 'select id, balance, photo from customers where id = $1', values: [42], binary: true });
  await run('select $1::int', ['x']);
  for (const q of ['begin', "insert into articles values (9001, 'x', 1)", 'savepoint a', 'select 1/0', 'select 1', 'rollback to a', 'select count(*) from articles', 'rollback', 'commit']) await run(q);
  const many = await Promise.all([...Array(300).keys()].map(i => c.query('select $1::int * 2 as d', [i])));
  out(many.map(r => r.rows[0].d));
  const mixed = await Promise.all([...Array(30).keys()].map(i => c.query(i % 3 ? 'select $1::int as d' : 'select 1/$1::int as d', [i % 2]).then(r => r.rows[0].d, e => e.code)));
  out(mixed);
  await run("do $$ begin raise notice 'noticed %', 1; end $$");
  const big = await c.query("select n, repeat('x', 100) as t from generate_series(1, 50000) n"); out(big.rows.length, big.rows[49999]);
  await run("select repeat('y', 2000000) as y");
  const other = new Client({ connectionString: dsn }); // node-postgres cancels from another client
  const slow = c.query('select pg_sleep(20)').then(() => out('not cancelled'), e => out('error', e.code, e.message));
  setTimeout(() => { const net = require('net'); const u = new URL(dsn); const s = net.connect(u.port, u.hostname, () => {
    const b = Buffer.alloc(16); b.writeInt32BE(16, 0); b.writeInt32BE(80877102, 4); b.writeInt32BE(c.processID, 8); b.writeInt32BE(c.secretKey, 12); s.end(b); }); s.on('error', () => {}); }, 300);
  await slow;
  await run('copy articles to stdout').catch(() => {});
  await c.end();
})().catch(e => { console.error(e); process.exit(1); });
