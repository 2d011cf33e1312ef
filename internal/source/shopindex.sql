CREATE INDEX orders_by_customer ON orders (customer_id);
CREATE INDEX order_items_by_order ON order_items (order_id);
CREATE INDEX payments_by_order ON payments (order_id);
CREATE INDEX deliveries_by_order ON deliveries (order_id);
-- Finding a caller compares these forms; an index over the same expression is
-- used for it. Shops with many customers do well to have them, too.
CREATE INDEX customers_by_postcode ON customers (upper(replace(replace(postcode, ' ', ''), '-', '')));
CREATE INDEX customers_by_email ON customers (lower(trim(email)));
CREATE INDEX customers_by_phone ON customers (substr(replace(replace(replace(replace(replace(replace(replace(phone, ' ', ''), '-', ''), '/', ''), '(', ''), ')', ''), '.', ''), '+', ''), -9));
CREATE INDEX customers_by_date_of_birth ON customers (substr(date_of_birth, 1, 10));
