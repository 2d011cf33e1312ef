package testenv_test

import (
	"testing"

	"paravent/internal/testenv"
)

// Each version starts, holds the shop, has a standby that follows, and comes
// back after it was killed.
func TestPostgresStartsWithAShopAndAStandby(t *testing.T) {
	for _, version := range testenv.Versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			pg := testenv.Postgres(t, version)
			pg.Shop(t)
			standby := pg.Standby(t)
			pg.Exec(t, "UPDATE customers SET city = 'moved' WHERE id = 1")
			standby.CatchUp(t)
			var city string
			if err := standby.Connect(t, testenv.ShopApp).QueryRow(t.Context(), "SELECT city FROM customers WHERE id = 1").Scan(&city); err != nil || city != "moved" {
				t.Errorf("the standby says %q, %v", city, err)
			}
			pg.Kill(t)
			pg.Start(t)
			var customers int
			if err := pg.Pool(t, testenv.ShopApp).QueryRow(t.Context(), "SELECT count(*) FROM customers").Scan(&customers); err != nil || customers != 60 {
				t.Errorf("after the kill: %d customers, %v", customers, err)
			}
		})
	}
}
