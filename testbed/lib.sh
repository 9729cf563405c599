# shellcheck shell=bash
# What the test bed's scripts share.  To be sourced; sets strict mode.
set -euo pipefail
umask 022 # the servers' user reads what we write

testbed=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
project=$(dirname "$testbed")
admin_password=Admin-pass-1234

say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
usage() { # prints the comment at the head of the calling script
	awk 'NR > 1 { if ( !/^#/ ) exit; sub( /^# ?/, "" ); print }' "$0" >&2
	exit 2
}

# The web servers never run as root: Apache refuses to, and a wiki that works only as root proves little.
server_user() { if [ "$(id -u)" = 0 ]; then echo www-data; else id -un; fi; }

# as_user USER COMMAND...   runs it as USER when we are root, else as we are
as_user() {
	local user=$1
	shift
	if [ "$(id -u)" = 0 ] && [ "$user" != root ]; then
		setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups "$@"
	else
		"$@"
	fi
}

# MediaWiki's code must be readable for the servers' user, who cannot enter a checkout below /root
# or in a folder made by mktemp; then it is kept outside the checkout.
mw_cache() {
	local dir=${WEBSOCKET_CACHE:-$project/.cache}
	mkdir -p "$dir"
	if ! as_user "$(server_user)" test -x "$dir" -a -r "$dir"; then
		dir=/var/cache/mediawiki-websocket
		mkdir -p "$dir"
	fi
	echo "$dir"
}

# mw_src VERSION   the folder that holds the code of that MediaWiki, or a message and failure
mw_src() {
	local src
	case "$1" in
		1.39 | 1.43) src=$(mw_cache)/mw${1/./}/usr/share/mediawiki ;;
		*) die "unknown MediaWiki version '$1': 1.39 or 1.43" ;;
	esac
	# Debian 12 installs 1.39 itself.
	if [ "$1" = 1.39 ] && [ ! -d "$src" ] && mw_is /usr/share/mediawiki 1.39; then src=/usr/share/mediawiki; fi
	mw_is "$src" "$1" || die "MediaWiki $1 is not in $src: run testbed/install.sh"
	echo "$src"
}

# mw_is FOLDER VERSION   is that folder a MediaWiki of that version?
mw_is() { [ -f "$1/includes/WebStart.php" ] && grep -q "MW_VERSION', '${2/./\\.}\\." "$1/includes/Defines.php"; }

# mw_farm SRC W   makes W look like a MediaWiki tree in which only the entry points, extensions/, skins/, images/,
# cache/ and LocalSettings.php are its own, so that any number of wikis share one read-only tree.
mw_farm() {
	local src=$1 w=$2 f n
	mkdir -p "$w"/{extensions,skins,images,cache}
	for f in "$src"/*; do
		n=${f##*/}
		case "$n" in
			LocalSettings.php | config | extensions | extensions-core | skins | images | cache | index.html) ;;
			index.php | api.php | load.php | rest.php | img_auth.php | opensearch_desc.php | thumb.php | thumb_handler.php)
				# PHP's __DIR__ resolves symlinks, so a linked entry point would take the shared tree for the wiki.
				printf '<?php\ndefine( "MW_INSTALL_PATH", __DIR__ );\ndefine( "MW_CONFIG_FILE", __DIR__ . "/LocalSettings.php" );\nrequire "%s";\n' \
					"$f" >"$w/$n" ;;
			*) ln -sfn "$f" "$w/$n" ;;
		esac
	done
	# Debian keeps the extensions that MediaWiki bundles in a folder of their own.
	for f in "$src"/extensions-core/*/; do ln -sfn "${f%/}" "$w/extensions/$(basename "$f")"; done
	for f in "$src"/skins/*/; do ln -sfn "${f%/}" "$w/skins/$(basename "$f")"; done
}

