package main

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// patience is how long running requests get to finish, at the end of the server
// and when the ledger turns over.
const patience = 10 * time.Second

// A turnstile lets requests through to a handler and holds them back while what
// stands behind it is exchanged. Who waits is let through to the new handler.
type turnstile struct {
	mu      sync.RWMutex // held for reading by each request
	handler http.Handler // changed under mu

	running sync.Mutex // guards the two below
	ctx     context.Context
	cancel  context.CancelFunc
}

func newTurnstile(h http.Handler) *turnstile {
	t := &turnstile{handler: h}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t
}

// ServeHTTP answers one request.
func (t *turnstile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(t.end(), cancel)()
	t.handler.ServeHTTP(w, r.WithContext(ctx))
}

// end is done when the running requests have to end.
func (t *turnstile) end() context.Context {
	t.running.Lock()
	defer t.running.Unlock()
	return t.ctx
}

// pass runs fn as if it were a request: what it uses isn't exchanged meanwhile.
func (t *turnstile) pass(fn func() error) error {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return fn()
}

// close waits until no request runs, and lets none begin. Requests that have
// not ended within patience are ended. open lets them begin again.
func (t *turnstile) close() {
	hurry := time.AfterFunc(patience, func() {
		t.running.Lock()
		defer t.running.Unlock()
		t.cancel()
	})
	defer hurry.Stop()
	t.mu.Lock()
	t.running.Lock()
	defer t.running.Unlock()
	t.cancel() // nobody runs
	t.ctx, t.cancel = context.WithCancel(context.Background())
}

// open lets requests through to this handler.
func (t *turnstile) open(h http.Handler) {
	t.handler = h
	t.mu.Unlock()
}
