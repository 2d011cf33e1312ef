package testenv

import (
	"sync"
	"time"
)

// Start is the moment at which a new Clock stands: a Monday morning, UTC.
var Start = time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)

// Clock is a clock that stands still until a test moves it. It is safe for
// concurrent use; pass its Now as an access.Clock.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

// NewClock returns a Clock that stands at that moment.
func NewClock(at time.Time) *Clock { return &Clock{at: at} }

// Now returns the moment at which the clock stands.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Set moves the clock to that moment, also backwards.
func (c *Clock) Set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}

// Advance moves the clock on by d and returns the new moment.
func (c *Clock) Advance(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
	return c.at
}
