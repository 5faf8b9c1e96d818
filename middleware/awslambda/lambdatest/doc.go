// Package lambdatest runs a Lambda function on this machine as Lambda runs it: in processes of its own, which ask a
// Runtime API for events and answer them. So a test, or a demonstration, sees what only the real thing shows: the
// errorType that Lambda derives from an error, the stack of a panic, the end of the process after one, the kill at the
// deadline, the chunks of a stream.
//
// The function is any program that serves the Lambda Runtime API, usually by calling lambda.Start. A program can be its
// own function: [Serve], called first thing in main or TestMain, turns a process that [Function] started into that
// function, and does nothing otherwise.
//
//	func TestMain(m *testing.M) {
//		lambdatest.Serve("greet", func() { lambda.Start(greet) })
//		os.Exit(m.Run())
//	}
//
//	func TestGreet(t *testing.T) {
//		f := lambdatest.New("greet", lambdatest.Config{})
//		defer f.Close()
//		result, err := f.Invoke(t.Context(), []byte(`{"name":"Ada"}`))
//		...
//	}
//
// The package is for tests and for programs that want to show a function at work; it is not a server for production.
// Extensions are those within the function, and no events are sent to them. It has no payload limits and no throttling, and it keeps every response in memory. Processes run with
// the rights and the environment of their parent, but on Unix in process groups of their own, so that an interrupt from
// the keyboard does not reach them. On Linux the kernel kills a process whose parent is killed; elsewhere it ends when it
// looks for its next event, and everywhere what it has started itself may then go on.
package lambdatest
