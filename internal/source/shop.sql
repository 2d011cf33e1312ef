-- The sample shop. Times are RFC 3339 UTC text, amounts are cents.
CREATE TABLE customers (
  id TEXT PRIMARY KEY, name TEXT, date_of_birth TEXT, email TEXT, phone TEXT,
  street TEXT, postcode TEXT, city TEXT, created_on TEXT
) WITHOUT ROWID;
CREATE TABLE orders (
  id TEXT PRIMARY KEY, customer_id TEXT NOT NULL, placed_at TEXT, status TEXT, total_cents INTEGER
) WITHOUT ROWID;
CREATE TABLE order_items (
  id TEXT PRIMARY KEY, order_id TEXT NOT NULL, article TEXT, department TEXT, quantity INTEGER, price_cents INTEGER
) WITHOUT ROWID;
CREATE TABLE payments (
  id TEXT PRIMARY KEY, order_id TEXT NOT NULL, method TEXT, iban TEXT, card_number TEXT, amount_cents INTEGER, paid_at TEXT
) WITHOUT ROWID;
CREATE TABLE deliveries (
  id TEXT PRIMARY KEY, order_id TEXT NOT NULL, recipient TEXT, street TEXT, postcode TEXT, city TEXT,
  carrier TEXT, tracking TEXT, delivered_at TEXT
) WITHOUT ROWID;
