-- The shop of the study: CUSTOMERS customers, ten orders each, three items an
-- order; a customer's orders lie scattered, items are reached through orders.
CREATE ROLE bench LOGIN;
CREATE TABLE customers (id bigint PRIMARY KEY, name text NOT NULL, email text, street text, city text);
CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL, placed_at timestamptz NOT NULL, status text NOT NULL, total_cents integer NOT NULL);
CREATE TABLE order_items (id bigint PRIMARY KEY, order_id bigint NOT NULL, article text, quantity integer, price_cents integer);
INSERT INTO customers SELECT c, 'Customer ' || c, 'c' || c || '@example.org', 'Street ' || c, 'City ' || c % 100 FROM generate_series(1, CUSTOMERS) AS c;
INSERT INTO orders SELECT o, 1 + o % CUSTOMERS, timestamptz '2026-01-01' - o % 900 * interval '1 day', 'paid', o % 10000 FROM generate_series(1, CUSTOMERS * 10) AS o;
INSERT INTO order_items SELECT i, 1 + (i - 1) / 3, 'Article ' || i % 5000, 1 + i % 3, i % 10000 FROM generate_series(1, CUSTOMERS * 30) AS i;
CREATE INDEX ON orders (customer_id);
CREATE INDEX ON order_items (order_id);
GRANT SELECT ON customers, orders, order_items, pgbench_accounts, pgbench_branches TO bench;
