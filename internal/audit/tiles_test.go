package audit_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"paravent/internal/audit"
)

// published makes a world of n records with tiles.
func published(t testing.TB, n int) (*world, *audit.Publisher) {
	t.Helper()
	w := newWorld(t)
	w.bulk(t, n)
	p := audit.NewPublisher(w.log, audit.PublisherOptions{Dir: w.dir})
	if err := p.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w, p
}

// tileFiles lists the files below the tiles' folder.
func tileFiles(t testing.TB, dir string) []string {
	t.Helper()
	var names []string
	root := filepath.Join(dir, audit.TilesFolder)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(root, path)
			names = append(names, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestTilesAndCheckpointArePublishedBehindTheJournalAndVerify(t *testing.T) {
	w, p := published(t, 1000)
	if got := p.Tiled(); got != w.log.Size() {
		t.Fatalf("tiles of %d records, want %d", got, w.log.Size())
	}
	sound(t, verify(t, w.dir, audit.Options{}))
	for range 3 { // records come one by one, and in crowds
		w.look(t, 5)
		w.bulk(t, 300)
		if err := p.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		sound(t, verify(t, w.dir, audit.Options{}))
	}
	w.look(t, 3) // the journal may be ahead
	sound(t, verify(t, w.dir, audit.Options{}))
}

func TestACheckpointIsASignedNoteOfTheDurableTree(t *testing.T) {
	w, p := published(t, 300)
	key, err := os.ReadFile(filepath.Join(w.dir, "public.key"))
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(string(bytes.TrimSpace(key)))
	if err != nil {
		t.Fatal(err)
	}
	msg, err := p.Published()
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open(msg, note.VerifierList(v))
	if err != nil {
		t.Fatal(err)
	}
	if head := w.log.Head(); n.Text != string(head.Body()) {
		t.Errorf("the checkpoint says %q", n.Text)
	}
}

func TestWhatIsMissingOrDamagedInTilesIsBuiltAgain(t *testing.T) {
	w, _ := published(t, 700)
	for _, name := range tileFiles(t, w.dir) {
		for _, how := range []string{"removed", "emptied", "changed"} {
			path := filepath.Join(w.dir, audit.TilesFolder, filepath.FromSlash(name))
			switch how {
			case "removed":
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			case "emptied":
				change(t, path, func([]byte) []byte { return nil })
			case "changed":
				change(t, path, func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
			}
			// A publisher that starts afterwards, as after a crash.
			p := audit.NewPublisher(w.log, audit.PublisherOptions{Dir: w.dir})
			for range 2 { // what isn't this journal's is thrown away by the first step
				if err := p.Step(t.Context()); err == nil {
					break
				}
			}
			if r := verify(t, w.dir, audit.Options{}); !r.Sound() {
				t.Errorf("%s %s: %v", name, how, r.Problems)
			}
		}
	}
}

func TestProofsFromTilesVerifyForEveryRecordAndSize(t *testing.T) {
	w, p := published(t, 600)
	proofs, err := p.Proofs()
	if err != nil {
		t.Fatal(err)
	}
	head := w.log.Head()
	offline, err := audit.ProofsOf(w.dir, head)
	if err != nil {
		t.Fatal(err)
	}
	for record := range head.Size {
		for _, from := range []*audit.Proofs{proofs, offline} {
			path, leaf, err := from.Inclusion(record)
			if err != nil {
				t.Fatal(err)
			}
			if err := tlog.CheckRecord(path, int64(head.Size), head.Root, int64(record), leaf); err != nil {
				t.Fatalf("record %d: %v", record, err)
			}
		}
	}
	for old := uint64(1); old <= head.Size; old += 7 {
		old = min(old, head.Size)
		all, err := p.Consistency(t.Context(), old, head.Size)
		if err != nil {
			t.Fatal(err)
		}
		part, err := p.Consistency(t.Context(), old/2, old)
		if err != nil {
			t.Fatal(err)
		}
		oldRoot := rootAt(t, w, old)
		if old < head.Size {
			if err := tlog.CheckTree(all, int64(head.Size), head.Root, int64(old), oldRoot); err != nil {
				t.Fatalf("size %d: %v", old, err)
			}
		}
		if old/2 > 0 {
			if err := tlog.CheckTree(part, int64(old), oldRoot, int64(old/2), rootAt(t, w, old/2)); err != nil {
				t.Fatalf("size %d in %d: %v", old/2, old, err)
			}
		}
	}
}

// rootAt computes the root of the first size records from their leaves.
func rootAt(t testing.TB, w *world, size uint64) tlog.Hash {
	t.Helper()
	var stored []tlog.Hash
	n := int64(0)
	reader := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(at))
		for i, a := range at {
			out[i] = stored[a]
		}
		return out, nil
	})
	for r, err := range w.log.Leaves(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if uint64(n) == size {
			break
		}
		hashes, err := tlog.StoredHashes(n, r.Leaf, reader)
		if err != nil {
			t.Fatal(err)
		}
		stored, n = append(stored, hashes...), n+1
	}
	root, err := tlog.TreeHash(int64(size), reader)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestACheckpointThatIsOlderOrOfAnotherTreeIsNotPublished(t *testing.T) {
	w, p := published(t, 20)
	old, err := p.Published()
	if err != nil {
		t.Fatal(err)
	}
	w.look(t, 2)
	if err := p.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.Publish(t.Context(), old); err == nil {
		t.Error("an older checkpoint was published")
	}
	if err := p.Publish(t.Context(), bytes.Replace(old, []byte("\n2"), []byte("\n1"), 1)); err == nil {
		t.Error("a false checkpoint was published")
	}
}

// Attack: one byte of the tiles or the checkpoint is changed.
func TestOneByteFlippedInTilesOrCheckpointIsNamed(t *testing.T) {
	w, _ := published(t, 600)
	w.close(t)
	for _, name := range tileFiles(t, w.dir) {
		path := filepath.Join(w.dir, audit.TilesFolder, filepath.FromSlash(name))
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(whole); at += 1 + len(whole)/15 {
			change(t, path, func(b []byte) []byte { b[at] ^= 1 << (at % 8); return b })
			r := verify(t, w.dir, audit.Options{})
			if r.Sound() {
				t.Errorf("%s, byte %d: nobody noticed", name, at)
			}
			named(t, r, audit.TilesFolder+"/"+name)
			change(t, path, func([]byte) []byte { return whole })
		}
	}
	sound(t, verify(t, w.dir, audit.Options{}))
}

// Attack: a partial tile that tells of other records than the journal's.
func TestAForgedPartialTileIsNamed(t *testing.T) {
	w, _ := published(t, 600)
	var partial string
	for _, name := range tileFiles(t, w.dir) {
		if filepath.Base(filepath.Dir(name)) == "002.p" {
			partial = name
		}
	}
	path := filepath.Join(w.dir, audit.TilesFolder, filepath.FromSlash(partial))
	change(t, path, func(b []byte) []byte { copy(b[64:96], bytes.Repeat([]byte{7}, 32)); return b })
	named(t, verify(t, w.dir, audit.Options{}), partial, "record 514", "byte 64")
}
