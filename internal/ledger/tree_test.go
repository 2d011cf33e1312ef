package ledger_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"paravent/internal/ledger"
)

// Every root and every inclusion path, batch by batch, must be what the
// reference implementation computes from all hashes.
func TestTreeAgreesWithTheReferenceAtEverySize(t *testing.T) {
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var stored []tlog.Hash
		reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
			out := make([]tlog.Hash, len(indexes))
			for i, x := range indexes {
				out[i] = stored[x]
			}
			return out, nil
		})
		var e ledger.Edge
		for n := int64(0); n < 300; {
			leaves := make([]ledger.Hash, 1+rng.IntN(1+rng.IntN(40)))
			from := n
			for i := range leaves {
				leaves[i] = tlog.RecordHash(fmt.Append(nil, seed, n))
				hs, err := tlog.StoredHashesForRecordHash(n, leaves[i], reader)
				if err != nil {
					t.Fatal(err)
				}
				stored, n = append(stored, hs...), n+1
			}
			s := e.Extend(leaves)
			root, err := tlog.TreeHash(n, reader)
			if err != nil {
				t.Fatal(err)
			}
			if s.Root() != root || e.Root() != root {
				t.Fatalf("seed %d: root of %d records differs from the reference", seed, n)
			}
			for i, h := range leaves {
				at := from + int64(i)
				if err := tlog.CheckRecord(s.Path(uint64(at)), n, root, at, h); err != nil {
					t.Fatalf("seed %d: path of %d in a tree of %d: %v", seed, at, n, err)
				}
			}
		}
	}
}
