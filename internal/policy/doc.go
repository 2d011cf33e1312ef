// Package policy decides. It reads the company's policy (policy.yaml: which
// column holds which category of data, which purpose needs which categories;
// and a Cedar file: the conditions), and Decide turns the facts about one
// look-up into a decision with every reason.
//
// It is pure: no file is opened, no clock read, nothing remembered between two
// decisions. Whoever asks brings the facts; whoever reads data (package source)
// takes the grant and the data map from here.
//
// Three things stand between a fact and an allowed look-up:
//
//   - the rules of the Cedar file, each evaluated by itself, so that every
//     reason is known even when the first one already forbids;
//   - the floor: G1 and G2 written once more in Go. A Cedar file can make a
//     decision stricter than the floor, never looser;
//   - the answer: what the asker hears is chosen by the class of the rule
//     (@asker), in an order in which a fact about a customer can only ever
//     lead to one sentence (G9). The loader refuses a rule whose class would
//     tell more than that.
package policy
