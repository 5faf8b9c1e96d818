// Command http-server is an orders API with policies around it and around its database. It starts the API, sends it a
// surge while the database stalls and recovers, and prints what was answered:
//
//	go run ./examples/http-server
//
// With -addr it serves instead, until it is interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "http-server:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("http-server", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	addr := flags.String("addr", "", "serve at this address, such as localhost:8080, instead of the surge")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			flags.SetOutput(out)
			flags.Usage()
			return nil
		}
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: it takes only flags, see -help", flags.Arg(0))
	}

	database := new(Database)
	at := *addr
	if at == "" {
		at = "localhost:0"
	}
	listener, err := net.Listen("tcp", at)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: orders(database.Query), ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer server.Close()

	base := "http://" + listener.Addr().String()
	if *addr == "" {
		return surge(out, http.DefaultClient, base, database)
	}
	fmt.Fprintf(out, "try: curl -i %s/orders/7\n", base)
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
		return nil
	}
}
