package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"paravent/internal/access"
)

// secretName stands in a command for the name of the secret that is meant.
const secretName = "{name}"

// secretTime is how long a secret manager may take for one answer.
const secretTime = 15 * time.Second

// maxSecret bounds a secret, in bytes.
const maxSecret = 64 << 10

// commandSecrets keeps keys in the company's secret manager, through two
// commands of its own: get prints the named secret, put reads it from its
// standard input. They are run as they are, without a shell.
type commandSecrets struct {
	get, put []string
}

// newCommandSecrets reads the two commands. put may be empty: then keys can be
// used but not made, and a rotation is refused before anything is frozen.
func newCommandSecrets(get, put string) (*commandSecrets, error) {
	c := &commandSecrets{get: strings.Fields(get), put: strings.Fields(put)}
	for _, words := range [][]string{c.get, c.put} {
		if len(words) > 0 && !strings.Contains(strings.Join(words, " "), secretName) {
			return nil, fmt.Errorf("the command doesn't say %s, so every secret would be the same", secretName)
		}
	}
	if len(c.get) == 0 {
		return nil, errors.New("a command that reads a secret is needed")
	}
	return c, nil
}

// Get returns the secret of that name. A newline at its end isn't part of it.
func (c *commandSecrets) Get(ctx context.Context, name string) ([]byte, error) {
	out, err := c.run(ctx, c.get, name, nil)
	if err != nil {
		return nil, access.Errorf(access.Unavailable, "the secret %s can't be read", name).Because(err).
			WithHint("Run the command of secrets.get by hand, as the user whom the server runs as.")
	}
	out = bytes.TrimRight(out, "\r\n")
	if len(out) == 0 {
		return nil, access.Errorf(access.Unavailable, "the secret %s is empty", name).
			WithHint("The command of secrets.get ended well and printed nothing.")
	}
	return out, nil
}

// Put keeps a new secret under that name, and reads it back: a manager that
// accepts what it doesn't keep would lose the ledger's key.
func (c *commandSecrets) Put(ctx context.Context, name string, value []byte) error {
	if len(c.put) == 0 {
		return access.Errorf(access.Unavailable, "the secret %s can't be kept: secrets.put is not set", name).
			WithHint("Set secrets.put to a command that reads the secret from its standard input.")
	}
	if _, err := c.run(ctx, c.put, name, value); err != nil {
		return access.Errorf(access.Unavailable, "the secret %s can't be kept", name).Because(err).
			WithHint("Run the command of secrets.put by hand, as the user whom the server runs as.")
	}
	kept, err := c.Get(ctx, name)
	if err != nil {
		return err
	}
	if !bytes.Equal(kept, bytes.TrimRight(value, "\r\n")) {
		return access.Errorf(access.Unavailable, "the secret %s isn't what was kept", name).
			WithHint("secrets.get and secrets.put must mean the same place.")
	}
	return nil
}

// run runs one command. Nothing that it prints is told but to who asked: it may
// be a secret.
func (c *commandSecrets) run(ctx context.Context, words []string, name string, in []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, secretTime)
	defer cancel()
	words = strings.Fields(strings.ReplaceAll(strings.Join(words, " "), secretName, name))
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.WaitDelay = time.Second // a child of the command may hold the pipe open
	var out bounded
	cmd.Stdin, cmd.Stdout = bytes.NewReader(in), &out
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("no answer within %s", secretTime)
		}
		return nil, err // how it ended; its words may hold a secret
	}
	return out.Bytes(), nil
}

// bounded is a buffer that refuses more than a secret can have.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxSecret {
		return 0, fmt.Errorf("it has more than %d bytes", maxSecret)
	}
	return b.Buffer.Write(p)
}
