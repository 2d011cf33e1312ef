package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"paravent/internal/pgaudit"
)

// newIngestCommand groups what brings other systems' logs into a running server.
func newIngestCommand(s streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "ingest",
		Short: "Report to a running server what was read past Paravent",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newIngestPGAuditCommand(s))
	return c
}

// ingestOptions are the flags of paravent ingest pgaudit.
type ingestOptions struct {
	prefix, zone, state, syslog string
	from                        []string
	follow                      bool
}

// newIngestPGAuditCommand reads PostgreSQL's log.
func newIngestPGAuditCommand(s streams) *cobra.Command {
	var flags clientFlags
	var o ingestOptions
	c := &cobra.Command{
		Use:   "pgaudit [FILE...]",
		Short: "Read pgaudit's lines in PostgreSQL's log",
		Long: `Reads what the extension pgaudit writes into PostgreSQL's log and reports each read
of a protected table that came past Paravent: by anybody but the gateway's own role and
the roles that the server's configuration passes (observe.passed). The server records it,
once, and raises it as a finding. No literal of a statement leaves this machine.

Files that end in .csv are read as csvlog, the best choice; others as stderr, for which
--prefix must be the server's log_line_prefix. With --follow, patterns such as
'log/*.csv' also find the files to come. What was read is kept in --state, so that the
next start goes on there; without it everything is sent again, and recorded once.
With --syslog it listens for datagrams instead (UDP: what is lost is lost).

It needs a token of the role connector. In postgresql.conf:
  shared_preload_libraries = 'pgaudit'   pgaudit.log = 'read, write'
  log_destination = 'csvlog'             pgaudit.log_relation = on
  logging_collector = on                 pgaudit.log_parameter = off`,
		Example: `  paravent ingest pgaudit --follow '/var/lib/postgresql/15/main/log/*.csv'
  paravent ingest pgaudit --prefix '%m [%p] %q%u@%d ' /var/log/postgresql/postgresql-15-main.log
  paravent ingest pgaudit --syslog 127.0.0.1:5514 --prefix '%m [%p] %q%u@%d '`,
		RunE: func(c *cobra.Command, files []string) error {
			reader, err := o.reader(files)
			if err != nil {
				return usageError{err}
			}
			cl, err := flags.client()
			if err != nil {
				return err
			}
			reader.in = &ingester{client: cl, out: s.out, err: s.err, patient: o.follow || o.syslog != "", now: time.Now}
			if o.state == "" {
				if o.state, err = ingestStatePath(cl.server); err != nil {
					return err
				}
			}
			if o.syslog != "" {
				err = listenSyslog(c.Context(), reader, o.syslog, o.from)
			} else {
				err = reader.read(c.Context(), o.state, files, o.follow)
			}
			reader.in.report()
			return err
		},
	}
	flags.register(c)
	c.Flags().BoolVar(&o.follow, "follow", false, "go on with what is written from now on")
	c.Flags().StringVar(&o.syslog, "syslog", "", "listen for syslog's datagrams at this address instead of reading files")
	c.Flags().StringSliceVar(&o.from, "from", nil, "with --syslog: addresses whose datagrams count (default: this machine's)")
	c.Flags().StringVar(&o.prefix, "prefix", "", "the server's log_line_prefix, for anything but csvlog")
	c.Flags().StringVar(&o.zone, "zone", "UTC", "the server's log_timezone, an IANA name such as Europe/Berlin")
	c.Flags().StringVar(&o.state, "state", "", "file that says how far was read (default: in your configuration folder)")
	return c
}

// logReader knows how the server's log is written.
type logReader struct {
	in     *ingester
	prefix *pgaudit.Prefix // nil: csvlog only
	zone   *time.Location
}

// reader checks the options.
func (o ingestOptions) reader(files []string) (*logReader, error) {
	zone, err := time.LoadLocation(o.zone)
	if err != nil {
		return nil, fmt.Errorf("--zone %q: expected an IANA name such as Europe/Berlin", o.zone)
	}
	r := &logReader{zone: zone}
	if o.prefix != "" {
		if r.prefix, err = pgaudit.ParsePrefix(o.prefix, zone); err != nil {
			return nil, fmt.Errorf("--prefix: %w", err)
		}
	}
	switch {
	case o.syslog != "" && (len(files) > 0 || o.follow):
		return nil, errors.New("--syslog listens; it takes neither files nor --follow")
	case o.syslog == "" && len(files) == 0:
		return nil, errors.New("name a file of PostgreSQL's log, or --syslog")
	case o.syslog != "" && r.prefix == nil:
		return nil, errors.New("--syslog needs --prefix, the server's log_line_prefix (SHOW log_line_prefix)")
	}
	for _, f := range files {
		if _, err := r.log(f); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// log returns how a file is read.
func (r *logReader) log(path string) (pgaudit.Log, error) {
	switch {
	case isCSV(path):
		return pgaudit.CSV{Zone: r.zone}, nil
	case r.prefix != nil:
		return r.prefix, nil
	}
	return nil, fmt.Errorf("%s isn't csvlog; give the server's log_line_prefix with --prefix (SHOW log_line_prefix)", path)
}

// isCSV reports whether a file is csvlog.
func isCSV(path string) bool { return strings.EqualFold(filepath.Ext(path), ".csv") }
