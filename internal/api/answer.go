package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"

	"paravent/internal/access"
	"paravent/internal/lookup"
)

// failure is the body of every error.
type failure struct {
	Error struct {
		Code      access.Code      `json:"code"`
		Message   string           `json:"message"`
		Hint      string           `json:"hint,omitempty"`
		Waiting   access.RequestID `json:"waiting_request,omitempty"` // the request that now waits for a second person
		RequestID string           `json:"request_id"`
	} `json:"error"`
}

// statuses are the HTTP statuses of the codes.
var statuses = map[access.Code]int{
	access.Unauthenticated: http.StatusUnauthorized,
	access.Denied:          http.StatusForbidden,
	access.Invalid:         http.StatusBadRequest,
	access.NotFound:        http.StatusNotFound,
	access.Conflict:        http.StatusConflict,
	access.Unavailable:     http.StatusServiceUnavailable,
	access.Internal:        http.StatusInternalServerError,
}

// fail writes an error: to the asker what concerns him, to the log what the
// operator needs.
func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	code := access.CodeOf(err)
	var f failure
	f.Error.Code = code
	f.Error.Message, f.Error.Hint = access.Public(err)
	f.Error.RequestID = label(r.Context())
	var waits *lookup.Pending
	if errors.As(err, &waits) {
		f.Error.Waiting = waits.Request
	}
	status, ok := statuses[code]
	if !ok {
		status = http.StatusInternalServerError
	}
	switch code {
	case access.Unauthenticated:
		w.Header().Set("WWW-Authenticate", `Bearer realm="paravent"`)
	case access.Unavailable:
		w.Header().Set("Retry-After", "5")
		a.Log.ErrorContext(r.Context(), "request unavailable", "request_id", f.Error.RequestID, "route", r.Pattern, "error", err)
	case access.Internal:
		a.Log.ErrorContext(r.Context(), "request failed", "request_id", f.Error.RequestID, "route", r.Pattern, "error", err)
	}
	a.write(w, r, status, f)
}

// write writes an answer as JSON, whole or not at all.
func (a *api) write(w http.ResponseWriter, r *http.Request, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		a.Log.ErrorContext(r.Context(), "answer can't be encoded", "request_id", label(r.Context()), "route", r.Pattern)
		status, text = http.StatusInternalServerError, []byte(`{"error":{"code":"internal"}}`)
	}
	text = append(text, '\n')
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	if _, err := w.Write(text); err != nil {
		a.Log.InfoContext(r.Context(), "asker went away", "request_id", label(r.Context()), "route", r.Pattern)
	}
}

// read decodes a JSON body into into, strictly: one value, no unknown field.
func read(r *http.Request, into any) error {
	if !isJSON(r) {
		return access.Errorf(access.Invalid, "The body must be JSON.").WithHint("Send the header Content-Type: application/json.")
	}
	return decode(r.Body, into, true)
}

// decode decodes exactly one value that says nothing twice; whole: one with no
// unknown field. Its errors don't repeat what was sent.
func decode(body io.Reader, into any, whole bool) error {
	text, err := unambiguous(body)
	if err == nil {
		d := json.NewDecoder(bytes.NewReader(text))
		if whole {
			d.DisallowUnknownFields()
		}
		if err = d.Decode(into); err == nil && d.More() {
			err = errors.New("more than one value")
		}
	}
	if err == nil {
		return nil
	}
	return access.Errorf(access.Invalid, "The request can't be understood.").
		WithHint("Send one JSON object with the fields of this route and no others.")
}

// isJSON reports whether the request says that its body is JSON.
func isJSON(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == "application/json"
}

// handleNothing handles every path that is no route.
func (a *api) handleNothing(w http.ResponseWriter, r *http.Request) {
	a.fail(w, r, access.Errorf(access.NotFound, "There is nothing here for this method and path."))
}
