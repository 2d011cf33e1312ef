package main

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// While what stands behind the turnstile is exchanged, a request waits and is
// answered by the new handler; one that runs is awaited.
func TestATurnstileHoldsRequestsBackWhileTheHandlerIsExchanged(t *testing.T) {
	began, finish := make(chan struct{}), make(chan struct{})
	var ended atomic.Bool
	gate := newTurnstile(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(began)
		<-finish
		ended.Store(true)
		w.WriteHeader(201)
	}))
	first := make(chan int)
	go func() { first <- knock(gate) }()
	<-began
	closed := make(chan struct{})
	go func() {
		gate.close()
		if !ended.Load() {
			t.Error("the handler was exchanged under a running request")
		}
		close(closed)
	}()
	close(finish)
	<-closed
	if got := <-first; got != 201 {
		t.Errorf("the running request got %d", got)
	}
	second := make(chan int)
	go func() { second <- knock(gate) }()
	select {
	case <-second:
		t.Fatal("a request went through a closed turnstile")
	case <-time.After(20 * time.Millisecond):
	}
	gate.open(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202) }))
	if got := <-second; got != 202 {
		t.Errorf("the request that waited got %d", got)
	}
}

func knock(h http.Handler) int {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	return w.Code
}
