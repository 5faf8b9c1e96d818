//go:build unix && !linux

package lambdatest

import "syscall"

func dieWithParent(*syscall.SysProcAttr) {}
