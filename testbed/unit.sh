#!/usr/bin/env bash
# unit.sh [--race]   the tests that need no wiki: Go's and, without --race, JavaScript's
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$project"
if [ "${1:-}" = --race ]; then
	go test -race ./relay/... ./wasmclient/session/...
	exit
fi
mapfile -t packages < <(go list ./... | grep -v '/e2e\(/\|$\)')
go test "${packages[@]}"
mapfile -t tests < <(find resources -name '*.test.js' -o -name '*.test.mjs' | sort)
if [ ${#tests[@]} != 0 ]; then node --test --test-reporter=spec "${tests[@]}"; fi
