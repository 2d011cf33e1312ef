// Package access holds the words of Paravent: who looks (an employee), who is
// looked at (a customer), the task that is the reason, the facts of the
// business that surround it, and the coded errors that every door understands.
//
// It does no I/O, reads no clock and imports nothing of ours, so that every
// other package can speak the same language. One word stands for one thing
// here, in tables, in logs and on pages.
package access
