package lookup

import (
	"context"
	"sync"

	"paravent/internal/access"
)

// turns lets one employee's tries to find a caller happen one after another,
// and different employees' beside each other.
type turns struct {
	mu   *sync.Mutex
	held map[access.EmployeeID]*turn
}

// turn is one employee's: a token in the channel is the right to try.
type turn struct {
	free    chan struct{}
	wanting int // guarded by turns.mu; the turn is forgotten at 0
}

func newTurns() turns { return turns{mu: &sync.Mutex{}, held: map[access.EmployeeID]*turn{}} }

// take waits for e's turn and returns what ends it.
func (t turns) take(ctx context.Context, e access.EmployeeID) (end func(), err error) {
	t.mu.Lock()
	mine := t.held[e]
	if mine == nil {
		mine = &turn{free: make(chan struct{}, 1)}
		mine.free <- struct{}{}
		t.held[e] = mine
	}
	mine.wanting++
	t.mu.Unlock()
	forget := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if mine.wanting--; mine.wanting == 0 {
			delete(t.held, e)
		}
	}
	select {
	case <-mine.free:
		return func() { mine.free <- struct{}{}; forget() }, nil
	case <-ctx.Done():
		forget()
		return nil, ctx.Err()
	}
}
