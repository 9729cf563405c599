#!/usr/bin/env bash
# wiki-add.sh DIR PATH NAME [--settings FILE] [--ext [NAME=]FOLDER]
#   A second wiki under the same server as the one in DIR, at URL/PATH, with its own $wgDBname, data and settings.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[ $# -ge 3 ] || usage
mw_wiki "$1"
first=$w path=/${2#/} name=$3
shift 3
exts=() settings=()
while [ $# -gt 0 ]; do
	case "$1" in
		--ext) exts+=("$2") ;;
		--settings) settings+=("$2") ;;
		*) say "unknown option $1"; usage ;;
	esac
	shift 2
done
server=$(sed -n 's/^.wgServer = "\(.*\)";/\1/p' "$first/LocalSettings.php")
port=$(sed -n 's/^.wgWebSocketPort = \(.*\);/\1/p' "$first/conf.d/00-test.php")
w=$dir/docroot$path data=$dir/data-$name
[ ! -e "$w" ] || die "$w is there already"
mkdir -p "$data"
mw_install "$src" "$w" "$data" "$server" "$path" "$name" "$dir/log"
mw_settings "$dir" "$w" "$path" "$port"
mw_extra "$w" "$user" "${settings[@]}" -- "${exts[@]}"
[ "$(id -u)" != 0 ] || chown -R "$user:" "$data" "$w"/{images,cache} "$dir/log"
printf 'url=%s\nadmin=Admin password=%s\ndir=%s\n' "$server$path" "$admin_password" "$dir"
