#!/usr/bin/env bash
# wiki-maint.sh DIR[:PATH] SCRIPT [args]   runs a maintenance script (edit, runJobs, createAndPromote, update, or the
#   path of another) on the wiki in DIR, as the user that the wiki runs as.  PATH names a wiki made by wiki-add.sh.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[ $# -ge 2 ] || usage
mw_wiki "${1%%:*}"
case "$1" in *:*) w=$dir/docroot/${1#*:} ;; esac
script=$2
shift 2
if [ -f "$src/maintenance/run.php" ]; then
	cmd=(php "$src/maintenance/run.php" "$script")
else # before 1.40
	case "$script" in
		*/* | *.php) cmd=(php "$script") ;;
		*) cmd=(php "$src/maintenance/$script.php") ;;
	esac
fi
cd "$w" # the caller's folder may be closed to that user
as_user "$user" env MW_INSTALL_PATH="$w" MW_CONFIG_FILE="$w/LocalSettings.php" HOME="$dir/tmp" "${cmd[@]}" "$@"
