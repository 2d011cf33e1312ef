package policy_test

import (
	"testing"

	"paravent/internal/policy"
)

func TestTheDefaultPolicyLoads(t *testing.T) {
	if _, err := policy.Load("policy.yaml", policy.DefaultYAML(), "default.cedar", policy.DefaultCedar()); err != nil {
		t.Fatal(err)
	}
}

func TestTheDefaultPolicyHasNothingToWarnOf(t *testing.T) {
	for _, problem := range policy.Check("policy.yaml", policy.DefaultYAML(), "default.cedar", policy.DefaultCedar()) {
		t.Error(problem)
	}
}
