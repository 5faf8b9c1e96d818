package lambdatest

import (
	"io"
	"os"
)

// marker is the environment variable that holds the name of the function a process shall be.
const marker = "SEAWALL_LAMBDATEST"

// Serve calls start, and exits when it returns, if this process was started by a [Function] of that name without a
// Command of its own; otherwise it returns at once. Call it, once for each function, before anything else in main or
// TestMain; start calls lambda.Start, which does not return. The process ends with the one that started it,
// but what the process has started itself may not, if that one was killed.
func Serve(name string, start func()) {
	if os.Getenv(marker) != name || name == "" {
		return
	}
	go func() {
		io.Copy(io.Discard, os.Stdin) //nolint:errcheck // its end is all that matters
		os.Exit(1)                    // whoever started this process is gone, however that came about
	}()
	start()
	os.Exit(0)
}
