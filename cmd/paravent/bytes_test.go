package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"paravent/internal/audit"
	"paravent/internal/ledger"
	"paravent/internal/store"
)

// parts is how many bytes of a data folder are what, in all.
type parts struct {
	records, batches float64
	plain            float64 // what was sealed
	seals            float64 // sealed parts without what was sealed, their commitments and digest
	tree             float64 // tiles, and the root and signature of each batch
	frame            float64 // the rest of the journal: who, when, lengths, checksums, padding
	index, row       float64 // the index's table with its indexes, compact; the row's own JSON in it
	rows             float64 // of the index
}

// minus returns what has come since before.
func (p parts) minus(before parts) parts {
	return parts{p.records - before.records, p.batches - before.batches, p.plain - before.plain, p.seals - before.seals,
		p.tree - before.tree, p.frame - before.frame, p.index - before.index, p.row - before.row, p.rows - before.rows}
}

// report tells them, for each record.
func (p parts) report(b *testing.B) {
	b.Helper()
	for name, n := range map[string]float64{"plain": p.plain, "seals": p.seals, "tree": p.tree, "frame": p.frame, "index": p.index, "index-json": p.row} {
		b.ReportMetric(n/p.records, "B/record-"+name)
	}
	b.ReportMetric(p.index/p.rows, "B/row-index")
	b.ReportMetric(p.records/p.batches, "records/batch")
	b.ReportMetric(p.records, "records")
	b.ReportMetric(0, "ns/op")
	if p.seals > 256*p.records || p.tree > 160*p.records {
		b.Errorf("at most 256 bytes of seals and 160 of tree are promised")
	}
}

// BenchmarkBytes measures how many bytes a record takes on disk, by part, with
// the index as it is after VACUUM: a past that was brought in at once, and
// look-ups that a server answered, one asker at a time and 64 at once.
//
//	go test -run '^$' -bench Bytes -benchtime 1x ./cmd/paravent
func BenchmarkBytes(b *testing.B) {
	f := newStormFolder(b)
	f.serveUntil(b, 0, 0) // the follower reads the past; who is refused is left out from then on
	past := f.measure(b)
	b.Run("past", func(b *testing.B) { past.report(b) })
	for _, askers := range []int{1, 64} {
		before := f.measure(b)
		f.serveUntil(b, askers, 3000)
		after := f.measure(b)
		b.Run(fmt.Sprintf("served-%d", askers), func(b *testing.B) { after.minus(before).report(b) })
	}
}

// serveUntil runs the server until that many look-ups were answered and the
// index has caught up, and ends it in good order.
func (f *stormFolder) serveUntil(t testing.TB, askers, lookups int) {
	t.Helper()
	server := exec.Command(os.Args[0], "serve", "--config", f.config)
	server.Args[0] = "paravent" // TestMain then runs the command instead of the tests
	var log bytes.Buffer
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer server.Process.Kill()
	f.await(t, server, &log)
	if lookups == 0 {
		f.people = slices.DeleteFunc(f.people, func(p stormer) bool {
			_, err := f.look(http.DefaultClient, p)
			return err != nil
		})
	}
	var left atomic.Int64
	left.Store(int64(lookups))
	var wg sync.WaitGroup
	for a := range askers {
		wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			for i := a; left.Add(-1) >= 0; i += askers {
				if _, err := f.look(client, f.people[i%len(f.people)]); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	f.awaitIndex(t)
	if err := errors.Join(server.Process.Signal(os.Interrupt), server.Wait()); err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
}

// awaitIndex waits until index and tiles have caught up with the journal.
func (f *stormFolder) awaitIndex(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		req, err := http.NewRequest("GET", "http://"+f.address+"/v1/state", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+f.people[0].token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var state struct {
			Follower struct {
				Behind *uint64 `json:"behind_records"`
			} `json:"follower"`
		}
		err = errors.Join(json.NewDecoder(resp.Body).Decode(&state), resp.Body.Close())
		if err != nil || state.Follower.Behind == nil {
			t.Fatalf("the state doesn't say how far the follower is: %v", err)
		}
		if *state.Follower.Behind == 0 {
			time.Sleep(2 * time.Second) // tiles are written once a second
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the follower is %d records behind", *state.Follower.Behind)
		}
	}
}

// measure counts the bytes of a folder whose server has ended.
func (f *stormFolder) measure(t testing.TB) (p parts) {
	t.Helper()
	data := filepath.Join(f.dir, "data")
	err := filepath.WalkDir(filepath.Join(data, ledgerFolder), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if strings.Contains(path, string(filepath.Separator)+audit.TilesFolder+string(filepath.Separator)) {
			info, err := d.Info()
			if err == nil {
				p.tree += float64(info.Size())
			}
			return err
		}
		if filepath.Ext(path) == ".journal" && strings.HasSuffix(path, ledger.SegmentFile(1)) {
			return p.journal(filepath.Dir(path))
		}
		return nil
	})
	if err == nil {
		err = p.indexed(filepath.Join(data, storeFolder, store.StateFile), t.TempDir())
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// journal counts the parts of a log's journal.
func (p *parts) journal(dir string) error {
	const sealing, hash, rootAndSignature = 64, 32, 32 + 64
	journal, err := ledger.Inspect(dir)
	if err != nil {
		return err
	}
	var whole float64
	for _, number := range journal.Segments() {
		r, _, err := journal.Read(number, -1)
		if err != nil {
			return err
		}
		for err == nil {
			var b *ledger.Batch
			if b, err = r.Next(); err != nil {
				break
			}
			p.batches++
			p.records += float64(len(b.Records))
			p.tree += rootAndSignature
			size := 24 + 104 // header and trailer
			for _, rec := range b.Records {
				size += 10 + len(rec.Leaf)
				hashes := 0
				for _, sealed := range rec.Sealed {
					size += len(sealed)
					if len(sealed) > 0 {
						hashes++
						p.plain += float64(len(sealed) - sealing)
						p.seals += sealing
					}
				}
				if hashes > 0 {
					p.seals += float64(1+hashes) * hash // commitments and digest
				}
			}
			whole += float64((size + 15) / 16 * 16)
		}
		if err := r.Close(); err != nil {
			return err
		}
		if !errors.Is(err, io.EOF) {
			return err
		}
	}
	batches := p.batches
	p.frame = whole - p.plain - p.seals - batches*rootAndSignature
	return nil
}

const (
	vacuumInto = `VACUUM INTO ?`
	indexBytes = `SELECT SUM(pgsize) FROM dbstat WHERE name IN (SELECT name FROM sqlite_master WHERE tbl_name = 'lookups')`
	indexRows  = `SELECT COUNT(*), COALESCE(SUM(LENGTH(body)), 0) FROM lookups`
)

// indexed counts the index, compact.
func (p *parts) indexed(path, work string) error {
	whole, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	compact := filepath.Join(work, "compact.db")
	_, err = whole.Exec(vacuumInto, compact)
	if err = errors.Join(err, whole.Close()); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", compact)
	if err != nil {
		return err
	}
	return errors.Join(db.QueryRow(indexBytes).Scan(&p.index), db.QueryRow(indexRows).Scan(&p.rows, &p.row), db.Close())
}
