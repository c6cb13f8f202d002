// Command judgement measures how well the shipped baselines judge, on labelled
// visits, and what each finding is worth.
//
// It runs the program that an operator has (mailprofiled replay --rows) and
// counts its rows, so that what is measured is what is shipped:
//
//	judgement tables -program build/mailprofiled FILE...   the tables of docs/judgement.md
//	judgement tune   -program build/mailprofiled FILE...   each finding and pair: evidence and points
//
// How rows are counted stands in count.go. Nothing here judges: the parts of a
// corpus and the big providers named in parts.go are for counting only.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	err := run(os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "judgement:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 || args[0] != "tables" && args[0] != "tune" {
		return errors.New("say what to print: tables or tune")
	}
	flags := flag.NewFlagSet("judgement "+args[0], flag.ContinueOnError)
	flags.SetOutput(stderr)
	program := flags.String("program", "build/mailprofiled", "the `PROGRAM` that judges")
	least := flags.Int("least", 8, "tune: leave out what fewer rows than this have")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	files := flags.Args()
	if len(files) == 0 {
		return errors.New("no file of labelled visits is named")
	}
	for _, file := range files {
		if _, err := os.Stat(file); err != nil {
			return fmt.Errorf("the labelled visits are not there, nothing was measured: %w", err)
		}
	}
	r := replayer{program: *program, files: files, stderr: stderr}
	if args[0] == "tune" {
		return tune(r, *least, stdout)
	}
	return tables(r, stdout)
}
