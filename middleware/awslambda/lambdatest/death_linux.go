package lambdatest

import "syscall"

// dieWithParent has the kernel end the process when the thread that started it ends, which even a stopped one obeys.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
