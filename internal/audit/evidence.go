package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"
	"unicode/utf8"

	"paravent/internal/ledger"
)

// The files of a bundle: two for the whole, the others in a folder for each log.
const (
	bundleReadme  = "README.txt"
	bundleAbout   = "about.txt"
	bundleNext    = "next.json"
	bundleRecords = "records/"
)

// maxEvidence is how many records one bundle may hold.
const maxEvidence = 10_000

// Opener reads one log's records from a position on, opened as far as their keys
// exist. *ledger.Ledger is one.
type Opener interface {
	Records(ctx context.Context, from uint64) iter.Seq2[ledger.Record, error]
}

// An evidenceRecord is one record of a bundle: what it says, and the proof.
type evidenceRecord struct {
	Number   uint64        `json:"number"`             // in the whole ledger
	Position uint64        `json:"position"`           // in its log
	Leaf     []byte        `json:"leaf"`               // base64
	Path     []ledger.Hash `json:"path"`               // inclusion path from the leaf up, base64
	Customer *evidencePart `json:"customer,omitempty"` // absent where the record has no such part
	Employee *evidencePart `json:"employee,omitempty"`
}

// An evidencePart is one opened part. HMAC-SHA256(salt, plain) is what the leaf
// holds of it. The plaintext is text where it's valid UTF-8.
type evidencePart struct {
	Erased bool   `json:"erased,omitempty"`
	Salt   []byte `json:"salt,omitempty"`
	Text   string `json:"plain,omitempty"`
	Bytes  []byte `json:"plain_base64,omitempty"`
}

func partOf(o ledger.Opened, has bool) *evidencePart {
	switch {
	case !has:
		return nil
	case o.Erased:
		return &evidencePart{Erased: true}
	case utf8.Valid(o.Plain):
		return &evidencePart{Salt: o.Salt, Text: string(o.Plain)}
	}
	return &evidencePart{Salt: o.Salt, Bytes: o.Plain}
}

func (p *evidencePart) plain() []byte {
	if len(p.Bytes) > 0 {
		return p.Bytes
	}
	return []byte(p.Text)
}

// A Source is one log of a ledger of which evidence is made.
type Source struct {
	Served
	Records Opener
}

// ChainEvidence writes a bundle, a zip file, that proves what the records of these
// numbers say: plaintext and salt of each part that can be opened, never a key,
// with inclusion proofs for their log's published checkpoint. Logs are all logs
// of the ledger, in their order; of each the bundle has what ties it to the next,
// so that the key of any of them verifies it. About says what it was made for, in
// a line such as "finding F-12". It waits until the checkpoints cover the
// records, or ctx ends. The caller has recorded who asked for it.
func ChainEvidence(ctx context.Context, w io.Writer, logs []Source, about string, numbers []uint64) error {
	numbers = slices.Compact(slices.Sorted(slices.Values(numbers)))
	if len(numbers) == 0 || len(numbers) > maxEvidence || len(logs) == 0 {
		return fmt.Errorf("evidence: give 1 to %d records, not %d", maxEvidence, len(numbers))
	}
	if numbers[0] < logs[0].Base {
		return fmt.Errorf("evidence: record %d was in a log that was dropped", numbers[0])
	}
	b := &bundle{about: oneLine(about)}
	for i, l := range logs {
		mine := numbers
		if i+1 < len(logs) {
			n, _ := slices.BinarySearch(numbers, logs[i+1].Base)
			mine, numbers = numbers[:n], numbers[n:]
		}
		part, err := evidenceIn(ctx, l, mine)
		if err != nil {
			return fmt.Errorf("evidence: %w", err)
		}
		b.logs = append(b.logs, *part)
	}
	return b.write(w)
}

// evidenceIn proves the records of these numbers, lowest first, in one log, and
// what the log's first record says of the one before it.
func evidenceIn(ctx context.Context, l Source, numbers []uint64) (*bundleLog, error) {
	p := l.Publisher
	var last uint64
	if n := len(numbers); n > 0 {
		last = numbers[n-1] - l.Base
	}
	msg, head, err := p.covering(ctx, last)
	if err != nil {
		return nil, fmt.Errorf("log %s: %w", l.Name, err)
	}
	proofs, err := newProofs(head.Size, head.Root, p.tile)
	if err != nil {
		return nil, fmt.Errorf("log %s: %w", l.Name, err)
	}
	b := &bundleLog{name: l.Name, key: verifier{p.log.Origin(), p.log.Public()}, checkpoint: msg, size: head.Size}
	first, err := evidenceOf(ctx, l, proofs, 0)
	if err != nil {
		return nil, fmt.Errorf("record %d: %w", l.Base, err)
	}
	if leaf, err := ledger.ParseLeaf(first.Leaf); err == nil && leaf.Kind == ledger.KindNext {
		b.next = first
	}
	for _, number := range numbers {
		record, err := evidenceOf(ctx, l, proofs, number-l.Base)
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", number, err)
		}
		b.records = append(b.records, *record)
	}
	return b, nil
}

// covering returns the published checkpoint once it covers a record.
func (p *Publisher) covering(ctx context.Context, position uint64) ([]byte, *ledger.SignedHead, error) {
	if position >= p.log.Head().Size {
		return nil, nil, errors.New("there is no such record")
	}
	for {
		if !p.o.Witnessed && !p.shelved() {
			if err := p.Step(ctx); err != nil {
				return nil, nil, err
			}
		}
		msg, err := p.Published()
		if err != nil {
			return nil, nil, err
		}
		if msg != nil {
			head, err := parseCheckpoint(msg, p.log.Origin(), p.log.Public())
			if err != nil {
				return nil, nil, err
			}
			if head.Size > position {
				_, err := p.upTo(ctx, head.Size)
				return msg, head, err
			}
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("no published checkpoint covers it yet: %w", ctx.Err())
		}
	}
}

// evidenceOf opens and proves one record.
func evidenceOf(ctx context.Context, l Source, proofs *Proofs, position uint64) (*evidenceRecord, error) {
	for r, err := range l.Records.Records(ctx, position) {
		if err != nil {
			return nil, err
		}
		parsed, err := ledger.ParseLeaf(r.Leaf)
		if err != nil {
			return nil, err
		}
		path, leaf, err := proofs.Inclusion(position)
		if err != nil {
			return nil, err
		}
		if leaf != leafHash(r.Leaf) || parsed.Position != position {
			return nil, errors.New("the tiles hold another record there")
		}
		return &evidenceRecord{Number: l.Base + position, Position: position, Leaf: r.Leaf, Path: path,
			Customer: partOf(r.Customer, parsed.Has[0]), Employee: partOf(r.Employee, parsed.Has[1])}, nil
	}
	return nil, errors.New("there is no such record")
}
