package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"paravent/internal/access"
	"paravent/internal/audit"
	"paravent/internal/chain"
	"paravent/internal/investigate"
	"paravent/internal/ledger"
	"paravent/internal/witness"
)

// chainOptions are the settings of the ledger in a data folder.
func chainOptions(c *Config, clock access.Clock, keys ledger.Keys) (chain.Options, error) {
	o := chain.Options{Ledger: ledger.Options{Node: c.Node, Clock: clock, Keys: keys}, Checkpoint: audit.PublishedIn}
	secrets, err := c.secrets()
	if err == nil && secrets != nil {
		o.Ledger.Secrets = secrets
	}
	return o, err
}

// secrets returns the company's secret manager, nil where keys are files.
func (c *Config) secrets() (*commandSecrets, error) {
	if c.SecretsGet == "" {
		return nil, nil
	}
	return newCommandSecrets(c.SecretsGet, c.SecretsPut)
}

// pseudonymSecret is the name of the key of pseudonyms in a secret manager,
// where it is kept as base64.
const pseudonymSecret = "pseudonym"

// pseudonymFrom reads the key of pseudonyms from a secret manager.
func pseudonymFrom(ctx context.Context, secrets *commandSecrets) ([]byte, error) {
	text, err := secrets.Get(ctx, pseudonymSecret)
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil || len(key) != pseudonymBytes {
		return nil, access.Errorf(access.Invalid, "the secret %s is not a key of %d bytes in base64", pseudonymSecret, pseudonymBytes).
			WithHint("Restore it from a backup; with a new one, old and new pseudonyms would differ.")
	}
	return key, nil
}

// openLedger opens the ledger and everything that rests on it: proofs, services,
// doors. It is called again when the ledger has turned over.
func (s *system) openLedger(ctx context.Context) error {
	o, err := chainOptions(s.config, s.clock, s.store.Keys())
	if err != nil {
		return err
	}
	o.Ledger.Log = s.log
	if s.ledger, err = chain.Open(filepath.Join(s.config.Data, ledgerFolder), o); err != nil {
		s.ledger = nil
		return fmt.Errorf("open ledger: %w", err)
	}
	// A drop that a crash cut short may have left rows of records that are gone.
	if first := s.ledger.Logs()[0].Base(); first > 0 {
		if _, err := s.store.DropIndex(ctx, first); err != nil {
			return fmt.Errorf("forget the rows of a dropped log: %w", err)
		}
	}
	if err := s.openProof(ctx); err != nil {
		return err
	}
	if err := s.openServices(); err != nil {
		return err
	}
	return s.openDoors()
}

// openProof makes what proves the ledger to others: tiles behind each journal,
// and checkpoints that the witnesses have cosigned.
func (s *system) openProof(ctx context.Context) error {
	log, err := witness.LogOf(s.ledger.Origin(), s.ledger.Public())
	if err != nil {
		return fmt.Errorf("name the ledger to its witnesses: %w", err)
	}
	if err := s.config.Witness.Check(log); err != nil {
		return access.Errorf(access.Invalid, "the witnesses don't fit this ledger").Because(err)
	}
	s.tiles = nil
	var links []witness.Link // the newest first
	for i, info := range s.ledger.Names() {
		l := s.ledger.Logs()[i]
		o := audit.PublisherOptions{Dir: info.Dir, Log: s.log, Witnessed: true}
		p := audit.NewPublisher(l, o)
		if info.Frozen {
			if p, err = audit.OpenFrozen(ctx, l, o); err != nil {
				return err
			}
		}
		s.tiles = append(s.tiles, p)
		if came, follows := l.Succession(); follows {
			link := witness.Link{Succession: came}
			if i > 0 {
				link.Before = s.tiles[i-1]
			}
			links = append([]witness.Link{link}, links...)
		}
	}
	o := witness.PublisherOptions{
		Heads: s.ledger, Proofs: s.lastTiles(), Store: s.lastTiles(), Policy: s.config.Witness, Clock: s.clock, Log: s.log,
	}
	if len(links) > 0 {
		o.Successions = func(context.Context) ([]witness.Link, error) { return links, nil }
	}
	s.cosign, err = witness.NewPublisher(o)
	return err
}

// served names the publisher of each log.
func (s *system) served() []audit.Served {
	all := make([]audit.Served, len(s.tiles))
	for i, info := range s.ledger.Names() {
		all[i] = audit.Served{Name: info.Name, Base: info.Base, Publisher: s.tiles[i]}
	}
	return all
}

// lastTiles publishes the log that is written to.
func (s *system) lastTiles() *audit.Publisher { return s.tiles[len(s.tiles)-1] }

// logFacts describes the ledger's logs for who changes them.
func (s *system) logFacts() []investigate.LogFacts {
	var all []investigate.LogFacts
	for i, info := range s.ledger.Names() {
		f := investigate.LogFacts{Name: info.Name, Base: info.Base, Size: info.Size, Frozen: info.Frozen, Bytes: folderSize(info.Dir)}
		l := s.ledger.Logs()[i]
		f.First = timeOf(l, 0)
		if info.Frozen && info.Size > 0 {
			f.Last = timeOf(l, info.Size-1)
		}
		all = append(all, f)
	}
	return all
}

