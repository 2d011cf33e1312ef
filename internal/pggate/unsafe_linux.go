package pggate

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// pointer returns where b begins, for a system call.
func pointer(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }

func events(e *[128]unix.EpollEvent) unsafe.Pointer { return unsafe.Pointer(e) }
