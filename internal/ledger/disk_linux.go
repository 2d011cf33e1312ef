package ledger

import "golang.org/x/sys/unix"

func (f osFile) sync() error {
	return ignoringEINTR(func() error { return unix.Fdatasync(int(f.Fd())) })
}

func (f osFile) uncache() error {
	return ignoringEINTR(func() error { return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) })
}

func ignoringEINTR(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}
