package main

import "github.com/spf13/cobra"

// subcommands lists every subcommand.
func subcommands(s streams) []*cobra.Command {
	return []*cobra.Command{
		// The server.
		newDemoCommand(s),
		newInitCommand(s),
		newServeCommand(s),

		// On a machine of another party.
		newWitnessCommand(s),

		// Clients of a running server, with a password.
		newSetupCommand(s),
		newPasswordCommand(s),
		newTokenCommand(s),

		// Clients of a running server, with the caller's own token.
		newAccountCommand(s),
		newEraseCommand(s),
		newImportCommand(s),
		newIngestCommand(s),
		newPolicyCommand(s), // its check is offline

		// Offline: files in, files out.
		newBenchCommand(s),
		newLedgerCommand(s),  // its evidence asks a running server
		newProtectCommand(s), // asks the database alone
		newReviewCommand(s),
		newSimulateCommand(s),
	}
}
