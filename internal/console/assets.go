package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"paravent/internal/access"
)

//go:embed assets
var assetFiles embed.FS

// assets are the embedded scripts, styles and pictures, each under an address
// that holds the hash of its content: it may be kept for ever, and a new
// version has a new address.
type assets struct {
	content map[string][]byte // by file name
	hash    map[string]string // by file name
}

func loadAssets() (assets, error) {
	a := assets{content: map[string][]byte{}, hash: map[string]string{}}
	entries, err := fs.ReadDir(assetFiles, "assets")
	if err != nil {
		return a, fmt.Errorf("load assets: %w", err)
	}
	for _, entry := range entries {
		name := entry.Name()
		content, err := fs.ReadFile(assetFiles, "assets/"+name)
		if err != nil {
			return a, fmt.Errorf("load asset %s: %w", name, err)
		}
		sum := sha256.Sum256(content)
		a.content[name], a.hash[name] = content, hex.EncodeToString(sum[:8])
	}
	return a, nil
}

// address returns where an asset is served; a template that names one which
// doesn't exist fails.
func (a assets) address(name string) (string, error) {
	hash, ok := a.hash[name]
	if !ok {
		return "", fmt.Errorf("no asset is named %q", name)
	}
	return "/assets/" + hash + "/" + name, nil
}

// serveAsset handles GET /assets/{hash}/{name}.
func (c *console) serveAsset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if hash, ok := c.assets.hash[name]; !ok || hash != r.PathValue("hash") {
		c.page(route{serve: func(*visit) error {
			return access.Errorf(access.NotFound, "There is no such file.")
		}})(w, r)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(c.assets.content[name]))
}
