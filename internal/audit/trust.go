package audit

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"

	"paravent/internal/ledger"
	"paravent/internal/witness"
)

// A logKey is a log's name and public key.
type logKey struct {
	vkey   string // verifier key, "<origin>+<hash>+<base64>"
	origin string
	pub    ed25519.PublicKey
	log    witness.Log
}

// parseKey reads a verifier key.
func parseKey(vkey string) (*logKey, error) {
	k := &logKey{vkey: strings.TrimSpace(vkey)}
	var err error
	if k.origin, k.pub, err = ledger.ParsePublic(k.vkey); err != nil {
		return nil, err
	}
	if k.log, err = witness.LogOf(k.origin, k.pub); err != nil {
		return nil, err
	}
	return k, nil
}

// givenKey reads the key that the reader gave; nil where he gave none.
func givenKey(o Options) (*logKey, error) {
	if strings.TrimSpace(o.Key) == "" {
		return nil, nil
	}
	k, err := parseKey(o.Key)
	if err != nil {
		return nil, fmt.Errorf("%w: the key: %w", ErrUsage, err)
	}
	return k, nil
}

// watchers are the witnesses whose word the reader takes.
type watchers struct {
	keys []witness.Verifier
	need int
}

// newWatchers reads the witnesses' keys.
func newWatchers(o Options) (*watchers, error) {
	w := &watchers{need: o.Need}
	for _, vkey := range o.Witnesses {
		v, err := witness.ParseVerifier(strings.TrimSpace(vkey))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUsage, err)
		}
		w.keys = append(w.keys, v)
	}
	if w.need <= 0 || w.need > len(w.keys) {
		w.need = len(w.keys)
	}
	return w, nil
}

// cosigned checks the witnesses' signatures under a log's published checkpoint,
// nil when there is none, and returns whether enough of them vouch for it.
func (w *watchers) cosigned(r *Report, k *logKey, file string, msg []byte) bool {
	if len(w.keys) == 0 {
		return false
	}
	if msg == nil {
		r.problem(file, unknown, unknown, "there is no checkpoint that a witness could have cosigned")
		return false
	}
	c, by, err := witness.Verify(msg, k.log, w.keys, w.need)
	switch {
	case errors.Is(err, witness.ErrTooFew):
		r.problem(file, unknown, unknown, "the checkpoint of %d records is cosigned by %d of the witnesses that you named, not by %d", c.Size, len(by), w.need)
	case err != nil:
		r.problem(file, unknown, unknown, "%v", err)
	}
	for _, s := range by {
		r.note("witness %s saw these first %d records on %s", s.Name, c.Size, s.Time.Format("2006-01-02 15:04:05 MST"))
	}
	return err == nil
}

// limits says what can't be known from what the reader gave: whether he
// remembered the ledger, and up to which record witnesses vouch for it, of how many.
func limits(r *Report, remembered bool, witnessed, end uint64) {
	switch {
	case witnessed > 0 && witnessed < end:
		r.unknown("records from %d on stand on the ledger's own key alone: the witnesses that you named haven't cosigned them yet", witnessed)
	case witnessed == 0 && remembered:
		r.unknown("records that came after your last visit stand on the ledger's own key alone, and newer ones than these could have been cut off; a witness (--witness) would tell")
	case witnessed == 0:
		r.unknown("whether this is the only story: you have no checkpoint of your own from an earlier time and named no witness, so whoever holds the ledger's key could have rewritten all of it, or cut off its end, before now. What you saw now is kept for the next time; a witness's key (--witness) would tell today")
	}
}
