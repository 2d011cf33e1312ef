package audit

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"

	"paravent/internal/ledger"
	"paravent/internal/witness"
)

// trust is what a verification rests on: the ledger's key and the witnesses'.
type trust struct {
	vkey      string
	origin    string
	pub       ed25519.PublicKey
	log       witness.Log
	witnesses []witness.Verifier
	need      int
}

// newTrust reads the keys. The ledger's is taken from where the ledger lies,
// through beside, when the reader gave none; the report says so.
func newTrust(r *Result, o Options, beside func() ([]byte, error)) (*trust, error) {
	t := &trust{vkey: strings.TrimSpace(o.Key), need: o.Need}
	if t.vkey == "" {
		text, err := beside()
		if err != nil {
			return nil, fmt.Errorf("%w: no key was given, and there is none beside the ledger: %w", ErrUsage, err)
		}
		t.vkey = strings.TrimSpace(string(text))
		r.note("the key beside the ledger was trusted (%s); who can replace the ledger can replace that key too. Get it by another way and give it with --key", t.vkey)
	}
	var err error
	if t.origin, t.pub, err = ledger.ParsePublic(t.vkey); err != nil {
		return nil, fmt.Errorf("%w: the key: %w", ErrUsage, err)
	}
	if t.log, err = witness.LogOf(t.origin, t.pub); err != nil {
		return nil, fmt.Errorf("%w: the key: %w", ErrUsage, err)
	}
	for _, vkey := range o.Witnesses {
		w, err := witness.ParseVerifier(strings.TrimSpace(vkey))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUsage, err)
		}
		t.witnesses = append(t.witnesses, w)
	}
	if t.need <= 0 || t.need > len(t.witnesses) {
		t.need = len(t.witnesses)
	}
	r.Key, r.Origin = t.vkey, t.origin
	return t, nil
}

// cosigned checks the witnesses' signatures under a published checkpoint, nil
// when there is none, and returns whether enough of them vouch for it.
func (t *trust) cosigned(r *Report, file string, msg []byte) bool {
	if len(t.witnesses) == 0 {
		return false
	}
	if msg == nil {
		r.problem(file, unknown, unknown, "there is no checkpoint that a witness could have cosigned")
		return false
	}
	c, by, err := witness.Verify(msg, t.log, t.witnesses, t.need)
	switch {
	case errors.Is(err, witness.ErrTooFew):
		r.problem(file, unknown, unknown, "the checkpoint of %d records is cosigned by %d of the witnesses that you named, not by %d", c.Size, len(by), t.need)
	case err != nil:
		r.problem(file, unknown, unknown, "%v", err)
	}
	for _, w := range by {
		r.note("witness %s saw these first %d records on %s", w.Name, c.Size, w.Time.Format("2006-01-02 15:04:05 MST"))
	}
	return err == nil
}

// limits says what can't be known from what the reader gave.
func (t *trust) limits(r *Result, remembered bool, witnessed uint64) {
	switch {
	case witnessed > 0 && witnessed < r.Size:
		r.unknown("records from %d on stand on the ledger's own key alone: the witnesses that you named haven't cosigned them yet", witnessed)
	case witnessed == 0 && remembered:
		r.unknown("records that came after your last visit stand on the ledger's own key alone, and newer ones than these could have been cut off; a witness (--witness) would tell")
	case witnessed == 0:
		r.unknown("whether this is the only story: you have no checkpoint of your own from an earlier time and named no witness, so whoever holds the ledger's key could have rewritten all of it, or cut off its end, before now. What you saw now is kept for the next time; a witness's key (--witness) would tell today")
	}
}
