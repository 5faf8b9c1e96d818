//go:build !unix

package lambdatest

import "os/exec"

const canFreeze = false

func apart(*exec.Cmd) {}

func kill(cmd *exec.Cmd) { cmd.Process.Kill() } //nolint:errcheck // it is gone already

func freeze(*exec.Cmd) {}

func thaw(*exec.Cmd) {}
