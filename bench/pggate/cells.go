package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"paravent/internal/access"
)

// bench is everything, started.
type bench struct {
	dir       string
	made      bool // dir is ours to remove
	processes []*process
	product   *product
	cells     []cell
}

// cell is one way to run one of the two statements.
type cell struct {
	name  string
	port  int
	user  string
	gate  bool // through one of our gates
	bind  bool // the session binds itself
	proxy func() (time.Duration, error)
	args  []string
}

// joinSQL is one customer's orders with their items: 10 orders, 30 rows.
const joinSQL = `\if :bind
SELECT public.bench_bind();
\set bind 0
\endif
SELECT o.id, o.placed_at, o.total_cents, i.article, i.quantity, i.price_cents FROM orders o JOIN order_items i ON i.order_id = o.id WHERE o.customer_id = 42;
`

// set starts everything. What is started is closed by close, also after an error.
func set(ctx context.Context, o options) (b *bench, err error) {
	b = &bench{dir: o.dir}
	if b.dir == "" {
		if b.dir, err = os.MkdirTemp("", "pggate"); err != nil {
			return b, err
		}
		b.made = true
	}
	if err := os.WriteFile(filepath.Join(b.dir, "join.sql"), []byte(joinSQL), 0o644); err != nil {
		return b, err
	}
	if err := give(b.dir); err != nil {
		return b, err
	}
	if _, err := tool(ctx, b.dir, filepath.Join(bin, "initdb"), "-D", "plain", "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"); err != nil {
		return b, err
	}
	fmt.Fprintln(os.Stderr, "filling the databases")
	first, err := postgres(ctx, b.dir, "plain")
	if err == nil {
		err = fill(ctx, b.dir, first.port, o)
	}
	first.stop()
	if err == nil {
		err = copied(ctx, b.dir, "plain", "audited")
	}
	if err != nil {
		return b, err
	}
	plain, err := b.keep(postgres(ctx, b.dir, "plain"))
	if err != nil {
		return b, err
	}
	audited, err := b.keep(postgres(ctx, b.dir, "audited", "shared_preload_libraries=pgaudit", "pgaudit.log=read"))
	if err != nil {
		return b, err
	}
	if err := script(ctx, audited.port, "CREATE EXTENSION pgaudit"); err != nil {
		return b, err
	}
	p, plan, err := guardShop(ctx, plain.port)
	if err != nil {
		return b, err
	}
	if b.product, err = openProduct(ctx, b.dir, p); err != nil {
		return b, err
	}
	still, err := b.product.door(ctx, plain.port, p, plan, relay{b.product.statements, make(chan access.EmployeeID)}, o.loops)
	if err != nil {
		return b, err
	}
	lasting, err := b.product.door(ctx, plain.port, p, plan, durable{b.product.statements}, o.loops)
	if err != nil {
		return b, err
	}
	before, err := b.keep(bouncer(b.dir, "bouncer", plain.port))
	if err != nil {
		return b, err
	}
	beforeAudited, err := b.keep(bouncer(b.dir, "bouncer-audited", audited.port))
	if err != nil {
		return b, err
	}
	for _, kind := range []string{"select", "join"} {
		b.cells = append(b.cells,
			cell{name: kind + "/bare", port: plain.port, user: "bench"},
			cell{name: kind + "/pgbouncer", port: before.port, user: "bench", proxy: before.cpu},
			cell{name: kind + "/relay", port: still.port, gate: true, proxy: own},
			cell{name: kind + "/pgbouncer+pgaudit", port: beforeAudited.port, user: "bench", proxy: beforeAudited.cpu},
			cell{name: kind + "/durable", port: lasting.port, gate: true, proxy: own})
	}
	b.cells = append(b.cells, cell{name: "join/protected", port: plain.port, user: "paravent_reader", bind: true})
	for i := range b.cells {
		b.cells[i].args = []string{"-S"}
		if strings.HasPrefix(b.cells[i].name, "join") {
			b.cells[i].args = []string{"-f", "join.sql", "-D", "bind=0"}
			if b.cells[i].bind {
				b.cells[i].args[3] = "bind=1"
			}
		}
	}
	return b, nil
}

func (b *bench) keep(p *process, err error) (*process, error) {
	b.processes = append(b.processes, p)
	return p, err
}

func (b *bench) close() error {
	err := b.product.close()
	for _, p := range b.processes {
		p.stop()
	}
	if b.made {
		if removing := os.RemoveAll(b.dir); err == nil {
			err = removing
		}
	}
	return err
}

// result is one cell's turn.
type result struct {
	tps float64
	cpu time.Duration // of the proxy, a statement; 0: there is none
}

var tpsLine = regexp.MustCompile(`(?m)^tps = ([0-9.]+) \(without initial connection time\)$`)
var countLine = regexp.MustCompile(`(?m)^number of transactions actually processed: ([0-9]+)`)

// connecting is more time for a turn of so many clients: pgbench connects one
// after the other, and counts that as part of -T, though not in its tps.
func connecting(clients int) time.Duration { return time.Duration(clients/16) * time.Second }

// measure runs pgbench once. Every statement must succeed. The proxy's processor
// time includes letting the clients in.
func (b *bench) measure(ctx context.Context, c cell, clients int, each time.Duration) (r result, err error) {
	args := append([]string{"-n", "-M", "prepared", "-c", strconv.Itoa(clients), "-j", "1", "-T", strconv.Itoa(int((each + connecting(clients)).Seconds())),
		"-h", "127.0.0.1", "-p", strconv.Itoa(c.port)}, c.args...)
	user := c.user
	if c.gate {
		user = b.product.login
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "pgbench"), append(args, "-U", user, "shop")...)
	cmd.Dir, cmd.Env = b.dir, append(environment(), "PGSSLMODE=disable", "PGGSSENCMODE=disable")
	if c.gate {
		cmd.Env = append(cmd.Env, "PGPASSWORD="+b.product.token, "PGOPTIONS=-c paravent.task="+string(taskID))
	} else if c.bind {
		cmd.Env = append(cmd.Env, "PGOPTIONS=-c search_path=paravent_shop,public")
	}
	notAsRoot(cmd)
	var before, after time.Duration
	if c.proxy != nil {
		if before, err = c.proxy(); err != nil {
			return r, err
		}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return r, fmt.Errorf("pgbench: %w\n%s", err, out)
	}
	if c.proxy != nil {
		if after, err = c.proxy(); err != nil {
			return r, err
		}
	}
	tps, count := tpsLine.FindSubmatch(out), countLine.FindSubmatch(out)
	if tps == nil || count == nil || !strings.Contains(string(out), "failed transactions: 0 ") {
		return r, fmt.Errorf("pgbench says: %s", out)
	}
	if r.tps, err = strconv.ParseFloat(string(tps[1]), 64); err != nil {
		return r, err
	}
	n, err := strconv.Atoi(string(count[1]))
	if err == nil && n > 0 {
		r.cpu = (after - before) / time.Duration(n)
	}
	return r, err
}

// own returns the processor time that this process has used: the gates', the
// ledger's, and next to nothing else.
func own() (time.Duration, error) {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
}

// cpu returns the processor time that a server has used, in ticks of 10 ms.
func (p *process) cpu() (time.Duration, error) {
	pid, err := p.server()
	if err != nil {
		return 0, err
	}
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err1 != nil || err2 != nil {
		return 0, fmt.Errorf("read the time of process %s", pid)
	}
	return time.Duration(user+system) * 10 * time.Millisecond, nil
}
