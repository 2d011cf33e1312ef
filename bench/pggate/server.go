package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const bin = "/usr/lib/postgresql/15/bin"

// process is a server of ours beside a shell that stops it when its own standard
// input ends: when it is closed, and when this process dies in whatever way.
type process struct {
	cmd   *exec.Cmd
	alive io.WriteCloser
	port  int
}

const guard = `"$@" & server=$!; read -r _; kill -INT $server; wait $server`

// start starts a server that isn't root's, with its output in a file.
func start(dir, log, name string, port int, args ...string) (*process, error) {
	out, err := os.OpenFile(filepath.Join(dir, log), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p := &process{port: port, cmd: exec.Command("/bin/sh", append([]string{"-c", guard, "guard", name}, args...)...)}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr, p.cmd.Env = dir, out, out, environment()
	notAsRoot(p.cmd)
	p.cmd.SysProcAttr.Setpgid = true // an interrupt is ours to pass on
	if p.alive, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	return p, p.cmd.Start()
}

func environment() []string { return append(os.Environ(), "LC_ALL=C.UTF-8", "TZ=UTC") }

// stop stops the server and waits for its end.
func (p *process) stop() {
	if p != nil && p.alive != nil {
		_ = p.alive.Close()
		_ = p.cmd.Wait() // interrupted
	}
}

// server returns the process that the guard guards.
func (p *process) server() (pid string, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", p.cmd.Process.Pid))
	if err != nil {
		return "", err
	}
	var n int
	if _, err := fmt.Sscan(string(text), &n); err != nil {
		return "", err
	}
	return strconv.Itoa(n), nil
}

// notRoot returns under whom servers run when this runs as root.
func notRoot() (uid, gid int, ok bool) {
	if os.Getuid() != 0 {
		return 0, 0, false
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, err1 := strconv.Atoi(u.Uid)
			gid, err2 := strconv.Atoi(u.Gid)
			if err1 == nil && err2 == nil && uid != 0 {
				return uid, gid, true
			}
		}
	}
	return 65534, 65534, true
}

func notAsRoot(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{}
	if uid, gid, ok := notRoot(); ok {
		c.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
}

// give hands a folder and what is in it to the servers' user.
func give(dir string) error {
	uid, gid, ok := notRoot()
	if !ok {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, gid)
	})
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// tool runs one of PostgreSQL's programs to its end.
func tool(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Env = dir, environment()
	notAsRoot(c)
	out, err := c.CombinedOutput()
	if err != nil {
		return out, fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, out)
	}
	return out, nil
}

// postgres starts PostgreSQL on a folder. Only reading is measured, so nothing is
// synced; shared buffers hold all of it.
func postgres(ctx context.Context, dir, data string, more ...string) (*process, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	args := []string{"-D", filepath.Join(dir, data), "-k", dir, "-p", strconv.Itoa(port)}
	for _, s := range append([]string{"listen_addresses=127.0.0.1", "fsync=off", "max_connections=300", "shared_buffers=1GB", "max_wal_size=8GB",
		"maintenance_work_mem=256MB", "autovacuum=off", "jit=off"}, more...) {
		args = append(args, "-c", s)
	}
	p, err := start(dir, data+".log", filepath.Join(bin, "postgres"), port, args...)
	if err != nil {
		return p, err
	}
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		conn, err := pgx.Connect(ctx, dsn(port, "postgres", "postgres"))
		if err == nil {
			return p, conn.Close(ctx)
		}
		if ctx.Err() != nil || time.Since(began) > 30*time.Second {
			log, _ := os.ReadFile(filepath.Join(dir, data+".log"))
			return p, errors.Join(err, errors.New(string(log)))
		}
	}
}

func dsn(port int, user, database string) string {
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=disable", user, port, database)
}

// bouncer starts PgBouncer in session mode, its other settings as they come.
func bouncer(dir, name string, upstream int) (*process, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	ini := fmt.Sprintf(`[databases]
shop = host=127.0.0.1 port=%d dbname=shop
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = trust
auth_file = %s/users.txt
pool_mode = session
default_pool_size = 100
max_client_conn = 300
ignore_startup_parameters = extra_float_digits,options
`, upstream, port, dir)
	for file, text := range map[string]string{name + ".ini": ini, "users.txt": "\"bench\" \"\"\n"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	p, err := start(dir, name+".log", "/usr/sbin/pgbouncer", port, filepath.Join(dir, name+".ini"))
	if err != nil {
		return p, err
	}
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return p, c.Close()
		}
		if time.Since(began) > 10*time.Second {
			return p, err
		}
	}
}
