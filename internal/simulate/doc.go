// Package simulate makes up a mail-order shop: its customers and what they
// bought, its staff with shifts and absences, and the days on which they work
// and some of them snoop. It feeds the demo, the benchmarks and the beds on
// which detection is measured.
//
// Everything is a pure function of [Options]: the same options give the same
// bytes on every machine. Nothing here reads a clock, a file or a map's order.
// Times are whole seconds UTC in a history and finer in [Live].
//
// # Nobody is meant
//
// Surnames, streets and towns are put together from syllables; a likeness to a
// real name is chance. What could reach or pay somebody is taken from ranges
// that nobody holds, and still passes the usual checks of form:
//
//   - e-mail: under example.org, example.net and example.com (RFC 2606);
//   - telephone: the ranges that the German Bundesnetzagentur keeps for film
//     and television (such as 030 23125 000 to 999);
//   - IBAN: country ZZ, which ISO 3166-1 leaves to users and no bank can have,
//     with right check digits (ISO 13616);
//   - card: sixteen digits that begin with 9999 (ISO/IEC 7812: 9 is for national
//     use and 999 is no country), with a right Luhn digit;
//   - postcode: 00001 to 00999, which the German post has not given out.
//
// # Honest work
//
// A customer calls, writes or fills in a form, or a system finds a problem; a
// task is opened and assigned to a team, then to an employee; he looks up what
// the purpose needs, in one visit with several rows; he works, and closes it,
// or hands it over, calls back, and comes back to it another day. Besides:
// wrong-name hits, helping a colleague, quality sampling, a fraud queue, a bot,
// a training account. Honest look-ups that resemble snooping are labelled N1 to
// N14 with Benign set:
//
//	N1  a person in the public eye really calls    N8  legal case, one person many times
//	N2  product recall, one employee, many         N9  task honestly taken up again
//	N3  regular customer, always the same employee N10 night shift
//	N4  walk-up without a contact                  N11 own tie, honestly served
//	N5  day on which the telephone recorded nothing N12 campaign list exported
//	N6  new colleague shadowing                    N13 wholesale customer, many orders
//	N7  same surname by chance                     N14 mail desk serves a walk-up alone
//
// # Snooping
//
// Each episode has a number that its labels share.
//
//	S1  somebody in the news: a crowd looks        S10 mass export before leaving
//	S2  former partner, over weeks                 S11 running through customer numbers
//	S3  family, same household, neighbour          S12 security staff on people in the public eye
//	S4  coworker who is a customer                 S13 team lead under the pretext of quality checks
//	S5  own account                                S14 low and slow: a stranger every few days
//	S6  pretext: opens a task, looks, closes it    S15 borrowed session: another's login, own device
//	S7  helpers: two open tasks for each other     S16 everyone does it: a large share of the staff
//	S8  stale: an old closed task is used again        at one customer, each now and then
//	S9  scope: valid task, looks far beyond it     S17 knows the rules: fills in the customer's web
//	                                                   form himself and works the task it makes
//
// S16 happens only where [Options.Everyone] asks for it; then each of these
// employees also snoops on his own account (S2 to S9).
//
// # Size
//
// [Shop.Stream] makes one day after the other and holds the tasks that are
// under way, so that memory grows with customers, orders and the staff of one
// day, not with the number of look-ups.
package simulate
