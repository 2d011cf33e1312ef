package investigate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"paravent/internal/access"
	"paravent/internal/lookup"
	"paravent/internal/policy"
)

// Book keeps the requests for a second person, for the one who asks: it is the
// lookup.Approvals of a look-up. Who decides uses Approvals.
type Book struct {
	requests Requests
	policy   *policy.Policy
}

// NewBook returns a Book over requests; how long a request waits and a yes
// holds is the policy's.
func NewBook(requests Requests, p *policy.Policy) *Book { return &Book{requests: requests, policy: p} }

// Ask returns the request that waits for a second person, the one that waits
// already where there is one.
func (b *Book) Ask(ctx context.Context, a lookup.Approval) (access.RequestID, error) {
	if a.Asker == "" || a.Task == "" || a.Customer == "" {
		return "", errors.New("ask for a second person: asker, task or customer is missing")
	}
	r, err := b.requests.SaveRequest(ctx, Request{
		ID: access.RequestID(strings.ToLower(rand.Text())), Kind: a.Kind, Asker: a.Asker, Task: a.Task, Customer: a.Customer,
		Purpose: a.Purpose, Why: a.Why, Said: a.Said, Final: a.Final, At: a.At,
		Until: a.At.Add(b.policy.SecondPerson().Waits), State: Waiting,
	})
	if err != nil {
		return "", fmt.Errorf("ask for a second person: %w", err)
	}
	return r.ID, nil
}

// Approved returns who agreed to this employee's look-up of this customer for
// this task, while that holds, and the reasons that he read when he did; "" when
// nobody did.
func (b *Book) Approved(ctx context.Context, e access.EmployeeID, t access.TaskID, c access.CustomerID, at time.Time) (by access.EmployeeID, why []policy.Reason, err error) {
	if e == "" || t == "" || c == "" { // an empty field of a Filter would choose everybody's
		return "", nil, nil
	}
	agreed, err := b.requests.Requests(ctx, Filter{
		Asker: e, Task: t, Customer: c, Kind: lookup.ApproveLookup, State: Confirmed, Limit: 1,
	})
	if err != nil {
		return "", nil, fmt.Errorf("find a second person's yes: %w", err)
	}
	for _, r := range agreed {
		holds := r.Asker == e && r.Task == t && r.Customer == c && r.Kind == lookup.ApproveLookup && r.State == Confirmed && !r.Final
		if holds && r.By != e && at.Before(r.DecidedAt.Add(b.policy.SecondPerson().Holds)) { // G8
			return r.By, r.Why, nil
		}
	}
	return "", nil, nil
}
