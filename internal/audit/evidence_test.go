package audit_test

import (
	"archive/zip"
	"bytes"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"testing"

	"paravent/internal/audit"
)

// source is a ledger of a single log, for evidence.
func source(w *world, p *audit.Publisher) []audit.Source {
	return []audit.Source{{Served: audit.Served{Name: "0001", Publisher: p}, Records: w.log}}
}

// evidence makes a bundle.
func evidence(t testing.TB, w *world, p *audit.Publisher, positions ...uint64) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := audit.ChainEvidence(t.Context(), &b, source(w, p), "finding F-12", positions); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// check verifies a bundle.
func check(t testing.TB, b []byte, o audit.Options) (*audit.Result, []audit.Proven) {
	t.Helper()
	r, proven, err := audit.Bundle(t.Context(), bytes.NewReader(b), int64(len(b)), o)
	if err != nil {
		t.Fatal(err)
	}
	return r, proven
}

func TestABundleProvesWhatItsRecordsSayOffline(t *testing.T) {
	w, p := published(t, 300)
	receipts := w.look(t, 4)
	if _, err := w.log.Destroy(t.Context(), "employee:e1"); err != nil {
		t.Fatal(err)
	}
	b := evidence(t, w, p, receipts[1].Position, 7, receipts[1].Position, receipts[3].Position)
	key := verify(t, w.dir, audit.Options{}).Key
	r, proven := check(t, b, audit.Options{Key: key})
	sound(t, r)
	if len(proven) != 3 || proven[1].Position != receipts[1].Position || string(proven[1].Customer) != string(w.entry(1).Customer.Plain) {
		t.Fatalf("proven: %+v", proven)
	}
	if !proven[1].Erased || proven[1].Employee != nil {
		t.Errorf("the destroyed part is %+v", proven[1])
	}
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	page, err := z.Open("README.txt")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(page)
	if err != nil || !strings.Contains(string(text), "finding F-12") || !strings.Contains(string(text), "WHAT THIS DOES NOT PROVE") {
		t.Errorf("the page says %s", text)
	}
	for _, row := range w.keys.rows {
		if bytes.Contains(b, row.Secret) {
			t.Error("a key is in the bundle")
		}
	}
	if got, err := indyBundle(b, key); err != nil || len(got) != 3 {
		t.Errorf("the independent verifier: %v, %v", got, err)
	}
	// Without a key of the reader's own it fits itself, and says so.
	r, _ = check(t, b, audit.Options{})
	sound(t, r)
	if !strings.Contains(strings.Join(r.Notes, " "), "was trusted") {
		t.Errorf("not told: %v", r.Notes)
	}
}

func TestABundleIsComparedWithWhatTheReaderKept(t *testing.T) {
	w, p := published(t, 30)
	fork := &world{dir: copyOf(t, w.dir), keys: w.keys, now: w.now, o: w.o}
	w.look(t, 2)
	o := audit.Options{Memory: memory(t), Place: w.dir}
	r := verify(t, w.dir, o)
	sound(t, r)
	got, _ := check(t, evidence(t, w, p, 9), o)
	sound(t, got)
	if !strings.Contains(strings.Join(got.Notes, " "), "you verified yourself") {
		t.Errorf("nothing was compared: %v", got.Notes)
	}
	fork.open(t)
	for fork.log.Size() < w.log.Size() {
		fork.look(t, 1)
	}
	fp := audit.NewPublisher(fork.log, audit.PublisherOptions{Dir: fork.dir})
	got, _ = check(t, evidence(t, fork, fp, 9), o)
	named(t, got, "REWRITTEN")
}

// Attack: one byte of a bundle is changed, anywhere.
func TestOneByteFlippedAnywhereInABundleIsNoticed(t *testing.T) {
	w, p := published(t, 30)
	b := evidence(t, w, p, 12)
	key := verify(t, w.dir, audit.Options{}).Key
	for at := range b {
		bad := bytes.Clone(b)
		bad[at] ^= 1 << (at % 8)
		r, _, err := audit.Bundle(t.Context(), bytes.NewReader(bad), int64(len(bad)), audit.Options{Key: key})
		if err == nil && r.Sound() {
			t.Fatalf("byte %d of %d: nobody noticed", at, len(b))
		}
	}
}

