package protect

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"paravent/internal/access"
	"paravent/internal/policy"
)

// TokenLife is how long a standby's token holds at most.
const TokenLife = 60 * time.Second

// Querier is the gateway's own connection, or a pool of them, as paravent_gate.
type Querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// A Binder tells a protected database which grant a session of an employee
// holds. Any number of goroutines may use it where its Querier allows that.
type Binder struct {
	db     Querier
	policy *policy.Policy
	source string
	key    []byte
}

// NewBinder returns a Binder of a source that protect was applied to.
func NewBinder(ctx context.Context, db Querier, p *policy.Policy, source string) (*Binder, error) {
	b := &Binder{db: db, policy: p, source: source}
	if err := db.QueryRow(ctx, "SELECT paravent.token_key()").Scan(&b.key); err != nil {
		return nil, fmt.Errorf("bind grants in source %s: %w", source, err)
	}
	if len(b.key) != sha256.Size {
		return nil, fmt.Errorf("bind grants in source %s: the key of its tokens is %d bytes long", source, len(b.key))
	}
	return b, nil
}

const bindSQL = "SELECT paravent.bind($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"

// Bind lets the session with this process id, which has said paravent.hello, see
// what the grant shows until it ends (G1, G2), in place of what it saw before.
// It is done when it returns. An access.Invalid error: the grant isn't whole; an
// access.NotFound error: no such session.
func (b *Binder) Bind(ctx context.Context, pid uint32, g access.Grant) error {
	if err := whole(g); err != nil {
		return err
	}
	_, err := b.db.Exec(ctx, bindSQL, int64(pid), g.ID, string(g.Purpose), string(g.Customer), texts(g.Categories), string(g.Reach),
		orNull(string(g.Order)), recentFrom(g), folded(g.Sensitive), b.changes(g), g.Until)
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "08003" {
		return access.Errorf(access.NotFound, "The session has ended.").Because(err)
	}
	if err != nil {
		return fmt.Errorf("bind a grant: %w", err)
	}
	return nil
}

// Release takes the session's grant away. A cursor that it has opened may still
// yield what it held, so the gateway drops the session, too.
func (b *Binder) Release(ctx context.Context, pid uint32) error {
	if _, err := b.db.Exec(ctx, "SELECT paravent.release($1)", int64(pid)); err != nil {
		return fmt.Errorf("release a grant: %w", err)
	}
	return nil
}

// said is what a token says; see paravent.from_token. Times are microseconds
// since 1970.
type said struct {
	PID        int64    `json:"pid"`
	Start      int64    `json:"start"`
	System     string   `json:"system"`
	Grant      string   `json:"grant"`
	Purpose    string   `json:"purpose"`
	Customer   string   `json:"customer"`
	Categories []string `json:"categories"`
	Reach      string   `json:"reach"`
	Order      *string  `json:"order"`
	RecentFrom *int64   `json:"recent_from"`
	Sensitive  []string `json:"sensitive"`
	Expires    int64    `json:"expires"`
}

// Token returns what a session on a standby shows for itself: the setting
// paravent.token, to be set anew before each statement. session is what
// paravent.hello returned there. The token ends with the grant, and after
// TokenLife at the latest. HMAC-SHA-256 (RFC 2104), in hexadecimal, a dot, and
// what it is over.
func (b *Binder) Token(session string, g access.Grant, now time.Time) (string, error) {
	if err := whole(g); err != nil {
		return "", err
	}
	parts := strings.Split(session, "/")
	if len(parts) != 3 {
		return "", access.Errorf(access.Invalid, "The session isn't one of a standby.")
	}
	pid, err1 := strconv.ParseInt(parts[0], 10, 32)
	start, err2 := strconv.ParseInt(parts[1], 10, 64)
	if err := errors.Join(err1, err2); err != nil {
		return "", access.Errorf(access.Invalid, "The session isn't one of a standby.").Because(err)
	}
	until := now.Add(TokenLife)
	if g.Until.Before(until) {
		until = g.Until
	}
	s := said{PID: pid, Start: start, System: parts[2], Grant: g.ID, Purpose: string(g.Purpose), Customer: string(g.Customer), Categories: texts(g.Categories),
		Reach: string(g.Reach), Order: orNull(string(g.Order)), Sensitive: folded(g.Sensitive), Expires: until.UnixMicro()}
	if from := recentFrom(g); from != nil {
		us := from.UnixMicro()
		s.RecentFrom = &us
	}
	text, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("make a token: %w", err)
	}
	mac := hmac.New(sha256.New, b.key)
	mac.Write(text)
	return hex.EncodeToString(mac.Sum(nil)) + "." + string(text), nil
}

// changes are the columns, "table.column", that the grant's purpose may change.
func (b *Binder) changes(g access.Grant) []string {
	out := []string{}
	u, _ := b.policy.Purpose(g.Purpose)
	for _, c := range u.Changes {
		if c.Source == b.source {
			out = append(out, c.Table+"."+c.Column)
		}
	}
	return out
}

func whole(g access.Grant) error {
	switch {
	case g.Customer == "":
		return access.Errorf(access.Invalid, "The grant names no customer.")
	case g.Until.IsZero():
		return access.Errorf(access.Invalid, "The grant has no end.")
	case !slices.Contains([]access.Reach{access.ReachRecord, access.ReachRecent, access.ReachAll}, g.Reach):
		return access.Errorf(access.Invalid, "The grant's reach isn't known.")
	}
	return nil
}

func texts(all []access.Category) []string {
	out := make([]string, len(all))
	for i, c := range all {
		out[i] = string(c)
	}
	return out
}

// folded makes names of goods comparable, as the views do.
func folded(goods []string) []string {
	out := make([]string, len(goods))
	for i, g := range goods {
		out[i] = strings.ToLower(strings.TrimSpace(g))
	}
	return out
}

func recentFrom(g access.Grant) *time.Time {
	if g.Reach != access.ReachRecent {
		return nil
	}
	from := g.Since.Add(-g.Recent)
	return &from
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
