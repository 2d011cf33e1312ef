package access

import (
	"errors"
	"fmt"
)

// Code says what kind of mistake an Error is. A door turns it into its own
// protocol's answer; everything without a code is internal.
type Code string

// The codes. Anything else that goes wrong is Internal.
const (
	Unauthenticated Code = "unauthenticated" // nobody has proven who asks
	Denied          Code = "denied"          // known who asks; he may not
	Invalid         Code = "invalid"         // the request can't be understood
	NotFound        Code = "not_found"
	Conflict        Code = "conflict"    // it was true before; it no longer is
	Unavailable     Code = "unavailable" // can't be done now; may be tried again
	Internal        Code = "internal"
)

// Error is a mistake that its reader can do something about. Message and Hint
// are shown to the asker, so neither may carry a fact about a customer (G9);
// the wrapped error goes to the operator's log alone.
type Error struct {
	Code    Code
	Message string // one sentence: what isn't possible
	Hint    string // one sentence: what the asker can do; may be empty
	Err     error  // the cause, for the operator; may be nil
}

// Error returns the whole chain, for the operator.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error whose message is formatted from format and args.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// WithHint returns e with a hint for the asker.
func (e *Error) WithHint(hint string) *Error {
	e.Hint = hint
	return e
}

// Because returns e with its cause, which only the operator reads.
func (e *Error) Because(cause error) *Error {
	e.Err = cause
	return e
}

// CodeOf returns the code of the first Error in err's chain, Internal where
// there is none, and "" for a nil error.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}

// Public returns what the asker may read of err: the message and hint of a
// coded error, or one fixed sentence for an internal one.
func Public(err error) (message, hint string) {
	var e *Error
	if errors.As(err, &e) && e.Code != Internal {
		return e.Message, e.Hint
	}
	return "Something went wrong on our side. Nothing was shown.", "Try again; if it stays, give your administrator the request id."
}