// repack makes a bundle again with changed files and right checksums.
func repack(t testing.TB, b []byte, change func(name string, text []byte) []byte) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	to := zip.NewWriter(&out)
	for _, f := range z.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		if text = change(f.Name, text); text == nil {
			continue
		}
		w, err := to.CreateRaw(&zip.FileHeader{Name: f.Name, CRC32: crc32.ChecksumIEEE(text),
			CompressedSize64: uint64(len(text)), UncompressedSize64: uint64(len(text))})
		if err == nil {
			_, err = w.Write(text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestAForgedBundleIsNamed(t *testing.T) {
	w, p := published(t, 30)
	b := evidence(t, w, p, 12, 14)
	key := verify(t, w.dir, audit.Options{}).Key
	replace := func(in, old, new string) func(string, []byte) []byte {
		return func(name string, text []byte) []byte {
			if strings.HasPrefix(name, in) {
				if !bytes.Contains(text, []byte(old)) {
					t.Fatalf("%s has no %q", name, old)
				}
				return bytes.Replace(text, []byte(old), []byte(new), 1)
			}
			return text
		}
	}
	cases := map[string]struct {
		change func(string, []byte) []byte
		word   string
	}{
		"another plaintext":     {replace("0001/records/000000000012", `orders`, `orderz`), "customer's part is not what was recorded"},
		"another position":      {replace("0001/records/000000000012", `"position": 12`, `"position": 13`), "its leaf is that of record 12"},
		"a false claim":         {replace("README", "finding F-12", "finding F-13"), "byte for byte"},
		"the salt taken away":   {replace("0001/records/000000000012", `"salt"`, `"salz"`), "can't be read"},
		"a part hidden":         {replace("0001/records/000000000012", `"customer": {`, `"customer": null, "employee": {`), "part is not there"},
		"a part said erased":    {replace("0001/records/000000000012", `"customer": {`, `"customer": {"erased": true,`), "said to be erased"},
		"a checkpoint's size":   {replace("0001/checkpoint", "\n39\n", "\n40\n"), "does not verify"},
		"another key":           {replace("0001/public.key", "+A", "+B"), "the log's key can't be read"},
		"something more inside": {replace("about.txt", "finding F-12", "finding F-99"), "byte for byte"},
	}
	cases["a checkpoint's size"] = struct {
		change func(string, []byte) []byte
		word   string
	}{func(name string, text []byte) []byte {
		if name == "0001/checkpoint" {
			lines := bytes.SplitN(text, []byte("\n"), 3)
			lines[1] = append(lines[1], '0')
			return bytes.Join(lines, []byte("\n"))
		}
		return text
	}, "does not verify"}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r, _ := check(t, repack(t, b, c.change), audit.Options{Key: key})
			named(t, r, c.word)
		})
	}
	same := repack(t, b, func(_ string, text []byte) []byte { return text })
	r, _ := check(t, same, audit.Options{Key: key})
	sound(t, r)
}

func TestEvidenceOfARecordThatIsNotThereIsRefused(t *testing.T) {
	w, p := published(t, 3)
	for _, positions := range [][]uint64{nil, {w.log.Size()}, {1, 1 << 60}} {
		if err := audit.ChainEvidence(t.Context(), io.Discard, source(w, p), "", positions); err == nil {
			t.Errorf("%v: a bundle was made", positions)
		}
	}
}

func TestTheIndependentVerifierAgrees(t *testing.T) {
	w, p := published(t, 600)
	w.look(t, 20)
	if err := p.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.look(t, 2)
	r := verify(t, w.dir, audit.Options{})
	w.close(t)
	leaves, err := indyJournal(w.dir, r.Key)
	if err != nil || uint64(len(leaves)) != r.Size {
		t.Fatalf("%d leaves: %v", len(leaves), err)
	}
	if err := indyPublished(w.dir+"/"+audit.TilesFolder, r.Key, leaves); err != nil {
		t.Error(err)
	}
	// And it can fail: on each attack that the other one finds, it stops too.
	for name, bad := range map[string]func(*indySegment){
		"dropped": func(s *indySegment) { s.batches = s.batches[: len(s.batches)-1 : len(s.batches)-1] },
		"root":    func(s *indySegment) { s.batches[0].root[0] ^= 1 },
		"leaf":    func(s *indySegment) { s.batches[0].records[0].leaf[12] ^= 1 },
		"signed":  func(s *indySegment) { s.batches[0].sig[0] ^= 1 },
	} {
		work := copyOf(t, w.dir)
		forge(t, work+"/0000000003.journal", func(s *indySegment) {
			for i := range s.batches {
				s.batches[i].sig = slices.Clone(s.batches[i].sig)
			}
			bad(s)
		})
		if _, err := indyJournal(work, r.Key); err == nil {
			t.Errorf("%s: the independent verifier found nothing", name)
		}
	}
}
