package testenv

import (
	_ "embed" // the shop
	"testing"
)

//go:embed postgresshop.sql
var shopSQL string

// The shop's roles, besides Superuser.
const (
	ShopDBA   = "dba"        // a superuser, who applies protect
	ShopOwner = "shop_owner" // owns the tables; can't log in
	ShopApp   = "shop_app"   // the shop's application: reads and writes everything
	ShopBI    = "shop_bi"    // reads customers, orders and items; a member of pg_monitor
	ShopClerk = "shop_clerk" // some columns of orders, the rest through PUBLIC
)

// The shop's customers are 1 to 60. Each has orders 100*id+1 to 100*id+5, the
// first the newest, 40 days apart; each order has items 10*order+1 to 3, the
// third of which may be sensitive.
const (
	ShopCustomer = 42 // whom grants of tests are about
	ShopCanary   = 43 // whom none is about: her values hold the word CANARY
)

// Shop makes the database shop with a shop in it; see postgresshop.sql. DSN and
// Connect go there from now on.
func (pg *PG) Shop(t testing.TB) {
	t.Helper()
	pg.Exec(t, "CREATE DATABASE shop")
	pg.Database = "shop"
	pg.Exec(t, shopSQL)
}
