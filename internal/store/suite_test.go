package store_test

import (
	"testing"

	"paravent/internal/store"
	"paravent/internal/testenv"
)

// openFunc opens the store that lives in dir, making it where there is none.
type openFunc func(t *testing.T, dir string) *store.Store

// The suite is what a store has to be. It runs on every database that the
// product supports.
func TestSuiteOnSQLite(t *testing.T) {
	runSuite(t, func(t *testing.T, dir string) *store.Store {
		t.Helper()
		s, err := store.Open(t.Context(), dir, testenv.NewClock(testenv.Start).Now)
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		return s
	})
}

// runSuite runs every case on a store of its own.
func runSuite(t *testing.T, open openFunc) {
	cases := map[string]func(t *testing.T, s *store.Store){
		"ids that differ in case are different":                  caseMatters,
		"ids that look alike are different":                      normalizationMatters,
		"text is kept as it was given":                           textIsKept,
		"text with NUL or broken UTF-8 is refused whole":         badTextIsRefused,
		"times are kept to the microsecond, in UTC":              timesAreKept,
		"what isn't known stays not known":                       unknownStaysUnknown,
		"lists come in their order":                              listsAreOrdered,
		"what isn't there is not found":                          absentIsNotFound,
		"many write at once and nothing is lost":                 writersTakeTurns,
		"a person keeps her first key":                           keysAreKept,
		"thousands of keys are made at once":                     manyKeys,
		"of two who decide at once one gets a conflict":          decisionsDontDouble,
		"a request that lapsed can't be decided":                 lapsedIsOver,
		"asking twice waits once":                                askingTwice,
		"a cancelled change changes nothing and blocks nobody":   cancelledChange,
		"a change that fails half way changes nothing":           failedChange,
		"a fact told twice is kept once":                         factsOnce,
		"a fact that comes to be true again is told again":       factsAgain,
		"a closing may come before its opening":                  closingFirst,
		"a task that opens again is open":                        reopened,
		"an assignment ends where it is said to end":             unassigned,
		"a connector can't confirm a task":                       noConfirmationByImport,
		"look-ups are no facts":                                  lookupsAreNoFacts,
		"the open tasks of an employee are his and his team's":   openTasks,
		"a task is confirmed once and never by its maker":        confirmTask,
		"a call in progress is his, incoming, and not too old":   callInProgress,
		"tries count as misses until they are settled":           triesCount,
		"misses at a customer are counted over all":              missesAtCustomer,
		"rows of the index replace those of the same number":     indexReplaces,
		"look-ups are counted by step and outcome":               lookupsAreCounted,
		"findings and checkpoint are saved together":             checkpointSaved,
		"qualifications are replaced by kind":                    qualificationsReplaced,
		"a person has one account":                               oneAccount,
		"the first account is the first one":                     firstAccount,
		"accounts are listed without their hashes":               accountsAreListed,
		"a changed account keeps neither sessions nor tokens":    changedAccount,
		"ended sessions stay ended":                              endedSessions,
		"a token is its owner's alone to revoke":                 revokeToken,
		"many purposes are told once each, and anew on a change": purposesTold,
	}
	for name, run := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, t.TempDir())
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
			run(t, s)
		})
	}
	t.Run("everything is there after the store is opened again", func(t *testing.T) { t.Parallel(); reopen(t, open) })
}
