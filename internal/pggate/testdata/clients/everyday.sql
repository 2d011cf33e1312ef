-- What people do in psql all day. Run directly and through the gate; what is
-- printed must be the same to the byte.
\set VERBOSITY verbose
\set SHOW_CONTEXT always
\pset null '(null)'
select null, true, '', 1.50::numeric(5,2), 'NaN'::float8, 1e300::float8, 123456789012345678901234567890.5::numeric;
select '{1,2,NULL}'::int[], '{{a,b},{c,"d,e"}}'::text[], '\xdeadbeef'::bytea, '{"a":[1,2]}'::jsonb, int4range(1,5), row(1,'x');
select date '2026-02-28', timestamptz '2026-02-28 12:00+02', interval '1 year -3 days', time '24:00', 'infinity'::timestamp;
select * from customers order by id;
\x
select * from customers where id = 42;
\x
select 1 as a \gset
\echo :a
select id, name from articles order by id \g (format=unaligned tuples_only=on)
select region, status, count(*) from orders group by 1, 2 order by 1, 2 \crosstabview
select format('select %s', n) from generate_series(1, 3) n \gexec
select 1 \; select 2 \; select 3;
select $1::int + $2::int \bind 1 2 \g
select 1/0;
\errverbose
selec 1;
select * from nowhere;
begin;
insert into articles values (9000, 'nine', 9) returning *;
savepoint a;
select 1/0;
rollback to a;
select count(*) from articles where id = 9000;
insert into articles values (1, 'twice', 1);
select 'this fails';
rollback;
\set ON_ERROR_ROLLBACK on
begin;
select 1/0;
select 'goes on';
commit;
\set ON_ERROR_ROLLBACK off
\set FETCH_COUNT 7
select n, md5(n::text) from generate_series(1, 50) n;
\set FETCH_COUNT 0
begin;
declare c scroll cursor for select id from articles order by id;
fetch 3 from c;
fetch backward 1 from c;
move 5 in c;
fetch all from c;
close c;
commit;
copy articles to stdout;
copy (select * from orders order by id) to stdout with (format csv, header);
copy (select 1/(id-3) from articles order by id) to stdout;
\copy (select id, title from articles order by id limit 3) to stdout csv
create temp table mine (a int, b text);
copy mine from stdin;
1	one
2	\N
\.
copy mine from stdin;
x	not a number
\.
select * from mine;
prepare p(int) as select name from customers where id = $1;
execute p(42);
execute p('x');
deallocate p;
do $$ begin raise notice 'a notice %', 1; raise warning using message='w', detail='d', hint='h'; end $$;
set datestyle = 'German, DMY';
select date '2026-02-28';
reset datestyle;
set client_encoding = 'latin1';
select length('ä');
reset client_encoding;
\encoding
set statement_timeout = 50;
select pg_sleep(5);
reset statement_timeout;
select n, repeat('x', 40) from generate_series(1, 20000) n;
select length(repeat('y', 3000000)), repeat('z', 300000);
explain (costs off) select * from customers where id = 42;
\d customers
\df order_total
\dt
\du reader
\l shop
\sf order_total
show server_version;
show all_settings;
