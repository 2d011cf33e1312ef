package audit

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// Handler serves what is published of a ledger, read only, in the form of C2SP
// tlog-tiles: checkpoint, tile/<L>/<N>, tile/entries/<N>, and public.key beside
// them. It names nobody, and serves nothing that isn't durable. Who may read is
// decided before it: public says that everyone may, so that caches between may
// keep the answers for others. Entries are read from the journal, for it holds
// the leaves already.
func Handler(p *Publisher, public bool) http.Handler {
	h := &handler{p: p, scope: scopeOf(public)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /checkpoint", h.checkpoint)
	mux.HandleFunc("GET /public.key", h.key)
	mux.HandleFunc("GET /tile/entries/{place...}", h.entries)
	mux.HandleFunc("GET /tile/{place...}", h.tile)
	return mux
}

// scopeOf says who may keep an answer.
func scopeOf(public bool) string {
	if public {
		return "public"
	}
	return "private"
}

type handler struct {
	p     *Publisher
	scope string // "public" or "private", for caches
}

// checkpoint serves GET /checkpoint.
func (h *handler) checkpoint(w http.ResponseWriter, _ *http.Request) {
	msg, err := h.p.Published()
	if err != nil || msg == nil {
		http.Error(w, "no checkpoint is published yet", http.StatusNotFound)
		return
	}
	h.serve(w, "text/plain; charset=utf-8", "max-age=1", msg)
}

// key serves GET /public.key, for readers who trust what they meet first.
func (h *handler) key(w http.ResponseWriter, _ *http.Request) {
	v := verifier{h.p.log.Origin(), h.p.log.Public()}
	h.serve(w, "text/plain; charset=utf-8", "max-age=60", []byte(v.String()+"\n"))
}

// tile serves GET /tile/<L>/<N>[.p/<W>].
func (h *handler) tile(w http.ResponseWriter, r *http.Request) {
	id, ok := parsePlace(r.PathValue("place"))
	if !ok || !h.reached(id) {
		http.NotFound(w, r)
		return
	}
	data, err := h.p.tile(id)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	h.serve(w, "application/octet-stream", "max-age=31536000, immutable", data)
}

// entries serves GET /tile/entries/<N>[.p/<W>].
func (h *handler) entries(w http.ResponseWriter, r *http.Request) {
	id, ok := parsePlace("0/" + r.PathValue("place"))
	if !ok || !h.reached(id) {
		http.NotFound(w, r)
		return
	}
	data, err := h.p.bundle(r.Context(), id)
	if err != nil {
		http.Error(w, "the journal can't be read here", http.StatusInternalServerError)
		return
	}
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(data); err == nil && z.Close() == nil {
			data = b.Bytes()
			w.Header().Set("Content-Encoding", "gzip")
		}
	}
	w.Header().Set("Vary", "Accept-Encoding")
	h.serve(w, "application/octet-stream", "max-age=31536000, immutable", data)
}

func (h *handler) serve(w http.ResponseWriter, contentType, cache string, data []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", h.scope+", "+cache)
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	// A client that went away is no error of ours.
	if _, err := w.Write(data); err != nil {
		return
	}
}

// reached says whether the tree, as far as it's built, has the whole tile.
func (h *handler) reached(id tileID) bool {
	return id.n < 1<<48 && (id.n*tileWidth+uint64(id.width))<<(tileHeight*id.level) <= h.p.Tiled()
}

// parsePlace reads "<L>/<N>[.p/<W>]" in its one form.
func parsePlace(place string) (tileID, bool) {
	t, err := tlog.ParseTilePath(fmt.Sprintf("tile/%d/%s", tileHeight, place))
	if err != nil || t.L < 0 || t.L > maxLevel || t.N < 0 || t.W < 1 {
		return tileID{}, false
	}
	return idOf(t), true
}

// bundle returns the entry bundle of a tile of level 0: each leaf behind its
// length, two bytes, big endian.
func (p *Publisher) bundle(ctx context.Context, id tileID) ([]byte, error) {
	var b []byte
	n := 0
	for r, err := range p.log.Leaves(ctx, id.n*tileWidth) {
		if err != nil {
			return nil, err
		}
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(r.Leaf))), r.Leaf...)
		if n++; n == id.width {
			return b, nil
		}
	}
	return nil, errors.New("the journal is shorter than its tiles")
}

// Bounds, in bytes: of one leaf, and of a bundle of 256, of which only a log's
// first is as long as that, for it says which log this one follows.
const (
	maxEntry   = 36 << 10
	maxEntries = maxEntry + tileWidth*2048
)

// parseBundle reads an entry bundle of count leaves, which point into b.
func parseBundle(b []byte, count int) ([][]byte, error) {
	leaves := make([][]byte, 0, count)
	for len(b) > 0 {
		n := 0
		if len(b) >= 2 {
			n = int(binary.BigEndian.Uint16(b))
		}
		if n == 0 || n > maxEntry || len(b) < 2+n || len(leaves) == count {
			return leaves, fmt.Errorf("entry %d of the bundle is malformed", len(leaves))
		}
		leaves, b = append(leaves, b[2:2+n]), b[2+n:]
	}
	if len(leaves) != count {
		return leaves, fmt.Errorf("the bundle has %d entries, not %d", len(leaves), count)
	}
	return leaves, nil
}
