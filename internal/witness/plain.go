package witness

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
)

// worded is an error whose text is for everyone as it stands.
type worded struct{ error }

func (w worded) Unwrap() error { return w.error }

// plain says in words for a page why a witness hasn't cosigned; "" without an
// error.
func plain(err error) string {
	var refused *RefusedError
	var conflict *ConflictError
	var certificate *tls.CertificateVerificationError
	var network net.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, new(accusation)), errors.As(err, new(stranger)), errors.As(err, new(worded)):
		return err.Error()
	case errors.As(err, new(unproven)):
		return "it could not be asked: this server could not " + err.Error()
	case errors.As(err, &conflict):
		return "it names another size each time it's asked: " + conflict.Error()
	case errors.As(err, &refused):
		return refusedWords(refused)
	case errors.As(err, &certificate):
		return "it can't be asked: its TLS certificate is not trusted here"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return fmt.Sprintf("it did not answer within %s", askWithin)
	}
	return "it can't be reached"
}

// refusedWords says what an answer that is no cosignature means.
func refusedWords(e *RefusedError) string {
	switch {
	case e.Status == http.StatusForbidden:
		return "it knows the log by another key, or does not accept its signature; it said " + e.Said
	case e.Status == http.StatusTooManyRequests:
		return "it was asked too often, and will be asked again"
	case e.Status >= 500:
		return fmt.Sprintf("something is wrong at the witness itself (%d); it said %s", e.Status, e.Said)
	}
	return fmt.Sprintf("it refused (%d %s); it said %s", e.Status, http.StatusText(e.Status), e.Said)
}