// timeOf returns the time of one record, the zero time where it can't be read.
func timeOf(l *ledger.Ledger, position uint64) time.Time {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for r, err := range l.Records(ctx, position) {
		if err == nil {
			return r.Time
		}
		break
	}
	return time.Time{}
}

// folderSize returns the bytes of a folder's files; 0 where they can't be read.
func folderSize(dir string) (size int64) {
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	if err != nil {
		return 0
	}
	return size
}

// shifts runs what works behind the doors until ctx ends. Between two shifts the
// ledger turns over.
func (s *system) shifts(ctx context.Context) error {
	for {
		due, err := s.shift(ctx)
		if err != nil || due == nil {
			return err
		}
		if err := s.turnOver(ctx, *due); err != nil {
			return err
		}
	}
}

// shift works until ctx ends, or until the ledger has to turn over: then it
// returns what for.
func (s *system) shift(ctx context.Context) (due *investigate.Request, err error) {
	work, end := context.WithCancel(ctx)
	defer end()
	g, work := errgroup.WithContext(work)
	g.Go(func() error { return s.follower.Run(work) })
	for _, tiles := range s.tiles { // of a frozen log they are checked, once
		g.Go(func() error { return tiles.Run(work) })
	}
	g.Go(func() error { return s.cosign.Run(work) })
	g.Go(func() error { return s.erasures.Run(work) })
	g.Go(func() error { return s.serveSQL(work) })
	asked := make(chan investigate.Request, 2)
	for _, wait := range []func(context.Context) (investigate.Request, error){s.upkeep.Wait, s.waitAge} {
		g.Go(func() error {
			r, err := wait(work)
			if err == nil {
				asked <- r
				end()
			}
			return nil // it ended with work
		})
	}
	if err := g.Wait(); err != nil || ctx.Err() != nil {
		return nil, err
	}
	r := <-asked
	return &r, nil
}

// ageEvery is how often the log's age is looked at.
const ageEvery = time.Minute

// waitAge returns when the last log is so old that it has to be frozen.
func (s *system) waitAge(ctx context.Context) (investigate.Request, error) {
	told := false
	for {
		began := timeOf(s.ledger.Last(), 0)
		if began.IsZero() && !told {
			s.log.ErrorContext(ctx, "the log's first record can't be read, so its age isn't known; it is looked up again", "in", ageEvery)
			told = true
		}
		if s.config.LedgerTurn > 0 && !began.IsZero() && s.clock().Sub(began) >= s.config.LedgerTurn {
			return investigate.Request{Kind: investigate.KindRotation}, nil
		}
		select {
		case <-time.After(ageEvery):
		case <-ctx.Done():
			return investigate.Request{}, ctx.Err()
		}
	}
}

// turnOver holds all requests back, changes the ledger, and opens it again with
// everything that rests on it. What fails before anything was changed is noted and the
// server goes on; where the ledger can't be opened again the server ends.
func (s *system) turnOver(ctx context.Context, due investigate.Request) error {
	s.turnstile.close()
	next := http.Handler(http.HandlerFunc(closedForGood))
	defer func() { s.turnstile.open(next) }()
	why := s.change(ctx, due)
	if err := s.openLedger(ctx); err != nil {
		return errors.Join(why, err)
	}
	next = s.handler
	switch {
	case due.ID == "" && why != nil:
		s.log.ErrorContext(ctx, "the log's time is over, but it could not be frozen; it is tried again", "error", why)
		return nil
	case due.ID == "":
		return nil
	case why != nil:
		return s.upkeep.Failed(ctx, due.ID, reasonOf(why))
	}
	return s.upkeep.Done(ctx, due.ID)
}

// reasonOf is what an administrator reads of a failure.
func reasonOf(err error) string {
	var told *access.Error
	if errors.As(err, &told) {
		message, hint := access.Public(told)
		return message + " " + hint
	}
	return err.Error()
}

// closedForGood answers when the server can't go on.
func closedForGood(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "The ledger can't be opened; nothing is shown.", http.StatusServiceUnavailable)
}

// lastCosigned is how long the witnesses get for a log's last checkpoint. Look-ups
// wait for it.
const lastCosigned = 5 * time.Second

// change freezes the last log or drops the oldest, and leaves the ledger closed.
func (s *system) change(ctx context.Context, due investigate.Request) error {
	var why error
	if due.Kind == investigate.KindRotation {
		if _, why = s.ledger.Freeze(ctx); why == nil {
			if _, err := s.cosign.Last(ctx, lastCosigned); err != nil {
				s.log.WarnContext(ctx, "the frozen log's last checkpoint lacks cosignatures", "error", err)
			}
		}
	}
	if err := s.ledger.Close(); err != nil {
		s.log.ErrorContext(ctx, "closing the ledger", "error", err)
	}
	s.ledger = nil
	if due.Kind != investigate.KindDrop {
		return why
	}
	o, err := chainOptions(s.config, s.clock, s.store.Keys())
	if err != nil {
		return err
	}
	dropped, err := chain.Drop(filepath.Join(s.config.Data, ledgerFolder), due.About, o)
	if err != nil {
		return fmt.Errorf("drop log %s: %w", due.About, err)
	}
	s.log.InfoContext(ctx, "log dropped", "log", dropped.Name, "origin", dropped.Origin, "base", dropped.Base, "size", dropped.Size, "keys", dropped.Keys)
	return nil
}
