package identity

import (
	"context"
	"strings"

	"paravent/internal/access"
)

// What a session's name begins with.
const (
	signInSession = "session:"
	tokenSession  = "token:"
	certSession   = "cert:"
	behalfSession = "behalf:"
)

// Lasts returns nil while w still proves who he is: his account is open, he
// works here, and the session, token or certificate that proves him has
// neither ended nor been revoked; where a tool acts for him, the tool's too. It
// is access.Unauthenticated afterwards. Who serves somebody for longer than one
// request asks again and again.
func (s *Service) Lasts(ctx context.Context, w Who) error {
	now := s.now()
	if !w.proven || !w.until.IsZero() && !now.Before(w.until) {
		return errUnproven(nil)
	}
	known := ""
	for _, r := range w.rests {
		if r.login == "" {
			continue
		}
		if r.login != known { // both rests of one person: his account is asked about once
			a, _, err := s.prove(ctx, r.login)
			if err != nil {
				return err
			}
			if a.MustChange {
				return errUnproven(nil)
			}
			known = r.login
		}
		if strings.HasPrefix(string(r.id), certSession) {
			continue // ends with Until; nobody revokes it but with its account
		}
		lasts, err := s.store.SessionLasts(ctx, r.login, r.id, now)
		if err != nil {
			return err
		}
		if !lasts {
			return errUnproven(access.Errorf(access.Denied, "what proved him has ended"))
		}
	}
	return nil
}
