package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"paravent/internal/pgaudit"
)

// listenSyslog takes datagrams until ctx ends. Only those of the given senders
// count; of this machine's where none are given. A sender's address can be
// forged on the way, so listen where only the database's machines can reach.
func listenSyslog(ctx context.Context, r *logReader, address string, from []string) error {
	var senders []netip.Addr
	for _, text := range from {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return usageError{fmt.Errorf("--from %q: expected an address such as 10.0.0.5", text)}
		}
		senders = append(senders, a.Unmap())
	}
	conn, err := net.ListenPacket("udp", address)
	if err != nil {
		return usageError{fmt.Errorf("--syslog: %w", err)}
	}
	defer conn.Close()
	if u, ok := conn.(*net.UDPConn); ok {
		if err := u.SetReadBuffer(8 << 20); err != nil {
			return fmt.Errorf("make room for datagrams: %w", err)
		}
	}
	fmt.Fprintf(r.in.out, "Listening for syslog at %s.\n", conn.LocalAddr())
	s := pgaudit.NewSyslog(r.prefix)
	buffer := make([]byte, 64<<10)
	for {
		end := ctx.Err() != nil
		if err := r.in.learn(ctx); err != nil && !end {
			return err
		}
		if err := conn.SetReadDeadline(r.in.now().Add(followEvery)); err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		n, sender, err := conn.ReadFrom(buffer)
		switch {
		case err == nil:
			if mine(sender, senders) {
				for _, e := range s.Take(buffer[:n], r.in.now()) {
					r.in.take(e)
				}
			}
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Errorf("listen: %w", err)
		}
		for _, e := range s.Ripe(r.in.now(), end) {
			r.in.take(e)
		}
		if err != nil || r.in.full() {
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			if !end {
				cancel()
				last, cancel = context.WithCancel(ctx)
			}
			err := r.in.send(last)
			cancel()
			if err != nil && ctx.Err() == nil || end {
				return err
			}
		}
	}
}

// mine reports whether a datagram's sender is one of those that count.
func mine(sender net.Addr, senders []netip.Addr) bool {
	a, err := netip.ParseAddrPort(sender.String())
	if err != nil {
		return false
	}
	ip := a.Addr().Unmap()
	return len(senders) == 0 && ip.IsLoopback() || slices.Contains(senders, ip)
}
