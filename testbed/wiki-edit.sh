#!/usr/bin/env bash
# wiki-edit.sh DIR PAGE [TEXT]   saves a page of the wiki in DIR as the user "Editor"; without TEXT, the time of day
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[ $# -ge 2 ] || usage
printf '%s\n' "${3:-Saved at $(date +%T).}" | "$testbed/wiki-maint.sh" "$1" edit --user Editor --summary 'from the command line' "$2"
