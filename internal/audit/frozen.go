package audit

import (
	"context"
	"errors"

	"paravent/internal/ledger"
)

// OpenFrozen returns the publisher of a log that is frozen. Where all of it is
// published, as it should be, it reads the checkpoint and nothing else; what a
// crash has left undone it does now. What the disk refuses is told in the log and
// tried again by Run, which also holds every tile against the log, builds again
// what isn't as it should be, and ends. The error is ctx's.
func OpenFrozen(ctx context.Context, log Log, o PublisherOptions) (*Publisher, error) {
	p := NewPublisher(log, o)
	p.frozen = true
	if p.shelve() {
		return p, nil
	}
	if err := p.Finish(ctx); err != nil && ctx.Err() == nil {
		p.o.Log.ErrorContext(ctx, "a frozen log can't be published to its end", "log", log.Origin(), "error", err)
	}
	return p, ctx.Err()
}

// Finish publishes all that is durable of a log to which nothing is added any
// more: its tiles, and its last checkpoint, unless that is published already, with
// whatever cosignatures it has. What a crash leaves undone is done when it's
// called again, or by OpenFrozen.
func (p *Publisher) Finish(ctx context.Context) error {
	head := p.log.Head()
	err := p.advance(ctx, head)
	if errors.Is(err, errAgain) { // what was on disk wasn't this journal's
		err = p.advance(ctx, head)
	}
	if err != nil || p.shelve() {
		return err
	}
	if err := p.Publish(ctx, formatCheckpoint(head, p.log.Public())); err != nil {
		return err
	}
	p.shelve()
	return nil
}

// shelve takes the log as wholly published when the checkpoint says so.
func (p *Publisher) shelve() bool {
	head := p.log.Head()
	published := p.publishedHead()
	if published == nil || published.Size != head.Size || published.Root != head.Root {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shelf = published
	return true
}

// shelved says whether all of the log is published and nothing has come since.
func (p *Publisher) shelved() bool {
	size := p.log.Head().Size
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shelf != nil && p.shelf.Size == size
}

// publishedHead returns the head in the published checkpoint; nil where there is
// none that verifies.
func (p *Publisher) publishedHead() *ledger.SignedHead {
	msg, err := p.Published()
	if err != nil || msg == nil {
		return nil
	}
	head, err := parseCheckpoint(msg, p.log.Origin(), p.log.Public())
	if err != nil {
		return nil
	}
	return head
}
