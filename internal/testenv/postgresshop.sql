-- A shop as protect finds it: tables that the shipped data map names, with ids
-- that are numbers, types of all kinds, columns that the map doesn't name, roles
-- and functions of its own. Its customers are made up; 43 is the canary, whom no
-- grant of a test is about: whatever of hers is seen has leaked.
CREATE ROLE dba SUPERUSER LOGIN;
CREATE ROLE shop_owner NOLOGIN;
CREATE ROLE shop_app LOGIN;
CREATE ROLE shop_bi LOGIN;
CREATE ROLE shop_clerk LOGIN;
GRANT pg_monitor TO shop_bi;

CREATE TABLE customers (
  id bigint PRIMARY KEY, name text NOT NULL, date_of_birth date, email text UNIQUE, phone varchar(32),
  street text, postcode char(5), city text, created_on timestamptz NOT NULL DEFAULT now(),
  secret_note text, balance numeric(12,2), vip boolean, tags text[], prefs jsonb, photo bytea, ip inet
);
CREATE TABLE orders (
  id bigint PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers, placed_at timestamptz NOT NULL,
  status text NOT NULL, total_cents integer NOT NULL, region integer
);
CREATE TABLE order_items (
  id bigint PRIMARY KEY, order_id bigint NOT NULL REFERENCES orders, article text, department text,
  quantity integer, price_cents integer, weight double precision, returned_at timestamp
);
CREATE TABLE payments (
  id bigint PRIMARY KEY, order_id bigint NOT NULL REFERENCES orders, method text, iban text, card_number text,
  amount_cents integer, paid_at timestamptz
);
CREATE TABLE deliveries (
  id uuid PRIMARY KEY, order_id bigint NOT NULL REFERENCES orders, recipient text, street text, postcode text, city text,
  carrier text, tracking text, delivered_at timestamptz, packed_in interval
);
CREATE TABLE articles (id integer PRIMARY KEY, title text, price_cents integer);
CREATE TABLE visits (customer_id bigint, at timestamptz, page text);
CREATE SEQUENCE order_numbers START 900000;

-- 60 customers with 5 orders of 3 items each.
INSERT INTO customers
  SELECT c, 'Customer ' || c, date '1950-01-01' + c * 200, 'c' || c || '@example.org', '+49 40 ' || 5550000 + c,
    'Street ' || c, lpad((20000 + c)::text, 5, '0'), 'City ' || c % 7, timestamptz '2020-01-01' + c * interval '3 days',
    'note ' || c, c * 1.25, c % 9 = 0, ARRAY['t' || c, NULL], jsonb_build_object('lang', 'de', 'n', c), decode(lpad(to_hex(c), 8, '0'), 'hex'), ('10.0.0.' || c)::inet
  FROM generate_series(1, 60) c WHERE c <> 43;
INSERT INTO customers VALUES (43, 'CANARY-NAME', '1966-06-06', 'canary@leaked.example', '+49 666 CANARY9', 'CANARY-STREET', '66666', 'CANARY-CITY',
  '2016-06-06', 'CANARY-NOTE', 66666.66, true, '{CANARY-TAG}', '{"canary": true}', '\xcafe43', '66.6.6.6');
INSERT INTO orders
  SELECT c * 100 + n, c, timestamptz '2026-03-01' - n * interval '40 days', (ARRAY['paid', 'sent', 'returned', 'open'])[1 + n % 4], c * 1000 + n, CASE c WHEN 43 THEN 77 ELSE c % 5 END
  FROM generate_series(1, 60) c, generate_series(1, 5) n;
INSERT INTO order_items
  SELECT o.id * 10 + i, o.id, CASE o.customer_id WHEN 43 THEN 'CANARY-ARTICLE' ELSE 'Article ' || (o.id + i) % 50 END,
    CASE WHEN i = 3 THEN (ARRAY['pharmacy', ' Lingerie', '', NULL])[1 + (o.id % 4)] ELSE 'books' END, i, 100 * i, i * 0.1, NULL
  FROM orders o, generate_series(1, 3) i;
INSERT INTO payments
  SELECT o.id, o.id, 'card', CASE o.customer_id WHEN 43 THEN 'CANARYIBAN666666' ELSE 'DE0012345678' || o.id END, '4111' || lpad(o.id::text, 12, '0'), o.total_cents, o.placed_at FROM orders o;
INSERT INTO deliveries
  SELECT md5(o.id::text)::uuid, o.id, CASE o.customer_id WHEN 43 THEN 'CANARY-RECIPIENT' ELSE 'Customer ' || o.customer_id END, 'Street', '20000', 'City', 'post', 'T' || o.id, o.placed_at + interval '2 days', '5 minutes' FROM orders o;
INSERT INTO articles SELECT a, 'Article ' || a, a * 100 FROM generate_series(1, 50) a;
INSERT INTO visits SELECT c, now(), 'page ' || c FROM generate_series(1, 60) c;
CREATE INDEX ON orders (customer_id);
CREATE INDEX ON order_items (order_id);
CREATE INDEX ON payments (order_id);
CREATE INDEX ON deliveries (order_id);
CREATE STATISTICS orders_together ON status, region FROM orders;
CREATE STATISTICS orders_expression ON (status || region) FROM orders;

-- The shop's own functions: one runs as its owner, as anybody's may.
CREATE FUNCTION order_total(bigint) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN RETURN (SELECT sum(quantity * price_cents) FROM order_items WHERE order_id = $1); END $$;
CREATE FUNCTION customer_name(bigint) RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT name FROM public.customers WHERE id = $1';
CREATE FUNCTION next_order() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint := nextval('order_numbers');
BEGIN PERFORM pg_notify('orders', n::text); RETURN n; END $$;

ALTER TABLE customers OWNER TO shop_owner;
ALTER TABLE orders OWNER TO shop_owner;
ALTER TABLE order_items OWNER TO shop_owner;
ALTER TABLE payments OWNER TO shop_owner;
ALTER TABLE deliveries OWNER TO shop_owner;
ALTER TABLE articles OWNER TO shop_owner;
ALTER TABLE visits OWNER TO shop_owner;
ALTER SEQUENCE order_numbers OWNER TO shop_owner;
ALTER FUNCTION customer_name(bigint) OWNER TO shop_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON customers, orders, order_items, payments, deliveries, visits TO shop_app;
GRANT USAGE ON SEQUENCE order_numbers TO shop_app;
GRANT SELECT ON customers, orders, order_items TO shop_bi;
GRANT SELECT (id, status), UPDATE (status) ON orders TO shop_clerk;
GRANT SELECT ON orders TO PUBLIC;
GRANT SELECT ON articles, visits TO PUBLIC;
ANALYZE;
