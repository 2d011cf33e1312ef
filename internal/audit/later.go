package audit

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"paravent/internal/ledger"
)

// A Later is what is published of a receipt's log now: what it takes to tell
// whether the record is still there.
type Later struct {
	Key        string // verifier key that lies beside the log; to be trusted only where no other is at hand
	Checkpoint []byte // a signed note, with its cosignatures
	// Proof is the consistency proof (RFC 6962, section 2.1.2) from the tree of the
	// receipt's head to the checkpoint's.
	Proof []ledger.Hash
}

// LaterIn finds the log of a receipt in a ledger's folder. The error is ErrUsage
// where it isn't there, or where it isn't published as far as the receipt goes.
func LaterIn(dir string, head ledger.SignedHead) (*Later, error) {
	names, err := logsIn(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	for _, name := range append(names, ".") {
		log := filepath.Join(dir, name)
		text, err := readFile(filepath.Join(log, publicFile), 4<<10)
		if err != nil || !keyOf(text, head.Origin) {
			continue
		}
		l := &Later{Key: strings.TrimSpace(string(text))}
		if l.Checkpoint, err = PublishedIn(log); err != nil {
			return nil, err
		}
		return l, l.prove(head, tileFolder(filepath.Join(log, TilesFolder)).read)
	}
	return nil, fmt.Errorf("%w: the log %s isn't in %s: was it dropped, or is the receipt another ledger's?", ErrUsage, head.Origin, dir)
}

// LaterAt is LaterIn of a ledger that is served at an address.
func LaterAt(ctx context.Context, address string, client *http.Client, head ledger.SignedHead) (*Later, error) {
	s := &served{address: strings.TrimRight(address, "/"), client: client}
	logs := []listedLog{{}}
	if text, err := s.get(ctx, logsFile, maxLogs); err == nil {
		if logs, err = parseLogs(text); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUsage, err)
		}
	}
	for _, log := range logs {
		one := &served{address: strings.TrimRight(s.address+"/"+log.name, "/"), client: client}
		text, err := one.get(ctx, publicFile, 4<<10)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUsage, err)
		}
		if !keyOf(text, head.Origin) {
			continue
		}
		l := &Later{Key: strings.TrimSpace(string(text))}
		if l.Checkpoint, err = one.get(ctx, checkpointFile, maxNote); err != nil {
			return nil, err
		}
		return l, l.prove(head, func(id tileID) ([]byte, error) {
			data, _, err := one.tile(ctx, id, tileID.path, tileBytes)
			if err == nil && len(data) < id.width*tlog.HashSize {
				err = fmt.Errorf("fetch %s: it is cut short", id.path())
			}
			if err != nil {
				return nil, err
			}
			return data[:id.width*tlog.HashSize], nil
		})
	}
	return nil, fmt.Errorf("%w: the log %s isn't served at %s: was it dropped, or is the receipt another ledger's?", ErrUsage, head.Origin, address)
}

// keyOf says whether a verifier key is of the log of that origin.
func keyOf(text []byte, origin string) bool {
	found, _, err := ledger.ParsePublic(strings.TrimSpace(string(text)))
	return err == nil && found == origin
}

// prove fills in the proof, which needs no trust: it is held against both heads.
func (l *Later) prove(head ledger.SignedHead, read tileReader) error {
	origin, pub, err := ledger.ParsePublic(l.Key)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if l.Checkpoint == nil {
		return fmt.Errorf("%w: no checkpoint of it is published yet", ErrUsage)
	}
	now, err := parseCheckpoint(l.Checkpoint, origin, pub)
	if err != nil {
		return fmt.Errorf("the checkpoint does not verify: %w", err)
	}
	if now.Size < head.Size {
		return fmt.Errorf("%w: the published checkpoint has %d records, the receipt's tree %d; try again in some seconds. One that never comes is a reason to ask", ErrUsage, now.Size, head.Size)
	}
	p, err := newProofs(now.Size, now.Root, read)
	if err == nil {
		l.Proof, err = p.Consistency(head.Size)
	}
	if err != nil {
		return fmt.Errorf("prove that the ledger still holds what the receipt says: %w", err)
	}
	return nil
}
