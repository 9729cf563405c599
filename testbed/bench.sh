#!/usr/bin/env bash
# bench.sh [PART] [FLAG...]   measures the project; without PART all of it
#   go       the Go benchmarks
#   browser  a browser's connection, and saves while the relay hangs
#   php      what the extension adds to PHP's work on MediaWiki 1.39 and 1.43
#   fanout   the relay under load, beside a C program that does what the kernel allows and a naive server; needs two cores.
#            Flags: --quick (about 4 minutes), --scenario, --peer, --runs, …; --help lists them.  RELAY names a relay to measure instead of
#            the one of this tree.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$project"

bench_go() { go test -run '^$' -bench . -benchmem ./relay/... ./wasmclient/session/... | grep -v 'no test files'; }
bench_browser() { go test -run '^$' -bench . -benchtime 5x ./e2e; }

bench_php() {
	local base port version d
	base=$(mktemp -d)
	chmod 755 "$base"
	# shellcheck disable=SC2064 # the folder is known now, and not later
	trap "down_all '$base'" EXIT
	echo "<?php wfLoadExtension( 'WebSocket' );" >"$base/load.php"
	port=$((20000 + RANDOM % 10000))
	for version in 1.39 1.43; do
		d=$base/$version
		"$testbed/wiki-up.sh" "$version" php "$port" "$d" --ext "$project" --settings "$base/load.php" --relay-port $((port + 1)) >/dev/null
		curl -fsS -o /dev/null "http://127.0.0.1:$port/index.php/Main_Page" # starts the relay
		say "--- PHP, MediaWiki $version"
		"$testbed/wiki-maint.sh" "$d" "$d/w/extensions/WebSocket/tests/bench/PhpBench.php"
		"$testbed/wiki-down.sh" "$d" --rm
	done
}

bench_fanout() {
	local programs=$project/.cache/bench relay=${RELAY:-$project/bin/websocket-relay}
	mkdir -p "$programs"
	[ -n "${RELAY:-}" ] || go run ./build relay >/dev/null # as it is released
	gcc -O2 -Wall -Wextra -o "$programs/climit" bench/climit/climit.c
	CGO_ENABLED=0 go build -o "$programs/" ./bench ./bench/naive
	"$programs/bench" --programs "$programs" --relay "$relay" "$@"
}

part=${1:-all}
case "$part" in
	all)
		bench_go
		bench_browser
		bench_fanout "${@:2}"
		bench_php
		;;
	go | browser | php | fanout)
		shift
		"bench_$part" "$@"
		;;
	*) usage ;;
esac
