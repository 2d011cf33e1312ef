// Package investigate is what follows a look-up: the second person who agrees
// (Approvals), and the follower of the journal that holds each look-up against
// the facts of the business (Follower) and raises what nothing explains.
//
// It discloses nothing: whatever somebody is shown or does here is recorded by
// lookup.Service.Act before (G7), and nobody decides about himself (G8).
package investigate
