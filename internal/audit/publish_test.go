package audit_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paravent/internal/audit"
	"paravent/internal/witness"
)

// The witness's publisher finds here what it needs.
var (
	_ witness.Proofs = (*audit.Publisher)(nil)
	_ witness.Store  = (*audit.Publisher)(nil)
)

func TestAPublisherFollowsTheJournalWhileItGrows(t *testing.T) {
	w := newWorld(t)
	p := audit.NewPublisher(w.log, audit.PublisherOptions{Dir: w.dir, Every: 10 * time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	for i := range 40 {
		w.bulk(t, 1+i*3)
		// A reader looks at any moment: nothing is ever ahead or half written.
		if i%5 == 0 {
			sound(t, verify(t, w.dir, audit.Options{}))
		}
	}
	deadline := time.After(10 * time.Second)
	for p.Tiled() < w.log.Size() {
		select {
		case <-deadline:
			t.Fatalf("tiles of %d records of %d", p.Tiled(), w.log.Size())
		case <-time.After(10 * time.Millisecond):
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	sound(t, verify(t, w.dir, audit.Options{}))
}

func TestAPublisherGoesOnWhereItsForerunnerStopped(t *testing.T) {
	w, _ := published(t, 600)
	full := filepath.Join(w.dir, audit.TilesFolder, "tile", "0", "000")
	before, err := os.Stat(full)
	if err != nil {
		t.Fatal(err)
	}
	w.look(t, 4)
	p := audit.NewPublisher(w.log, audit.PublisherOptions{Dir: w.dir})
	if err := p.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(full)
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("a full tile was written again: %v", err)
	}
	sound(t, verify(t, w.dir, audit.Options{}))
}

// Attack: the journal is replaced by last week's copy under the tiles of today.
func TestAPublisherRefusesAJournalThatIsBehindItsCheckpoint(t *testing.T) {
	w, p := published(t, 30)
	old := copyOf(t, w.dir)
	w.look(t, 20)
	if err := p.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(old, audit.TilesFolder)); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(old, audit.TilesFolder), os.DirFS(filepath.Join(w.dir, audit.TilesFolder))); err != nil {
		t.Fatal(err)
	}
	behind := &world{dir: old, keys: w.keys, now: w.now, o: w.o}
	behind.open(t)
	late := audit.NewPublisher(behind.log, audit.PublisherOptions{Dir: old})
	for range 2 {
		if err := late.Step(t.Context()); err == nil || !strings.Contains(err.Error(), "replaced by an older copy") {
			t.Errorf("it published: %v", err)
		}
	}
}

func TestACheckpointIsPublishedWithItsCosignaturesWhenWitnessed(t *testing.T) {
	w := newWorld(t)
	p := audit.NewPublisher(w.log, audit.PublisherOptions{Dir: w.dir, Witnessed: true})
	w.bulk(t, 300)
	if err := p.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	if msg, err := p.Published(); msg != nil || err != nil {
		t.Fatalf("it published by itself: %q, %v", msg, err)
	}
	head := w.log.Head()
	log, err := witness.LogOf(w.log.Origin(), w.log.Public())
	if err != nil {
		t.Fatal(err)
	}
	msg, err := log.Checkpoint(head)
	if err != nil {
		t.Fatal(err)
	}
	w.bulk(t, 700) // tiles go on meanwhile
	if err := p.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.Publish(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	sound(t, verify(t, w.dir, audit.Options{}))
	offline, err := audit.ProofsOf(w.dir, head)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := offline.Inclusion(head.Size - 1); err != nil {
		t.Errorf("the checkpoint's own tiles are not there: %v", err)
	}
}
