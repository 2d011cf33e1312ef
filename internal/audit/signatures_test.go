package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"paravent/internal/audit"
	"paravent/internal/ledger"
)

// heads returns n signed heads and the key that signed them.
func heads(tb testing.TB, n int) (ed25519.PublicKey, []ledger.SignedHead) {
	tb.Helper()
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		tb.Fatal(err)
	}
	all := make([]ledger.SignedHead, n)
	for i := range all {
		all[i] = ledger.SignedHead{Origin: "paravent/n1/0123456789abcdef", Size: uint64(i + 1), Root: ledger.Hash{byte(i)}}
		all[i].Signature = ed25519.Sign(key, all[i].Body())
	}
	return pub, all
}

// Any one bit that is changed in any one of many heads is found, and where
// nothing was changed nothing is: signatures checked together mean what they
// mean one by one.
func TestSignaturesCheckedTogetherMeanWhatTheyMeanAlone(t *testing.T) {
	pub, all := heads(t, 8)
	other, _ := heads(t, 1)
	if !audit.AllSigned(pub, all) {
		t.Fatal("sound heads are refused")
	}
	if audit.AllSigned(other, all) || audit.AllSigned(pub[:31], all) {
		t.Error("another key is taken")
	}
	for i := range all {
		was := all[i]
		for bit := range 8 * ed25519.SignatureSize {
			sig := append([]byte(nil), was.Signature...)
			sig[bit/8] ^= 1 << (bit % 8)
			all[i].Signature = sig
			if audit.AllSigned(pub, all) {
				t.Fatalf("head %d: bit %d of the signature", i, bit)
			}
		}
		all[i] = was
		all[i].Size++
		if audit.AllSigned(pub, all) {
			t.Errorf("head %d: another size", i)
		}
		all[i] = was
		all[i].Root[31] ^= 1
		if audit.AllSigned(pub, all) {
			t.Errorf("head %d: another root", i)
		}
		all[i] = was
	}
	all[2].Signature, all[3].Signature = all[3].Signature, all[2].Signature
	if audit.AllSigned(pub, all) {
		t.Error("two signatures changed places")
	}
	all[2].Signature = nil
	if audit.AllSigned(pub, all) {
		t.Error("no signature")
	}
}

// Two wrong signatures whose errors cancel out, as a sum without random weights
// would not notice.
func TestAttackSignaturesThatMakeUpForEachOther(t *testing.T) {
	pub, all := heads(t, 8)
	one, other := append([]byte(nil), all[0].Signature...), append([]byte(nil), all[1].Signature...)
	if one[32] == 255 || other[32] == 0 {
		t.Skip("a carry is in the way")
	}
	one[32]++ // S of the one is greater by as much as the other's is smaller
	other[32]--
	all[0].Signature, all[1].Signature = one, other
	if audit.AllSigned(pub, all) {
		t.Error("they are taken")
	}
}

// BenchmarkSignatures measures checking one of many heads, alone and together.
//
//	go test -run '^$' -bench Signatures ./internal/audit
func BenchmarkSignatures(b *testing.B) {
	pub, all := heads(b, audit.Together)
	for _, how := range []string{"alone", "together"} {
		b.Run(how, func(b *testing.B) {
			for b.Loop() {
				if how == "together" {
					if !audit.AllSigned(pub, all) {
						b.Fatal("refused")
					}
					continue
				}
				for _, h := range all {
					if err := h.Verify(pub); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(all)), "µs/signature")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkVerifyLone measures verifying records that came one by one, each with
// a signature of its own.
//
//	go test -run '^$' -bench VerifyLone -benchtime 1x ./internal/audit
func BenchmarkVerifyLone(b *testing.B) {
	const n = 100_000
	dir := filepath.Join(b.TempDir(), "ledger")
	o := ledger.Options{Node: "n1", Keys: &keys{}, Clock: time.Now}
	if err := ledger.Create(dir, o); err != nil {
		b.Fatal(err)
	}
	l, err := ledger.Open(dir, o)
	if err != nil {
		b.Fatal(err)
	}
	customer, employee := bytes.Repeat([]byte("c"), 220), bytes.Repeat([]byte("e"), 180)
	for i := range n {
		_, err := l.Append(b.Context(), ledger.Entry{Kind: ledger.KindIntent, Outcome: "allowed",
			Customer: ledger.Part{Person: fmt.Sprintf("customer:c%d", i%400), Plain: customer},
			Employee: ledger.Part{Person: fmt.Sprintf("employee:e%d", i%40), Plain: employee}})
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		sound(b, verify(b, dir, audit.Options{}))
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
