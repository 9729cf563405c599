// Command build makes what is generated in this project: the browser client
// (WebAssembly), the page's scripts, the relay and the release archive.
package main

import (
	"flag"
	"fmt"
	"os"

	"mediawiki-websocket/build/builder"
)

const usage = `usage: go run ./build [--release] [COMMAND]

  all      wasm, assets, relay and the checks of their sizes (the default)
  wasm     resources/dist/client-HASH.wasm and its gzip form
  assets   the scripts in resources/dist
  relay    bin/websocket-relay; with --release one per platform
  package  all for a release, then release/WebSocket-VERSION.tar.gz
  check    sizes, imports, syntax and messages; builds nothing

`

func main() {
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
	}
	release := flag.Bool("release", false, "build the relay for every platform of a release")
	flag.Parse()
	if flag.NArg() > 1 {
		flag.Usage()
		os.Exit(2)
	}
	b := &builder.Builder{Root: ".", Release: *release, Log: os.Stdout}
	if err := b.Run(flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}
