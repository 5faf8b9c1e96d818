package lambdatest

import "os"

// marker is the environment variable that holds the name of the function a process shall be.
const marker = "SEAWALL_LAMBDATEST"

// Serve calls start, and exits when it returns, if this process was started by a [Function] of that name without a
// Command of its own; otherwise it returns at once. Call it, once for each function, before anything else in main or
// TestMain; start calls lambda.Start, which does not return.
func Serve(name string, start func()) {
	if os.Getenv(marker) != name || name == "" {
		return
	}
	start()
	os.Exit(0)
}
