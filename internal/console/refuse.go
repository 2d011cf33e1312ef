package console

import (
	"net/http"

	"paravent/internal/access"
)

// refusal is what a page says about something that isn't possible.
type refusal struct {
	Title     string
	Message   string
	Hint      string
	RequestID string
	Recorded  bool // the try is in the ledger, and the reader should know
	Home      string
}

// refuse turns an error into a page: the only place where one does. What isn't
// coded reads as one fixed sentence, and goes whole to the operator's log.
func (v *visit) refuse(err error) {
	status := statusOf(access.CodeOf(err))
	if status >= http.StatusInternalServerError {
		v.c.Log.ErrorContext(v.r.Context(), "page failed", "request_id", v.id, "path", v.r.Pattern, "error", err)
	}
	if v.answered {
		return // too late to say anything to the reader
	}
	if broken := v.show(status, "message", titleOf(access.CodeOf(err)), v.refusal(err)); broken != nil {
		v.c.Log.ErrorContext(v.r.Context(), "message not rendered", "request_id", v.id, "error", broken)
		message, hint := access.Public(err)
		v.send(http.StatusInternalServerError, "text/plain; charset=utf-8",
			[]byte(message+" "+hint+" Request id: "+v.id+"\n"))
	}
}

// refusal gathers what the reader may know of an error.
func (v *visit) refusal(err error) refusal {
	message, hint := access.Public(err)
	return refusal{Title: titleOf(access.CodeOf(err)), Message: message, Hint: hint, RequestID: v.id, Home: "/"}
}

// statusOf returns the HTTP status of a code.
func statusOf(code access.Code) int {
	switch code {
	case access.Unauthenticated:
		return http.StatusUnauthorized
	case access.Denied:
		return http.StatusForbidden
	case access.Invalid:
		return http.StatusBadRequest
	case access.NotFound:
		return http.StatusNotFound
	case access.Conflict:
		return http.StatusConflict
	case access.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// titleOf heads a refusal.
func titleOf(code access.Code) string {
	switch code {
	case access.Unauthenticated:
		return "Please sign in"
	case access.Denied:
		return "Not possible"
	case access.Invalid:
		return "That can't be understood"
	case access.NotFound:
		return "Nothing here"
	case access.Conflict:
		return "That has changed meanwhile"
	case access.Unavailable:
		return "Not possible at the moment"
	}
	return "Something went wrong"
}
