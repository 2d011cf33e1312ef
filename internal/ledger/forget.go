package ledger

import "fmt"

// ForgottenKeys reads the Detail of a KindForget leaf: the ids of the keys that
// it says are destroyed, 1 to 64 of them, each once, 16 bytes each.
func ForgottenKeys(detail []byte) ([]KeyID, error) {
	if len(detail) == 0 || len(detail)%keyIDSize != 0 || len(detail) > maxDetail {
		return nil, fmt.Errorf("%w: %d bytes of key ids", errLeaf, len(detail))
	}
	ids := make([]KeyID, 0, len(detail)/keyIDSize)
	seen := map[KeyID]bool{}
	for ; len(detail) > 0; detail = detail[keyIDSize:] {
		id := KeyID(detail[:keyIDSize])
		if seen[id] {
			return nil, fmt.Errorf("%w: a key id stands twice", errLeaf)
		}
		seen[id] = true
		ids = append(ids, id)
	}
	return ids, nil
}
