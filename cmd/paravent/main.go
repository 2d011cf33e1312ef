// Command paravent stands between a company's employees and its customers'
// records. This package holds flags, configuration and wiring, one file for
// each subcommand; everything that decides lives under internal.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), endings()...)
	code := run(ctx, os.Args[1:], streams{
		in: os.Stdin, out: os.Stdout, err: os.Stderr,
		terminal: term.IsTerminal(int(os.Stderr.Fd())),
	})
	stop()
	os.Exit(code)
}

// endings are the signals that end the program in good order: Ctrl-C, a service
// manager's, and the closing of the terminal, unless nohup has it ignored.
func endings() []os.Signal {
	all := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		all = append(all, syscall.SIGHUP)
	}
	return all
}

// streams are what a subcommand reads from and writes to.
type streams struct {
	in       io.Reader
	out, err io.Writer
	terminal bool // err is a terminal: progress may be drawn in place
}

// exit is an error that has been told to the user already, or needs no
// telling, and only sets the exit code.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// run executes one command line and returns the process's exit code: 0 done,
// 1 failed, 2 the request, configuration or policy was wrong and nothing was
// changed, 130 interrupted.
func run(ctx context.Context, args []string, s streams) int {
	root := newRootCommand(s)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var code exit
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(s.err, "paravent: interrupted")
		return 130
	}
	report(s.err, err)
	return codeFor(err)
}
