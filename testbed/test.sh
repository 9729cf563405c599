#!/usr/bin/env bash
# test.sh STEP...   runs these targets of the Makefile one after the other, with a heading each and the times at the end
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
summary='' begin=$SECONDS
for step; do
	start=$SECONDS
	printf '\n=== %s\n' "$step"
	if ! make --no-print-directory -C "$project" "$step"; then
		printf '\nFAILED in "%s" after %d s;%s\n' "$step" $((SECONDS - begin)) "${summary:- nothing before it}"
		exit 1
	fi
	summary+=" $step $((SECONDS - start)) s,"
done
printf '\nAll passed in %d s:%s\n' $((SECONDS - begin)) "${summary%,}"
