#!/usr/bin/env bash
# wiki-up.sh VERSION SERVER PORT DIR [options]   puts up a MediaWiki of its own in DIR
#   VERSION  1.39 | 1.43
#   SERVER   php (PHP's own) | nginx (with php-fpm) | apache (with mod_php) | none
#   PORT     the wiki listens on 127.0.0.1:PORT
#   DIR      new or empty; or a wiki taken down before, which is started again
# options
#   --ext [NAME=]FOLDER   an extension, as extensions/NAME (default WebSocket); loading it is up to the settings; repeatable
#   --settings FILE       PHP settings, read after those of the test bed; repeatable
#   --name DBNAME         $wgDBname (default testwiki)
#   --script-path PATH    $wgScriptPath, e.g. /w (default: none)
#   --relay-port N        $wgWebSocketPort
#   --rewrite documented  the web server passes /websocket:PORT on, with the rules that the extension has always documented
#   --rewrite better      the web server passes /websocket... on to --relay-port, keeping Host and Origin
#   --rewrite blocked     the same for a network in which no WebSocket opens
#   --rewrite buffered    the same, and what does not end is held back
#   --tls                 the wiki speaks https with a certificate for 127.0.0.1 and localhost, DIR/tls/cert.pem
#   --workers N           PHP workers (default 4)
#   --ini NAME=VALUE      PHP setting; repeatable
# Prints url=, admin= and dir= lines.  wiki-down.sh DIR stops everything, also the relay that the wiki started.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$testbed/servers.sh"

[ $# -ge 4 ] || usage
version=$1 server=$2 port=$3 dir=$4
shift 4
exts=() settings=() ini=() path='' name=testwiki workers=4 relay_port='' rewrite='' tls=''
while [ $# -gt 0 ]; do
	case "$1" in
		--ext) exts+=("$2") ;;
		--settings) settings+=("$2") ;;
		--name) name=$2 ;;
		--script-path) path=$2 ;;
		--relay-port) relay_port=$2 ;;
		--rewrite) rewrite=$2 ;;
		--workers) workers=$2 ;;
		--ini) ini+=("$2") ;;
		--tls) tls=1; shift; continue ;;
		*) say "unknown option $1"; usage ;;
	esac
	shift 2
done
case "$server" in php | nginx | apache | none) ;; *) die "unknown server '$server': php, nginx, apache or none" ;; esac
case "$rewrite" in '' | documented | better | blocked | buffered) ;; *) die "unknown rewrite rules '$rewrite': documented, better, blocked or buffered" ;; esac
case "$rewrite:$relay_port" in better: | blocked: | buffered:) die "--rewrite $rewrite needs --relay-port" ;; esac
case "$server:$tls$rewrite" in php:?*) die "PHP's own server knows neither TLS nor rewrite rules: use nginx or apache" ;; esac

src=$(mw_src "$version")
user=$(server_user)
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
[ ! -e "$dir/pids" ] || die "$dir is up already; wiki-down.sh $dir takes it down"
if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then die "port $port is taken"; fi
as_user "$user" test -x "$dir" || die "$user, who runs the servers, cannot enter $dir"
mkdir -p "$dir"/{data,run,log,tmp,docroot,websocket}
chmod 700 "$dir/websocket"
w=$dir/docroot$path
mkdir -p "$w"
ln -sfn "$w" "$dir/w"
scheme=http
[ -z "$tls" ] || { scheme=https; make_certificate; }

if [ ! -f "$w/LocalSettings.php" ]; then
	mw_install "$src" "$w" "$dir/data" "$scheme://127.0.0.1:$port" "$path" "$name" "$dir/log"
	mw_settings "$dir" "$w" "$path" "$relay_port"
fi
mw_extra "$w" "$user" "${settings[@]}" -- "${exts[@]}"
[ "$(id -u)" != 0 ] || chown -R "$user:" "$dir"/{data,run,log,tmp,websocket} "$w"/{images,cache}

: >"$dir/pids"
case "$server" in
	php) serve_php ;;
	nginx) serve_nginx ;;
	apache) serve_apache ;;
esac
[ "$server" = none ] || wait_for_wiki
printf 'url=%s\nadmin=Admin password=%s\ndir=%s\n' "$scheme://127.0.0.1:$port$path" "$admin_password" "$dir"
