package simulate

import "paravent/internal/access"

// cats is a set of categories, a bit each.
type cats uint8

const (
	identity cats = 1 << iota
	contact
	orders
	items
	payment
	delivery
	everything = identity | contact | orders | items | payment | delivery
)

var categoryNames = [...]access.Category{"identity", "contact", "orders", "order_items", "payment", "delivery"}

// categoryLists and categoryWords hold each set in its two written forms.
var categoryLists, categoryWords = func() (l [64][]access.Category, w [64]string) {
	for set := range cats(64) {
		for i, name := range categoryNames {
			if set&(1<<i) != 0 {
				l[set] = append(l[set], name)
				if w[set] != "" {
					w[set] += " "
				}
				w[set] += string(name)
			}
		}
	}
	return l, w
}()

// purpose is an index of purposes.
type purpose uint8

const (
	forDelivery purpose = iota
	forRefund
	forReturn
	forOrder
	forProduct
	forAccount
	forComplaint
	forPayment
	forInvoice
	forAddress
	forFraud
	forLegal
)

// purposes are those of the shipped policy, with the categories that a task of
// each needs. weight is how often customers come with it; about says whether
// such a task is about one order.
var purposes = [...]struct {
	name   access.Purpose
	needs  cats
	weight float64
	about  bool
	reason reason
}{
	forDelivery:  {"delivery", identity | contact | orders | delivery, 22, true, becauseDelivery},
	forRefund:    {"refund", identity | contact | orders | items | payment, 12, true, becauseRefund},
	forReturn:    {"return", identity | contact | orders | items | delivery, 13, true, becauseFollowUp},
	forOrder:     {"order", identity | contact | orders | items, 12, true, becauseOrder},
	forProduct:   {"product", identity | contact | orders | items, 7, true, becauseOrder},
	forAccount:   {"account", identity | contact, 7, false, becauseCalled},
	forComplaint: {"complaint", identity | contact | orders | items | delivery | payment, 7, true, becauseComplaint},
	forPayment:   {"payment", identity | contact | orders | payment, 7, true, becauseInvoice},
	forInvoice:   {"invoice", identity | contact | orders | payment, 6, true, becauseInvoice},
	forAddress:   {"address", identity | contact | delivery, 6, false, becauseAddress},
	forFraud:     {"fraud_review", identity | contact | orders | items | payment, 0, false, becauseFraud},
	forLegal:     {"legal_hold", everything, 0, false, becauseLegal},
}

// callerWeights are the weights of purposes, to draw from.
var callerWeights = func() (w []float64) {
	for _, p := range purposes {
		w = append(w, p.weight)
	}
	return w
}()

// reason is an index of reasons: what an employee typed when asked why.
type reason uint8

const (
	noReason reason = iota
	becauseCalled
	becauseTicket
	becauseData
	becauseFollowUp
	becauseDelivery
	becauseOrder
	becauseColleague
	becauseComplaint
	becauseAddress
	becauseCallback
	becauseInvoice
	becauseRefund
	becauseReport
	becauseFraud
	becauseTraining
	becauseRecall
	becauseQuality
	becauseCampaign
	becauseLegal
)

var reasons = [...]string{"", "customer called", "see ticket", "data check", "follow-up", "delivery question", "order question", "colleague asked", "complaint",
	"checking address", "callback", "invoice question", "refund check", "report", "fraud queue", "training", "product recall", "quality check", "campaign", "legal hold"}

// excuses are what people type who have no reason.
var excuses = [...]reason{noReason, noReason, noReason, becauseTicket, becauseData, becauseFollowUp, becauseDelivery, becauseOrder, becauseColleague, becauseAddress}

// channel is an index of channels.
type channel uint8

const (
	noChannel channel = iota
	byCall
	byMail
	byChat
	byForm
)

var channels = [...]string{"", "call", "mail", "chat", "form"}

// workKind is an index of workKinds.
type workKind uint8

const (
	workNote workKind = iota
	workReply
	workRefund
	workChange
	workTransfer
	workClose
)

var workKinds = [...]string{"note", "reply", "refund", "change", "transfer", "close"}

// result returns the work that a task of the purpose typically ends in.
func (p purpose) result(d dice) workKind {
	switch {
	case (p == forRefund || p == forReturn || p == forComplaint) && d.chance(0.6):
		return workRefund
	case (p == forAddress || p == forAccount) && d.chance(0.7):
		return workChange
	case d.chance(0.45):
		return workReply
	}
	return workNote
}
