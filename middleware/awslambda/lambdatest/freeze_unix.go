//go:build unix

package lambdatest

import (
	"os"
	"syscall"
)

const canFreeze = true

func freeze(p *os.Process) { p.Signal(syscall.SIGSTOP) } //nolint:errcheck // it is gone already

func thaw(p *os.Process) { p.Signal(syscall.SIGCONT) } //nolint:errcheck // it is gone already
