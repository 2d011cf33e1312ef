package main

import "github.com/spf13/cobra"

// subcommands lists every subcommand. Offline ones read and write files only;
// the others start the server or are clients of a running one.
func subcommands(s streams) []*cobra.Command {
	return []*cobra.Command{}
}
