package witness

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"paravent/internal/ledger"
)

// A stranger is a witness that doesn't know the log: only who runs it can change
// that.
type stranger struct{ text string }

func (s stranger) Error() string { return s.text }

// stranger says what is to be done at a witness that doesn't know the log.
func (p *Publisher) stranger(why string) error {
	return stranger{fmt.Sprintf("it does not know this log%s: whoever runs it must add the key %s", why, p.log)}
}

// introduce tells a witness that doesn't know the log how it came about. One
// that knows none of the newest log's ancestors is told of older ones first.
func (p *Publisher) introduce(ctx context.Context, c *Client) error {
	if p.o.Successions == nil {
		return p.stranger("")
	}
	links, err := p.o.Successions(ctx)
	if err != nil {
		return unproven{fmt.Errorf("read the succession: %w", err)}
	}
	for i, link := range links {
		err := p.follow(ctx, c, link)
		if unknown(err) {
			continue
		}
		for ; err == nil && i > 0; i-- {
			err = p.follow(ctx, c, links[i-1])
		}
		return p.refusedToFollow(err)
	}
	return p.stranger(" nor any before it, or can't follow a succession")
}

// follow tells a witness of one succession. When the proof started from the
// wrong size, it says which is right, and is told once more.
func (p *Publisher) follow(ctx context.Context, c *Client, link Link) error {
	s := link.Succession
	_, err := c.Follow(ctx, s.Size, nil, s)
	var conflict *ConflictError
	if !errors.As(err, &conflict) {
		return err
	}
	if link.Before == nil {
		return worded{fmt.Errorf("it has missed the end of %s: it knows %d records of it, and its last checkpoint has %d", s.Origin, conflict.Size, s.Size)}
	}
	if conflict.Size >= s.Size {
		return err
	}
	var proof []ledger.Hash
	if conflict.Size > 0 {
		if proof, err = link.Before.Consistency(ctx, conflict.Size, s.Size); err != nil {
			return unproven{fmt.Errorf("prove the end of %s: %w", s.Origin, err)}
		}
	}
	_, err = c.Follow(ctx, conflict.Size, proof, s)
	return err
}

// unknown reports whether the witness doesn't know the log, or the route.
func unknown(err error) bool {
	var refused *RefusedError
	return errors.As(err, &refused) && (refused.Status == http.StatusNotFound || refused.Status == http.StatusMethodNotAllowed ||
		refused.Status == http.StatusNotImplemented)
}

// refusedToFollow says what a witness's refusal of a succession means.
func (p *Publisher) refusedToFollow(err error) error {
	var refused *RefusedError
	switch {
	case errors.Is(err, errNoCosignature):
		return p.stranger(" and does not follow it")
	case !errors.As(err, &refused), refused.Status >= 500, refused.Status == http.StatusTooManyRequests:
		return err
	case refused.Status == http.StatusUnprocessableEntity:
		return accusation{"the witness holds what contradicts the end of the log before this one: the ledger was rewritten, or it runs twice. It says " + refused.Said}
	}
	return p.stranger(fmt.Sprintf(" and does not follow it (it says %s)", refused.Said))
}
