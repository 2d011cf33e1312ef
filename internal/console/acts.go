package console

import (
	"errors"
	"fmt"
	"sync"

	"paravent/internal/access"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
)

// What people do on the pages, as the records name it.
const (
	actPageRefused  = "page_refused"  // a page that isn't for his role; About: its route
	actOpenTask     = "open_task"     // About: the task
	actOpenRequest  = "open_request"  // About: the request
	actOpenErasure  = "open_erasure"  // the same, of an erasure
	actOpenChange   = "open_change"   // the same, of a change of the ledger
	actOpenFindings = "open_findings" // the list
	actOpenSamples  = "open_samples"  // the list
	actOpenFinding  = "open_finding"  // About: the finding or sample
	actWhoLooked    = "who_looked"    // who looked at a customer

	actListAccounts   = "list_accounts"   // the list
	actAddAccount     = "add_account"     // About: the login; Employee or Customer: whose it is, here and below
	actResetPassword  = "reset_password"  // About: the login
	actCloseAccount   = "close_account"   // About: the login
	actOpenAccount    = "open_account"    // About: the login
	actAccountRefused = "account_refused" // About: the change that was refused
	actChangePassword = "change_password" // his own; About: the login
	actRevokeToken    = "revoke_token"    // his own
)

// actTitle is an act in the words of the pages.
func actTitle(name string) string {
	switch name {
	case actPageRefused:
		return "Tried a page of another role"
	case actOpenTask:
		return "Opened a task"
	case actOpenRequest:
		return "Read a request for a second person"
	case actOpenErasure:
		return "Read a request for an erasure"
	case actOpenChange:
		return "Read a request to change the ledger"
	case "ask_ledger_rotation":
		return "Asked for a rotation of the ledger"
	case "ask_ledger_drop":
		return "Asked for a log of the ledger to be dropped"
	case "ask_ledger_rotation_refused", "ask_ledger_drop_refused":
		return "Asked for a change of the ledger that isn’t possible"
	case "agree_ledger_rotation":
		return "Agreed to a rotation of the ledger"
	case "agree_ledger_drop":
		return "Agreed that a log of the ledger is dropped"
	case "decline_ledger_rotation", "decline_ledger_drop":
		return "Declined a change of the ledger"
	case "decide_refused_ledger_rotation", "decide_refused_ledger_drop":
		return "Tried to decide a change of the ledger that isn’t his to decide"
	case "list_ledger_changes":
		return "Read what was asked of the ledger"
	case "list_requests":
		return "Read which requests wait"
	case "ask_erasure":
		return "Asked for an erasure"
	case "ask_erasure_refused":
		return "Asked for an erasure that isn’t possible"
	case "list_erasures":
		return "Read the list of erasures"
	case actOpenFindings:
		return "Read the list of findings"
	case actOpenSamples:
		return "Read the list of samples"
	case actOpenFinding:
		return "Opened a finding"
	case actWhoLooked:
		return "Asked who looked"
	case actListAccounts:
		return "Read the list of accounts"
	case actAddAccount:
		return "Made an account"
	case actResetPassword:
		return "Gave out a new first password"
	case actCloseAccount:
		return "Closed an account"
	case actOpenAccount:
		return "Opened an account again"
	case actAccountRefused:
		return "Tried to change an account that isn’t his to change"
	case actChangePassword:
		return "Changed the own password"
	}
	return words(name) // an act of another package, such as agree or lift_lock
}

// actTitleForHer is an act in the words of the page that a customer reads about
// herself.
func actTitleForHer(name string) string {
	switch name {
	case actWhoLooked:
		return "Checked who looked at your data"
	case actOpenFinding:
		return "Reviewed look-ups of your data"
	case actOpenRequest:
		return "Was asked whether a colleague may look"
	case actAddAccount:
		return "Made an account for you"
	case actResetPassword:
		return "Gave out a new first password for your account"
	case actCloseAccount:
		return "Closed your account"
	case actOpenAccount:
		return "Opened your account again"
	case "ask_erasure", "ask_erasure_refused":
		return "Asked for your data to be erased"
	case actOpenErasure:
		return "Was asked whether your data may be erased"
	case "decline_erasure":
		return "Declined that your data are erased"
	case "agree":
		return "Agreed that a colleague may look"
	case "decline":
		return "Declined that a colleague may look"
	}
	return actTitle(name)
}

// recorded is the line that tells a reader as what his act is in the ledger.
type recorded struct {
	What     string // such as "This look-up"
	Before   string // such as "before it was shown"
	Number   uint64
	Node     string
	Hash     string // hexadecimal
	Short    string
	TreeSize uint64
	Root     string
}

func newRecorded(what, before string, r ledger.Receipt) recorded {
	hash := fmt.Sprintf("%x", r.Hash)
	return recorded{What: what, Before: before, Number: r.Number, Node: r.Node, Hash: hash, Short: hash[:8],
		TreeSize: r.Head.Size, Root: fmt.Sprintf("%x", r.Head.Root)}
}

// act records what the visitor is about to be shown. G7: with an error there is
// no page, whoever he is.
func (v *visit) act(a lookup.Act) (ledger.Receipt, error) {
	a.Door = lookup.DoorConsole
	receipt, err := v.c.Lookups.Act(v.r.Context(), v.in.Who, a)
	if err != nil {
		return receipt, fmt.Errorf("record %s: %w", a.Name, err)
	}
	return receipt, nil
}

// actAbout records one act once for each customer, so that each of them can be
// told of it, and once in all where there are none. It returns the first receipt.
func (v *visit) actAbout(a lookup.Act, about []access.CustomerID) (ledger.Receipt, error) {
	if len(about) == 0 {
		return v.act(a)
	}
	const atOnce = 16 // enough that many share one sync of the ledger
	receipts, errs := make([]ledger.Receipt, len(about)), make([]error, len(about))
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i, customer := range about {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			one := a
			one.Customer = customer
			receipts[i], errs[i] = v.act(one)
		})
	}
	all.Wait()
	return receipts[0], errors.Join(errs...)
}
