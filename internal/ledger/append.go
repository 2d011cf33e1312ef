package ledger

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Append records e and returns its receipt once it's on disk (fdatasync). On an
// error nothing may be disclosed (G3): ErrUnavailable and ErrClosed say that it
// can't be recorded now, ErrInvalid that it never can. After ErrUnavailable, or
// when ctx ends while waiting, the record may come to light later; its position
// is never given to another one.
func (l *Ledger) Append(ctx context.Context, e Entry) (Receipt, error) {
	if err := errors.Join(l.ready(ctx), e.check()); err != nil {
		return Receipt{}, err
	}
	for {
		r, refused, err := l.appendOnce(ctx, &e)
		if err != nil {
			return Receipt{}, fmt.Errorf("ledger: append: %w", err)
		}
		if !refused {
			return r, nil
		}
	}
}

// appendOnce seals and commits e. It is refused, and not recorded, where a key
// was destroyed between the two: then it's to be sealed under the new one (G5).
func (l *Ledger) appendOnce(ctx context.Context, e *Entry) (r Receipt, refused bool, err error) {
	var s [2]*sealer
	for i, part := range [...]*Part{&e.Customer, &e.Employee} {
		if part.Person == "" {
			continue
		}
		if s[i], err = l.keys.of(ctx, part.Person); err != nil {
			return Receipt{}, false, err
		}
	}
	p := spent.Get().(*prepared)
	l.prepare(p, e, s[0], s[1])
	g, err := l.submit(ctx, p)
	if err != nil {
		return Receipt{}, false, err
	}
	if refused = p.refused; !refused {
		r = l.receipt(g, p)
	}
	spent.Put(p) // its group is done: nobody else reads it
	return r, refused, nil
}

// spent are prepared records whose room can be used again.
var spent = sync.Pool{New: func() any { return new(prepared) }}

// appendChunk is how many entries AppendAll seals before it commits them.
const appendChunk = 512

// AppendAll records entries in their order, many to a batch, and returns their
// receipts once all are on disk. On an error, the receipts are those of the
// entries that are surely recorded: a beginning of entries. An entry about a
// person whose key is destroyed meanwhile may come behind those after it.
func (l *Ledger) AppendAll(ctx context.Context, entries []Entry) ([]Receipt, error) {
	receipts := make([]Receipt, 0, len(entries))
	for len(entries) > 0 {
		if err := l.ready(ctx); err != nil {
			return receipts, err
		}
		n, bytes := 0, 0
		for n < min(len(entries), appendChunk) && bytes < maxGroupBytes/4 {
			bytes += len(entries[n].Customer.Plain) + len(entries[n].Employee.Plain)
			n++
		}
		chunk, err := l.prepareAll(ctx, entries[:n])
		if err != nil {
			return receipts, err
		}
		g, err := l.submit(ctx, chunk...)
		if err != nil {
			return receipts, fmt.Errorf("ledger: append: %w", err)
		}
		for i, p := range chunk {
			var r Receipt
			if !p.refused {
				r = l.receipt(g, p)
			} else if r, err = l.Append(ctx, entries[i]); err != nil {
				return receipts, err
			}
			receipts = append(receipts, r)
		}
		entries = entries[n:]
	}
	return receipts, nil
}

// prepareAll prepares entries with one question to the key table.
func (l *Ledger) prepareAll(ctx context.Context, entries []Entry) ([]*prepared, error) {
	persons := make([]string, 0, 2*len(entries))
	for i := range entries {
		if err := entries[i].check(); err != nil {
			return nil, err
		}
		for _, p := range [...]string{entries[i].Customer.Person, entries[i].Employee.Person} {
			if p != "" {
				persons = append(persons, p)
			}
		}
	}
	sealers, err := l.keys.all(ctx, persons)
	if err != nil {
		return nil, fmt.Errorf("ledger: append: %w", err)
	}
	chunk := make([]*prepared, len(entries))
	for i := range entries {
		e := &entries[i]
		chunk[i] = new(prepared)
		l.prepare(chunk[i], e, sealers[e.Customer.Person], sealers[e.Employee.Person])
	}
	return chunk, nil
}

// ready returns nil while entries are taken and ctx goes on.
func (l *Ledger) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.usable()
}

// prepare does all that needs no position: it runs in the caller's goroutine,
// outside of any lock. The sealer of an absent part is nil. It overwrites p,
// apart from its room.
func (l *Ledger) prepare(p *prepared, e *Entry, customer, employee *sealer) {
	*p = prepared{keys: [2]*sealer{customer, employee}, given: !e.At.IsZero(), at: micros(e.At), bench: p.bench,
		buffer: slices.Grow(p.buffer[:0], 2*sealedMin+len(e.Customer.Plain)+len(e.Employee.Plain))}
	rand.Read(p.bench.salts[0][:])
	rand.Read(p.bench.salts[1][:])
	var commitments [2]*Hash
	for i, part := range [...]*Part{&e.Customer, &e.Employee} {
		s := p.keys[i]
		if s == nil {
			continue
		}
		from := len(p.buffer)
		p.buffer = s.seal(p.buffer, byte(i), part.Plain, &p.commit[i], &p.bench)
		p.sealed[i], commitments[i] = p.buffer[from:], &p.commit[i]
	}
	f := Frame{Given: p.given, Node: l.self.node, Kind: e.Kind, Outcome: e.Outcome, Of: e.Of}
	b := make([]byte, 1, 1+leafFixed+5+len(f.Node)+len(f.Kind)+len(f.Outcome)+3*len(Hash{}))
	p.prefixed = appendLeaf(b, f, digest(p.sealed), commitments)
}

// ownKinds are the kinds that the ledger alone writes.
var ownKinds = []Kind{KindKey, KindForget, KindStart, KindClock, KindEnd, KindNext}

// check says whether the entry can be recorded.
func (e *Entry) check() error {
	switch {
	case e.Kind == "" || len(e.Kind) > maxShort:
		return fmt.Errorf("%w: a kind has 1 to %d bytes", ErrInvalid, maxShort)
	case slices.Contains(ownKinds, e.Kind):
		return fmt.Errorf("%w: records of kind %q are the ledger's own", ErrInvalid, e.Kind)
	case len(e.Outcome) > maxShort:
		return fmt.Errorf("%w: the outcome has more than %d bytes", ErrInvalid, maxShort)
	}
	for _, p := range [...]*Part{&e.Customer, &e.Employee} {
		switch {
		case len(p.Person) > MaxPerson:
			return fmt.Errorf("%w: a person's name has more than %d bytes", ErrInvalid, MaxPerson)
		case len(p.Plain) > MaxPart:
			return fmt.Errorf("%w: a part has more than %d bytes", ErrInvalid, MaxPart)
		case p.Person == "" && len(p.Plain) > 0:
			return fmt.Errorf("%w: a part without a person can't be sealed", ErrInvalid)
		}
	}
	return nil
}

// receipt makes the receipt of a record whose group is done.
func (l *Ledger) receipt(g *group, p *prepared) Receipt {
	return Receipt{Position: p.position, Number: l.base + p.position, Node: l.self.node, Time: fromMicros(p.at), Hash: p.hash,
		Leaf: p.prefixed[1:], Path: g.span.path(p.position), Head: g.head}
}
