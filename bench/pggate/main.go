// Command pggate measures the SQL door beside PgBouncer and beside PostgreSQL
// itself, in turns, and prints ratios of what ran side by side.
//
//	cd bench/pggate && go run . [-quick]
//
// It starts everything itself and leaves nothing: two PostgreSQL 15 with the same
// data, one of them with pgaudit, a PgBouncer in session mode before each, and two
// gates in this process, one that records nothing ("relay") and one with the
// product's own lookup.Statements on a real ledger ("durable"). PostgreSQL and
// PgBouncer run as postgres or nobody, never as root.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	_ "net/http/pprof" // -pprof
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	quick   bool
	rounds  int
	each    time.Duration // one cell of one round
	scale   int           // of pgbench: 100,000 accounts each
	shop    float64       // of 100,000 customers, 1 million orders, 3 million items
	clients []int
	only    string // cells, comma-separated; empty: all
	pprof   string
	dir     string
	loops   bool
}

func main() {
	o, err := parse()
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		err = run(ctx, o)
		stop()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pggate:", err)
		os.Exit(1)
	}
}

func parse() (options, error) {
	var o options
	var clients string
	flag.BoolVar(&o.quick, "quick", false, "3 rounds of 1 s on a tenth of the shop: about two minutes")
	flag.IntVar(&o.rounds, "rounds", 11, "rounds; in each, every cell has its turn")
	flag.DurationVar(&o.each, "each", 2*time.Second, "how long one cell runs in a round (whole seconds)")
	flag.IntVar(&o.scale, "scale", 10, "pgbench's scale")
	flag.Float64Var(&o.shop, "shop", 1, "size of the shop; 1: 100k customers, 1M orders, 3M items")
	flag.StringVar(&clients, "clients", "1,8,32", "numbers of clients")
	flag.StringVar(&o.only, "only", "", "cells to run, comma-separated, such as select/relay,join/durable")
	flag.StringVar(&o.pprof, "pprof", "", "address at which net/http/pprof shows this process, gates included")
	flag.StringVar(&o.dir, "dir", "", "folder to work in; a temporary one by default. The ledger's disk matters")
	flag.BoolVar(&o.loops, "loops", true, "let the gates serve by a loop; false: by goroutines")
	flag.Parse()
	if o.quick {
		given := map[string]bool{}
		flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
		if !given["rounds"] {
			o.rounds = 3
		}
		if !given["each"] {
			o.each = time.Second
		}
		if !given["shop"] {
			o.shop = 0.1
		}
	}
	for word := range strings.SplitSeq(clients, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 || n > 100 {
			return o, fmt.Errorf("-clients: %q isn't a number from 1 to 100", word)
		}
		o.clients = append(o.clients, n)
	}
	if o.rounds < 1 || o.each < time.Second || o.scale < 1 || o.shop <= 0 {
		return o, fmt.Errorf("-rounds, -each, -scale or -shop is too small")
	}
	return o, nil
}

func run(ctx context.Context, o options) (err error) {
	if o.pprof != "" {
		go func() { fmt.Fprintln(os.Stderr, http.ListenAndServe(o.pprof, nil)) }()
	}
	b, err := set(ctx, o)
	defer func() {
		if closing := b.close(); err == nil {
			err = closing
		}
	}()
	if err != nil {
		return err
	}
	fmt.Printf("%s, load %s\n", time.Now().UTC().Format(time.RFC3339), load())
	t := newTable()
	for round := range o.rounds {
		for _, n := range o.clients {
			for i := range b.cells {
				c := b.cells[(i+round)%len(b.cells)]
				if o.only != "" && !strings.Contains(","+o.only+",", ","+c.name+",") {
					continue
				}
				r, err := b.measure(ctx, c, n, o.each)
				if err != nil {
					t.print(os.Stdout, o.clients) // what there is
					return fmt.Errorf("%s with %d clients: %w", c.name, n, err)
				}
				t.add(c.name, n, round, r)
			}
		}
		fmt.Fprintf(os.Stderr, "round %d of %d, load %s\n", round+1, o.rounds, load())
	}
	t.print(os.Stdout, o.clients)
	fmt.Printf("%s, load %s\n", time.Now().UTC().Format(time.RFC3339), load())
	return nil
}

func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return err.Error()
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}
