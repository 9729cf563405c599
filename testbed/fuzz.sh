#!/usr/bin/env bash
# fuzz.sh [SECONDS]   runs every Go fuzz test for so long (default 30)
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$project"
grep -rl --include='*_test.go' '^func Fuzz' . | while read -r file; do
	sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file" | while read -r name; do
		say "--- $name in $(dirname "$file")"
		go test -run '^$' -fuzz "^$name\$" -fuzztime "${1:-30}s" "./$(dirname "$file")" </dev/null
	done
done
