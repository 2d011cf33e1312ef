package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"paravent/internal/access"
	"paravent/internal/policy"
	"paravent/internal/source"
)

// configTemplate is the commented configuration that init writes.
//
//go:embed paravent.yaml
var configTemplate []byte

// newInitCommand writes a configuration and policy that run as they are.
func newInitCommand(s streams) *cobra.Command {
	var get, put string
	c := &cobra.Command{
		Use:   "init DIR",
		Short: "Write a commented configuration and policy that run as they are",
		Long: `Writes into DIR, which must be new or empty:

  paravent.yaml   the configuration
  policy.yaml     what may be seen for which purpose
  default.cedar   on which conditions
  shop.db         an empty example database in the shape that policy.yaml describes
  data/           the ledger, the keys and the store

It prints a code, once, with which the first administrator signs in.

With --secrets-get and --secrets-put, the ledger's signing key and the key of
pseudonyms are kept in your secret manager instead of data/.`,
		Example: `  paravent init ./mine
  paravent serve --config ./mine/paravent.yaml
  paravent init ./mine --secrets-get 'vault kv get -field=value secret/paravent/{name}' \
    --secrets-put 'vault kv put secret/paravent/{name} value=-'`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			code, err := initialise(c.Context(), args[0], get, put)
			if err != nil {
				return err
			}
			fmt.Fprintf(s.out, `%s is ready.

  start       paravent serve --config %s
  set up      open http://127.0.0.1:8420/setup and give this code, shown only now:

              %s

              or, without a browser: paravent setup --login YOUR-NAME
  your data   edit sources in paravent.yaml and the tables in policy.yaml, then
              paravent policy check --config %s
`, args[0], filepath.Join(args[0], "paravent.yaml"), code, filepath.Join(args[0], "paravent.yaml"))
			return nil
		},
	}
	c.Flags().StringVar(&get, "secrets-get", "", "`command` that prints the secret {name}")
	c.Flags().StringVar(&put, "secrets-put", "", "`command` that keeps its standard input as the secret {name}")
	return c
}

// initialise makes dir as a whole: in a folder beside it first, then by a
// rename, so that no half-made one is left behind.
func initialise(ctx context.Context, dir, get, put string) (setupCode string, err error) {
	dir = filepath.Clean(dir)
	if (get == "") != (put == "") {
		return "", usageError{errors.New("give both --secrets-get and --secrets-put, or neither")}
	}
	config := configTemplate
	if get != "" {
		if _, err := newCommandSecrets(get, put); err != nil {
			return "", usageError{fmt.Errorf("--secrets-get, --secrets-put: %w", err)}
		}
		config = append(slices.Clone(config), fmt.Sprintf("\nsecrets:\n  get: %q\n  put: %q\n", get, put)...)
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		return "", access.Errorf(access.Invalid, "%s is not empty", dir).WithHint("Name a new or empty folder; nothing was changed.")
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", usageError{fmt.Errorf("look into %s: %w", dir, err)}
	}
	half, err := os.MkdirTemp(filepath.Dir(dir), ".paravent-init-")
	if err != nil {
		return "", usageError{fmt.Errorf("make %s: %w", dir, err)}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(half))
		}
	}()
	for name, text := range map[string][]byte{
		"paravent.yaml": config, "policy.yaml": policy.DefaultYAML(), "default.cedar": policy.DefaultCedar(),
	} {
		if err := os.WriteFile(filepath.Join(half, name), text, 0o644); err != nil {
			return "", fmt.Errorf("write %s: %w", name, err)
		}
	}
	if err := source.Load(ctx, filepath.Join(half, "shop.db"), nil); err != nil {
		return "", fmt.Errorf("write example shop: %w", err)
	}
	if setupCode, err = makeFolder(ctx, &Config{Data: filepath.Join(half, "data"), Node: "n1", SecretsGet: get, SecretsPut: put}, realClock); err != nil {
		return "", err
	}
	// An empty folder makes room; one that has got something meanwhile stays.
	if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("move into place: %w", err)
	}
	if err := os.Rename(half, dir); err != nil {
		return "", fmt.Errorf("move into place: %w", err)
	}
	return setupCode, nil
}
