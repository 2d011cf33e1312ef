package detect

// The weights of reasons. A finding's score is 1 − e^(−sum): a sum of 1 is
// 0.63, 1.5 is 0.78, 2 is 0.86, 3 is 0.95. A weight says how much more likely
// the reason is where somebody looked for himself than where he looked for
// work, roughly as half the natural logarithm of that ratio. They are few, round,
// written by people, and none falls because many colleagues do the same. Those
// of ties and of the moment are multiplied by how far the look-ups stay
// unexplained, so that a good explanation takes the weight out of a tie as well.
const (
	defaultThreshold = 0.78 // a sum of a little over 1.5

	searchHit = 0.25 // a name in a result list was shown, not opened

	// One employee at one customer.
	weightOpen      = 0.5  // nothing explains it
	weightNoCase    = 0.3  // nobody works on anything for her
	weightDormant   = 0.6  // named a task long closed
	weightDeep      = 0.3  // went on to orders, goods, payments, deliveries
	weightDays      = 0.7  // each doubling of the days on which it stays open
	weightSameDay   = 0.2  // each further visit on one day
	weightSelf      = 2.0  // own account
	weightDeclared  = 1.5  // family, former partner, neighbour
	weightHousehold = 1.5  // same address
	weightColleague = 0.9  // coworker of the same team, or a declared one
	weightCoworker  = 0.3  // any other employee's account
	weightSurname   = 0.8  // the same surname, less the more customers bear it
	weightHome      = 0.9  // the household of a customer whom he had just served
	weightNotable   = 0.6  // in the public eye
	weightNews      = 0.8  // in the news within three days
	weightOrder     = 0.3  // ordered within the day before
	weightLeaving   = 0.2  // leaves within a month
	weightMoved     = 0.45 // device or site changed within the session

	// Scope: orders opened that show what the task's purpose doesn't need.
	weightBeyond = 0.3 // each such order
	weightOrders = 0.2 // each different order in one visit beyond the third

	// Own word: a task that only the employee stands behind.
	weightOwn     = 0.1
	weightSeldom  = 0.4 // he opens hardly any tasks
	weightChannel = 0.4 // a mail or chat that no server saw

	// Many employees, many customers.
	weightCrowd       = 0.6  // each doubling over what is usual for the customer
	weightVolume      = 0.35 // each doubling over the employee's own past
	weightEnumeration = 0.8  // each doubling of steps from number to number
	weightExport      = 0.3  // exported
	weightLeavingRun  = 1.0  // leaves within a month
	weightEachOther   = 1.0  // each doubling of favours returned
	weightNotables    = 1.0  // each doubling of people in the public eye

	// Past Paravent. There is no honest way by which it happens.
	weightOffPath      = 3.0
	weightOffPathAgain = 0.3 // more than one statement
)
