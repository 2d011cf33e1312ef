package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets scripts run this test binary as the command paravent, so that
// the program under test is the one that users get.
func TestMain(m *testing.M) {
	// The program takes every PARAVENT_ variable for a setting, and refuses one
	// that it doesn't know.
	if err := os.Unsetenv("PARAVENT_LONG"); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"paravent": main})
}

// TestScripts holds what users see of each subcommand, one script each.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("XDG_CONFIG_HOME", e.WorkDir+"/config")
			e.Setenv("TZ", "UTC")
			return nil
		},
	})
}

var wantsLong = os.Getenv("PARAVENT_LONG") == "1"

// long reports whether the long tests are asked for.
func long() bool { return wantsLong }
