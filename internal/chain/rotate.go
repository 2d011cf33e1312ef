package chain

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"paravent/internal/ledger"
)

// open opens all logs, oldest first, and makes the one that a frozen last log names.
func (c *Chain) open() error {
	if err := finishDrops(c.dir, c.o); err != nil {
		return err
	}
	f, err := list(c.dir)
	if err != nil {
		return err
	}
	c.from = f.logs[0]
	last := f.logs[len(f.logs)-1]
	for _, n := range f.logs {
		if err := c.openLog(n, n != last); err != nil {
			return err
		}
	}
	if _, frozen := c.Last().Frozen(); frozen {
		if err := c.makeNext(last + 1); err != nil {
			return err
		}
		if err := c.openLog(last+1, false); err != nil {
			return err
		}
	} else if f.next {
		if err := c.checkNext(); err != nil {
			return err
		}
	}
	for i, l := range c.logs {
		l.Follows(c.logs[:i]...)
	}
	return nil
}

// openLog opens the n-th log, which must follow the one opened before it.
func (c *Chain) openLog(n int, frozen bool) error {
	name := logName(n)
	dir := filepath.Join(c.dir, name)
	var before *ledger.Ledger
	if len(c.logs) > 0 {
		before = c.Last()
	}
	if err := follows(dir, name, before); err != nil {
		return err
	}
	open := ledger.Open
	if frozen {
		open = ledger.OpenFrozen
	}
	l, err := open(dir, c.o.Ledger)
	if err != nil {
		return fmt.Errorf("log %s: %w", name, err)
	}
	c.logs = append(c.logs, l)
	return nil
}

// makeNext makes the log of that number, whose key the last record of the one
// before it names and .next holds. It goes on where a crash came between.
func (c *Chain) makeNext(n int) error {
	before, made := c.Last(), filepath.Join(c.dir, nextFolder)
	key, err := keyIn(made)
	if named, _ := before.Frozen(); err != nil || key != named {
		return errors.Join(fmt.Errorf("%w: log %s is frozen and names %s; neither %s nor %s is that log",
			ErrBroken, logName(n-1), named, logName(n), nextFolder), err)
	}
	if _, err := ledger.Inspect(made); errors.Is(err, ledger.ErrMissing) {
		if err := c.createNext(made, before); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	c.o.at("next made")
	err = os.Rename(made, filepath.Join(c.dir, logName(n)))
	if err = errors.Join(err, syncFolder(c.dir)); err != nil {
		return fmt.Errorf("ledger: name log %s: %w", logName(n), err)
	}
	c.o.at("next named")
	c.o.log().Info("a new log follows the frozen one", "log", logName(n), "before", before.Origin(), "records", before.Base()+before.Size())
	return nil
}

// createNext makes the journal of the next log, with the checkpoint that was
// published of the one before.
func (c *Chain) createNext(made string, before *ledger.Ledger) error {
	o := c.o.Ledger
	if c.o.Checkpoint != nil {
		checkpoint, err := c.o.Checkpoint(filepath.Join(c.dir, logName(c.from+len(c.logs)-1)))
		if err == nil && len(checkpoint) > 0 {
			err = ledger.CreateNext(made, o, before, checkpoint)
			if err == nil || !errors.Is(err, ledger.ErrSuccession) {
				return err
			}
		}
		c.o.log().Warn("the frozen log's last checkpoint was not published; the next log holds one that nobody cosigned", "error", err)
	}
	return ledger.CreateNext(made, o, before, nil)
}

// checkNext looks at a .next folder behind a log that isn't frozen. A key alone
// was prepared for a rotation that didn't come to pass; a journal means that the
// last log was frozen once.
func (c *Chain) checkNext() error {
	if _, err := ledger.Inspect(filepath.Join(c.dir, nextFolder)); err == nil {
		return fmt.Errorf("%w: %s holds a journal, but the log before it isn't frozen: was it put back to an older state?", ErrBroken, nextFolder)
	} else if !errors.Is(err, ledger.ErrMissing) {
		return err
	}
	return nil
}

// keyIn returns the verifier key in a log's folder.
func keyIn(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, "public.key"))
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(b)), nil
}

// Freeze ends the last log for good: first the key of the log that is to follow is
// made and kept, durably, then the last record of the log names it. It returns the
// log's final head. From then on nothing is recorded (ledger.ErrFrozen) until the
// chain is closed and opened again, which makes the next log: one way for this and
// for a crash. Meanwhile the log's last checkpoint can be published and cosigned.
// Where the key can't be kept nothing is frozen. After ledger.ErrUnavailable it's
// right to call it again.
func (c *Chain) Freeze(ctx context.Context) (ledger.SignedHead, error) {
	if err := ctx.Err(); err != nil {
		return ledger.SignedHead{}, err
	}
	key, err := c.prepareNext()
	if err != nil {
		return ledger.SignedHead{}, fmt.Errorf("ledger: prepare the next log; nothing is frozen: %w", err)
	}
	c.o.at("key made")
	head, err := c.Last().Freeze(ctx, key)
	c.o.at("frozen")
	return head, err
}

// prepareNext makes the folder with the key of the log that is to follow, or
// takes the one that an earlier try left: a record that names it may be on its way.
func (c *Chain) prepareNext() (key string, err error) {
	made := filepath.Join(c.dir, nextFolder)
	if key, err = ledger.ReadKey(made, c.o.Ledger); err == nil {
		return key, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("the key that was prepared can't be used; remove %s to have another one made: %w", made, err)
	}
	if err := os.RemoveAll(made); err != nil {
		return "", err
	}
	if err := os.Mkdir(made, 0o700); err != nil {
		return "", err
	}
	o := c.o.Ledger // of this node, whatever the options say
	o.Node = c.Last().Node()
	if key, err = ledger.NewKey(made, o); err != nil {
		return "", err
	}
	return key, syncFolder(c.dir)
}
