#!/usr/bin/env bash
# bench.sh   the Go benchmarks, a browser's connection, and what the extension adds to PHP's work on MediaWiki 1.39 and 1.43
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$project"
go test -run '^$' -bench . -benchmem ./relay/... ./wasmclient/session/... | grep -v 'no test files'
go test -run '^$' -bench . -benchtime 5x ./e2e

base=$(mktemp -d)
chmod 755 "$base"
trap 'down_all "$base"' EXIT
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
