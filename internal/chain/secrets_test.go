package chain_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"paravent/internal/ledger"
)

// vault keeps secrets in memory.
type vault struct {
	mu     sync.Mutex
	values map[string][]byte
	fails  error
	gets   []string
}

func (v *vault) Get(_ context.Context, name string) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.gets = append(v.gets, name)
	b, ok := v.values[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, os.ErrNotExist)
	}
	return b, nil
}

func (v *vault) Put(_ context.Context, name string, value []byte) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.fails == nil {
		v.values[name] = value
	}
	return v.fails
}

func TestRotationMakesTheNextKeyInTheSecretManager(t *testing.T) {
	t.Parallel()
	secrets := &vault{values: map[string][]byte{}}
	o := options(newTable())
	o.Ledger.Secrets = secrets
	dir := create(t, o)
	c := open(t, dir, o)
	secrets.fails = errors.New("the vault is sealed")
	if _, err := c.Freeze(t.Context()); err == nil {
		t.Error("frozen although the next key can't be kept")
	}
	if _, frozen := c.Last().Frozen(); frozen || !c.State().OK {
		t.Errorf("frozen %v, state %+v", frozen, c.State())
	}
	look(t, c, ledger.KindIntent, 0, "c1", "e1", "goes on")
	closed(t, c)
	c = open(t, dir, o) // with what the try left
	secrets.fails = nil
	c = rotate(t, dir, c, o)
	first, last := c.Logs()[0].Origin(), c.Origin()
	if len(secrets.values) != 2 || secrets.values[ledger.SecretName(first)] == nil || secrets.values[ledger.SecretName(last)] == nil {
		t.Errorf("the manager holds %d keys", len(secrets.values))
	}
	if found, err := filepath.Glob(filepath.Join(dir, "*", "signing.key")); err != nil || len(found) > 0 {
		t.Errorf("on the disk: %v, %v", found, err)
	}
	closed(t, c)
	// The old key isn't needed any more.
	delete(secrets.values, ledger.SecretName(first))
	secrets.gets = nil
	c = open(t, dir, o)
	look(t, c, ledger.KindIntent, 0, "c1", "e1", "x")
	if len(secrets.gets) != 1 || secrets.gets[0] != ledger.SecretName(last) {
		t.Errorf("asked for %v", secrets.gets)
	}
	// A key that was made for a rotation and then lost is not frozen for.
	secrets.fails = nil
	o2 := o.At(func(step string) {
		if step == "key made" {
			panic("the process dies")
		}
	})
	closed(t, c)
	c = open(t, dir, o2)
	func() {
		defer func() { _ = recover() }()
		if _, err := c.Freeze(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	closed(t, c)
	for name := range secrets.values {
		if name != ledger.SecretName(last) {
			delete(secrets.values, name)
		}
	}
	c = open(t, dir, o)
	if _, err := c.Freeze(t.Context()); err == nil {
		t.Error("frozen for a key that is lost")
	}
	if _, frozen := c.Last().Frozen(); frozen {
		t.Error("frozen for a key that is lost")
	}
}
