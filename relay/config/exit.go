package config

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
)

// The exit codes of the relay.
const (
	ExitOK      = 0
	ExitFailure = 1 // it ran, or tried to, and something went wrong
	ExitUsage   = 2 // a flag, a value or a file is wrong
	ExitTaken   = 3 // the port or the control socket is in use
)

// Exit is an error that says with which code to end. With ExitOK its text is an answer, for standard output.
type Exit struct {
	Code int
	Text string
}

func (e *Exit) Error() string { return e.Text }

// lineBytes is the length past which the text of [Fail] is cut.
const lineBytes = 1024

// Fail returns an [Exit] whose text is one line that any terminal and log can show, whatever the values of the configuration in it are.
func Fail(code int, format string, args ...any) error {
	var line strings.Builder
	for _, r := range fmt.Sprintf(format, args...) {
		if line.Len() > lineBytes {
			line.WriteString("…")
			break
		}
		if unicode.IsPrint(r) {
			line.WriteRune(r)
		} else {
			line.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return &Exit{code, line.String()}
}

// Report writes what err, which may be nil, has to say and returns the exit code.
func Report(err error, stdout, stderr io.Writer) int {
	var exit *Exit
	switch {
	case err == nil:
		return ExitOK
	case !errors.As(err, &exit):
		exit = &Exit{ExitFailure, err.Error()}
	case exit.Code == ExitOK:
		fmt.Fprint(stdout, exit.Text)
		return ExitOK
	}
	fmt.Fprintln(stderr, "websocket-relay: "+exit.Text)
	return exit.Code
}
