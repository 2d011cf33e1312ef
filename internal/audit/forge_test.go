package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// forge changes a segment as someone with the disk would, who mends every
// checksum but has no signing key.
func forge(t testing.TB, path string, how func(*indySegment)) {
	t.Helper()
	change(t, path, func(b []byte) []byte {
		s, err := indyParse(b, -1)
		if err != nil {
			t.Fatal(err)
		}
		how(s)
		return s.encode()
	})
}

// encode writes a segment with right checksums.
func (s *indySegment) encode() []byte {
	le := binary.LittleEndian
	out := bytes.Clone(s.header)
	le.PutUint32(out[len(out)-4:], crc32.Checksum(out[:len(out)-4], indyTable))
	for _, batch := range s.batches {
		b := make([]byte, 24)
		for _, r := range batch.records {
			b = le.AppendUint16(b, uint16(len(r.leaf)))
			b = le.AppendUint32(b, uint32(len(r.sealed[0])))
			b = le.AppendUint32(b, uint32(len(r.sealed[1])))
			b = append(append(append(b, r.leaf...), r.sealed[0]...), r.sealed[1]...)
		}
		for (len(b)+104)%16 != 0 {
			b = append(b, 0)
		}
		copy(b, "PVB1")
		le.PutUint32(b[4:], uint32(len(b)+104))
		le.PutUint64(b[8:], batch.first)
		le.PutUint32(b[16:], uint32(len(batch.records)))
		le.PutUint32(b[20:], crc32.Checksum(b[:20], indyTable))
		b = append(append(b, batch.root[:]...), batch.sig...)
		b = le.AppendUint32(b, crc32.Checksum(b, indyTable))
		out = append(append(out, b...), "END\xA5"...)
	}
	return out
}

// clone returns a copy of a record whose leaf may be changed.
func (r indyRecord) clone() indyRecord {
	r.leaf = bytes.Clone(r.leaf)
	return r
}

// move gives a record another position.
func (r indyRecord) move(to uint64) indyRecord {
	r = r.clone()
	binary.LittleEndian.PutUint64(r.leaf[1:], to)
	return r
}

// resign signs a batch anew with the ledger's stolen key, over whatever its
// records are now, as the tree after before.
func (b *indyBatch) resign(t testing.TB, dir string, before [][]byte) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "signing.key"))
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.SplitN(strings.TrimPrefix(strings.TrimSpace(string(text)), "PRIVATE+KEY+"), "+", 3)
	seed, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	tree := &indyTree{}
	n := int64(0)
	for _, leaf := range before {
		err = errors.Join(err, tree.add(n, tlog.RecordHash(leaf)))
		n++
	}
	for _, r := range b.records {
		err = errors.Join(err, tree.add(n, tlog.RecordHash(r.leaf)))
		n++
	}
	root, rootErr := tlog.TreeHash(n, tree)
	if err = errors.Join(err, rootErr); err != nil {
		t.Fatal(err)
	}
	b.root = root
	b.sig = ed25519.Sign(ed25519.NewKeyFromSeed(seed[1:]), fmt.Appendf(nil, "%s\n%d\n%s\n", parts[0], n, root))
}

// digest writes into a record's leaf what its sealed parts hash to.
func (r indyRecord) digest() {
	h := sha256.New()
	for _, part := range r.sealed {
		h.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(part))))
		h.Write(part)
	}
	flags := r.leaf[25]
	copy(r.leaf[len(r.leaf)-32*(1+int(flags&1)+int(flags>>1&1)):], h.Sum(nil))
}
