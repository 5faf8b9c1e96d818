package surge

import (
	"flag"
	"fmt"
	"os"
)

// FromFlags is the scenario that the command line of a program asks for: Full, or Short with -quick. It ends the program
// if the command line makes no sense.
func FromFlags(program string) Scenario {
	quick := flag.Bool("quick", false, "make it shorter, with fewer orders")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: go run ./examples/%s [-quick]\n", program)
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "%s: there are no arguments, but got %q\n", program, flag.Arg(0))
		flag.Usage()
		os.Exit(2)
	}
	if *quick {
		return Short
	}
	return Full
}
