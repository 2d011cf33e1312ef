package ledger_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"

	"paravent/internal/ledger"
)

// FuzzDecode: no bytes make a decoder panic or read without bound, and whatever
// is accepted encodes to the very same bytes: one record has one form. The
// checksums of a batch are mended first, so that the fuzzer gets behind them.
func FuzzDecode(f *testing.F) {
	k := newTable()
	dir := filepath.Join(f.TempDir(), "ledger")
	if err := ledger.Create(dir, options(k)); err != nil {
		f.Fatal(err)
	}
	l := open(f, dir, options(k))
	if _, err := l.Append(f.Context(), entry(1)); err != nil {
		f.Fatal(err)
	}
	for r, err := range l.Records(f.Context(), 0) {
		if err != nil {
			f.Fatal(err)
		}
		f.Add(r.Leaf)
	}
	if err := l.Close(); err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "0000000002.journal"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	for at := 0; at >= 0 && at < len(b); {
		next := bytes.Index(b[at+1:], []byte("PVB1"))
		if next < 0 {
			f.Add(b[at:])
			break
		}
		f.Add(b[at : at+1+next])
		at += 1 + next
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if whole, _ := ledger.DecodeAll(b); whole != nil && !bytes.HasPrefix(b, whole) {
			t.Fatalf("%x was accepted and encodes as %x", b, whole)
		}
		if len(b) < 128 || len(b)%16 != 0 {
			return
		}
		b = bytes.Clone(b)
		table := crc32.MakeTable(crc32.Castagnoli)
		copy(b, "PVB1")
		binary.LittleEndian.PutUint32(b[4:], uint32(len(b)))
		binary.LittleEndian.PutUint32(b[20:], crc32.Checksum(b[:20], table))
		copy(b[len(b)-4:], "END\xA5")
		binary.LittleEndian.PutUint32(b[len(b)-8:], crc32.Checksum(b[:len(b)-8], table))
		if whole, n := ledger.DecodeAll(b); n > 0 && !bytes.Equal(whole, b) {
			t.Fatalf("a batch of %d records was accepted and encodes otherwise", n)
		}
	})
}
