#!/usr/bin/env bash
# fuzz.sh [DURATION [PATTERN]]   runs every Go fuzz test whose name matches PATTERN (a regular expression of grep -E, default all) for
#   DURATION seconds (default 30), four at a time, which share the cores.  Fails when one of them does, or when there is none; of a
#   failure it names the file that shows it again, which belongs into the repository once it is mended.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$project"
at_once=4

# one DURATION PACKAGE FOLDER NAME   one fuzz test: progress once a minute, and a line with the result
one() {
	local log workers=$((($(nproc) + at_once - 1) / at_once)) status=0
	log=$(mktemp)
	go test -vet=off -run '^$' -fuzz "^$4\$" -fuzztime "$1s" -fuzzminimizetime 500x -parallel $workers "$2" </dev/null 2>&1 |
		tee "$log" | progress "$4" || status=$?
	local found last
	last=$(grep '^fuzz: elapsed: ' "$log" | tail -n 1 | sed 's/^fuzz: elapsed: //') || true
	found=$(sed -n -e 's/^ *Failing input written to //p' -e 's|^failure while testing seed corpus entry: |testdata/fuzz/|p' "$log")
	if [ "$status" != 0 ] && [ -z "$found" ] && only_the_deadline "$log"; then status=0; fi
	if [ "$status" = 0 ]; then
		say "ok    $4: $last"
	else
		grep -v '^fuzz: ' "$log" >&2 || true
		say "FAIL  $4${last:+: $last}"
		if [ -f "$3/$found" ]; then say "      $3/$found shows it"; fi
		if [ -n "$found" ]; then say "      to see it again: go test -run '$4/${found##*/}' ./$3"; fi
	fi
	rm -f "$log"
	[ "$status" = 0 ]
}

progress() {
	local line n=0
	while IFS= read -r line; do
		case $line in 'fuzz: elapsed: '*) if ((++n % 20 == 0)); then say "      $1: ${line#fuzz: elapsed: }"; fi ;; esac
	done
}

# only_the_deadline LOG   Go's fuzzer now and then takes the end of its own time for an error (golang.org/issue/75804, mended in Go 1.27).
only_the_deadline() {
	local faults
	faults=$(sed -n '/^--- FAIL: /,/^FAIL/p' "$1" | grep -v -e '^--- FAIL: ' -e '^FAIL') || return 1
	[ "$faults" = '    context deadline exceeded' ]
}

if [ "${1:-}" = --one ]; then
	one "${@:2}"
	exit
fi
duration=${1:-30} pattern=${2:-.}
[[ $duration =~ ^[1-9][0-9]{0,4}$ ]] || die "The duration is '$duration', but it must be a whole number of seconds, 1 to 99999"

targets=() count=0
while read -r package folder files; do
	read -ra list <<<"$files"
	[ ${#list[@]} != 0 ] || continue
	while read -r name; do
		targets+=("$package" "${folder#"$project/"}" "$name")
		count=$((count + 1))
	done < <(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "${list[@]/#/$folder/}" | grep -E "$pattern")
done < <(go list -f '{{.ImportPath}} {{.Dir}} {{join .TestGoFiles " "}} {{join .XTestGoFiles " "}}' ./...)
[ $count != 0 ] || die 'There is no fuzz test'

start=$SECONDS
say "$count fuzz tests, $duration s each, $at_once at a time"
printf '%s\0' "${targets[@]}" | xargs -0 -n 3 -P $at_once "$testbed/fuzz.sh" --one "$duration" || die "fuzz: failed after $((SECONDS - start)) s"
say "fuzz: all $count passed in $((SECONDS - start)) s"
