package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// answer lets server answer on l until ctx ends, over TLS where there is a
// certificate. Requests that are running then have so long to finish.
func answer(ctx context.Context, server *http.Server, l net.Listener, cert, key string, patience time.Duration) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		var err error
		if cert != "" {
			err = server.ServeTLS(l, cert, key)
		} else {
			err = server.Serve(l)
		}
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return fmt.Errorf("serve: %w", err)
	})
	g.Go(func() error {
		<-ctx.Done()
		// The parent has ended; running requests still get their time.
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		return server.Shutdown(end)
	})
	return g.Wait()
}