# mw_install SRC W DATA SERVER SCRIPTPATH NAME LOGDIR   fills the database and writes LocalSettings.php
mw_install() {
	local src=$1 w=$2 data=$3 server=$4 path=$5 name=$6 log=$7/install-$6.log
	mw_farm "$src" "$w"
	MW_INSTALL_PATH=$w php -d display_errors=stderr "$src/maintenance/install.php" --confpath "$w" \
		--dbtype sqlite --dbpath "$data" --dbname "$name" --server "$server" --scriptpath "$path" \
		--pass "$admin_password" 'Test wiki' Admin >"$log" 2>&1 || { cat "$log" >&2; die 'the MediaWiki installer failed'; }
	mkdir -p "$w/conf.d"
	cat >>"$w/LocalSettings.php" <<'PHP'

// Everything below comes from the test bed.
foreach ( glob( __DIR__ . '/conf.d/*.php' ) as $testConf ) {
	require_once $testConf;
}
unset( $testConf );
PHP
}

# mw_settings DIR W SCRIPTPATH RELAYPORT   the settings that every test wiki has
mw_settings() {
	local dir=$1 w=$2 path=$3 port=$4
	cat >"$w/conf.d/00-test.php" <<PHP
<?php
\$wgShowExceptionDetails = true;
\$wgCacheDirectory = '$w/cache';
\$wgTmpDirectory = '$dir/tmp';
\$wgUploadDirectory = '$w/images';
\$wgUploadPath = '$path/images';
\$wgEnableUploads = true;
\$wgEnableEmail = false;
\$wgDBerrorLog = '$dir/log/dberror.log';
\$wgDebugLogGroups['exception'] = '$dir/log/exception.log';
\$wgDebugLogGroups['error'] = '$dir/log/error.log';
\$wgDebugLogGroups['fatal'] = '$dir/log/fatal.log';
\$wgDebugLogGroups['WebSocket'] = '$dir/log/websocket.log';
\$wgPasswordAttemptThrottle = [];
\$wgRateLimits = [];
\$wgAccountCreationThrottle = [];
\$wgWebSocketDirectory = '$dir/websocket';
PHP
	[ -z "$port" ] || echo "\$wgWebSocketPort = $port;" >>"$w/conf.d/00-test.php"
}

# mw_extra W USER SETTINGS-FILE... -- [NAME=]FOLDER...   further settings and extensions of one wiki
mw_extra() {
	local w=$1 user=$2 i=10 name
	shift 2
	while [ "$1" != -- ]; do
		cp "$1" "$w/conf.d/$i-$(basename "$1" .php).php"
		chmod a+r "$w/conf.d/$i-"*
		i=$((i + 1))
		shift
	done
	shift
	while [ $# -gt 0 ]; do
		name=WebSocket
		case "$1" in *=*) name=${1%%=*} ;; esac
		add_extension "$w" "$user" "$name" "$(cd "${1#*=}" && pwd)"
		shift
	done
}

# add_extension W USER NAME FOLDER   links the folder, or copies it when USER cannot read it where it is
add_extension() {
	local w=$1 user=$2 target=$1/extensions/$3 from=$4
	[ -f "$from/extension.json" ] || die "$from has no extension.json"
	if as_user "$user" test -r "$from/extension.json"; then
		rm -rf "$target"
		ln -sfn "$from" "$target"
		return
	fi
	mkdir -p "$target"
	tar -C "$from" --exclude=./.git --exclude=./.cache --exclude=./node_modules --exclude=./release -cf - . | tar -C "$target" -xf -
	chmod -R a+rX "$target"
}

# mw_wiki DIR   sets dir, w (the wiki's folder), src (MediaWiki's code) and user for a wiki made by wiki-up.sh
mw_wiki() {
	[ -d "$1/w" ] || die "$1 holds no wiki made by wiki-up.sh"
	dir=$(cd "$1" && pwd)
	w=$(readlink -f "$dir/w")
	# shellcheck disable=SC2034 # for the script that sources this file
	src=$(dirname "$(readlink -f "$w/includes")")
	user=$(stat -c %U "$dir/data")
}

# down_all FOLDER   takes down the wikis in the folders below FOLDER and removes it
down_all() {
	local d
	for d in "$1"/*/; do
		if [ -d "$d" ]; then "$testbed/wiki-down.sh" "$d" --rm; fi
	done
	rm -rf "$1"
}
