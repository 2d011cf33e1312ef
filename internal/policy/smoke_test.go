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
