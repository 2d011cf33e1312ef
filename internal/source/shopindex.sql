CREATE INDEX orders_by_customer ON orders (customer_id);
CREATE INDEX order_items_by_order ON order_items (order_id);
CREATE INDEX payments_by_order ON payments (order_id);
CREATE INDEX deliveries_by_order ON deliveries (order_id);
