//go:build unix

package lambdatest

import (
	"os/exec"
	"syscall"
)

const canFreeze = true

// apart gives the process and what it starts a group of their own.
func apart(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	if !cmd.SysProcAttr.Setsid { // which makes a group too
		cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pgid = true, 0
	}
	dieWithParent(cmd.SysProcAttr)
}

func kill(cmd *exec.Cmd) { signal(cmd, syscall.SIGKILL) }

func freeze(cmd *exec.Cmd) { signal(cmd, syscall.SIGSTOP) }

func thaw(cmd *exec.Cmd) { signal(cmd, syscall.SIGCONT) }

func signal(cmd *exec.Cmd, s syscall.Signal) {
	syscall.Kill(-cmd.Process.Pid, s) //nolint:errcheck // they are gone already
}
