# shellcheck shell=bash
# shellcheck disable=SC2154 # dir, port, path, user, workers ... belong to wiki-up.sh, which sources this file
# The web servers of the test bed.  Nothing here touches the system's own configuration, logs or services.

# spawn NAME COMMAND...   each server is a process group of its own, so that its workers go down with it
spawn() {
	local name=$1 cmd
	shift
	cmd=(setsid "$@")
	if [ "$(id -u)" = 0 ]; then cmd=(setsid setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups "$@"); fi
	(cd "$dir" && exec "${cmd[@]}" </dev/null >>"$dir/log/$name.out" 2>&1) &
	echo "$! $name" >>"$dir/pids"
}

make_certificate() {
	[ ! -f "$dir/tls/cert.pem" ] || return 0
	mkdir -p "$dir/tls"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=localhost \
		-addext subjectAltName=IP:127.0.0.1,DNS:localhost -keyout "$dir/tls/key.pem" -out "$dir/tls/cert.pem" 2>"$dir/log/openssl.log"
	chmod 600 "$dir/tls/key.pem"
	[ "$(id -u)" != 0 ] || chown -R "$user:" "$dir/tls"
}

# With the default of 2 seconds the workers disagree about a changed LocalSettings.php.
php_ini() {
	cat <<CONF
opcache.revalidate_freq=0
error_log=$dir/log/php.log
session.save_path=$dir/tmp
sys_temp_dir=$dir/tmp
upload_tmp_dir=$dir/tmp
CONF
	[ ${#ini[@]} = 0 ] || printf '%s\n' "${ini[@]}"
}

serve_php() {
	local flags=() line
	while read -r line; do flags+=(-d "$line"); done < <(php_ini)
	cp "$testbed/router.php" "$dir/router.php"
	chmod a+r "$dir/router.php"
	spawn php env PHP_CLI_SERVER_WORKERS="$workers" php "${flags[@]}" -d log_errors=1 -d display_errors=0 \
		-S "127.0.0.1:$port" -t "$dir/docroot" "$dir/router.php"
}

serve_fpm() {
	local fpm
	fpm=$(find /usr/sbin -maxdepth 1 -name 'php-fpm[0-9]*' | sort -V | tail -n 1)
	[ -n "$fpm" ] || die 'php-fpm is not installed: run testbed/install.sh'
	cat >"$dir/php-fpm.conf" <<CONF
[global]
pid = $dir/run/php-fpm.pid
error_log = $dir/log/php-fpm.log
daemonize = no
[www]
listen = $dir/run/php-fpm.sock
pm = static
pm.max_children = $workers
catch_workers_output = yes
php_admin_flag[log_errors] = on
php_admin_flag[display_errors] = off
$(php_ini | sed 's/^\(.*\)=\(.*\)$/php_admin_value[\1] = \2/')
CONF
	spawn php-fpm "$fpm" -F -y "$dir/php-fpm.conf"
}

nginx_rewrite() {
	case "$rewrite" in
		documented) cat <<'CONF' ;;
    location ~ websocket:([0-9]+) {
      proxy_pass http://127.0.0.1:$1;
      proxy_http_version 1.1;
      proxy_set_header Upgrade websocket;
      proxy_set_header Connection upgrade;
      proxy_read_timeout 86400;
    }
CONF
		better) cat <<CONF ;;
    location ^~ /websocket {
      proxy_pass http://127.0.0.1:$relay_port;
      proxy_http_version 1.1;
      proxy_set_header Upgrade \$http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_set_header Host \$http_host;
      proxy_set_header X-Forwarded-For \$remote_addr;
      proxy_read_timeout 1h;
    }
CONF
		blocked | buffered) cat <<CONF ;;
    location ^~ /websocket {
      proxy_pass http://127.0.0.1:$relay_port;
      proxy_http_version 1.1;
      proxy_set_header Host \$http_host;
      proxy_set_header X-Forwarded-For \$remote_addr;
      proxy_read_timeout 1h;
$([ "$rewrite" = blocked ] || echo '      proxy_ignore_headers X-Accel-Buffering;')
    }
CONF
	esac
}

serve_nginx() {
	local nginx listen="listen 127.0.0.1:$port;"
	nginx=$(command -v nginx || echo /usr/sbin/nginx)
	[ -x "$nginx" ] || die 'nginx is not installed: run testbed/install.sh'
	[ -z "$tls" ] || listen="listen 127.0.0.1:$port ssl; ssl_certificate $dir/tls/cert.pem; ssl_certificate_key $dir/tls/key.pem;"
	serve_fpm
	cat >"$dir/nginx.conf" <<CONF
daemon off;
worker_processes 1;
pid $dir/run/nginx.pid;
error_log $dir/log/nginx-error.log info;
events { worker_connections 1024; }
http {
  include /etc/nginx/mime.types;
  default_type application/octet-stream;
  access_log $dir/log/nginx-access.log;
  client_body_temp_path $dir/tmp/cb; proxy_temp_path $dir/tmp/px; fastcgi_temp_path $dir/tmp/fc;
  uwsgi_temp_path $dir/tmp/uw; scgi_temp_path $dir/tmp/sc;
  client_max_body_size 64m;
  sendfile on;
  gzip on; gzip_min_length 256; gzip_types text/css application/javascript application/json image/svg+xml;
  server {
    $listen
    root $dir/docroot;
    index index.php;
$(nginx_rewrite)
    location ~ /(conf\.d|cache|includes|maintenance|languages|vendor)/ { deny all; }
    location ~ ^(?:/[^/]+)?/(index|load|api|thumb|opensearch_desc|rest|img_auth|thumb_handler)\.php(/|\$) {
      fastcgi_split_path_info ^(.+?\.php)(/.*)\$;
      include /etc/nginx/fastcgi_params;
      fastcgi_param SCRIPT_FILENAME \$document_root\$fastcgi_script_name;
      fastcgi_param PATH_INFO \$fastcgi_path_info;
      fastcgi_param HTTP_PROXY "";
      fastcgi_pass unix:$dir/run/php-fpm.sock;
    }
    location ~ \.php\$ { deny all; }
    location / { try_files \$uri \$uri/ =404; }
  }
}
CONF
	# -e: without it nginx opens the system's own error log before it has read the configuration
	spawn nginx "$nginx" -p "$dir" -e "$dir/log/nginx-error.log" -c "$dir/nginx.conf"
}

apache_rewrite() {
	case "$rewrite" in
		documented) cat <<'CONF' ;;
RewriteEngine On
RewriteCond %{REQUEST_URI} ^/websocket:[0-9]+
RewriteRule ^/websocket(:.+) ws://localhost$1 [P]
CONF
		better) cat <<CONF ;;
ProxyPreserveHost On
ProxyPassMatch "^/websocket" "http://127.0.0.1:$relay_port" upgrade=websocket timeout=3600
CONF
		blocked | buffered)
			printf 'ProxyPreserveHost On\nProxyPassMatch "^/websocket" "http://127.0.0.1:%s" timeout=3600\n' "$relay_port"
			# Apache by itself hands on at once what comes; a program as a filter does not.
			[ "$rewrite" = blocked ] ||
				printf 'ExtFilterDefine hold mode=output cmd=/bin/cat\n<LocationMatch "^/websocket">\nSetOutputFilter hold\n</LocationMatch>\n' ;;
	esac
}

apache_modules() {
	local m
	for m in mpm_prefork authn_core authz_core authz_host dir mime alias rewrite headers env setenvif deflate filter \
		proxy proxy_http proxy_wstunnel ext_filter reqtimeout ssl; do
		echo "LoadModule ${m}_module modules/mod_$m.so"
	done
}

serve_apache() {
	local lib ssl=''
	lib=$(find /usr/lib/apache2/modules -name 'libphp*.so' 2>/dev/null | sort -V | tail -n 1)
	[ -n "$lib" ] || die 'Apache with mod_php is not installed: run testbed/install.sh'
	[ -z "$tls" ] || ssl=$(printf 'SSLEngine on\nSSLCertificateFile %s\nSSLCertificateKeyFile %s' "$dir/tls/cert.pem" "$dir/tls/key.pem")
	cat >"$dir/apache.conf" <<CONF
ServerRoot /usr/lib/apache2
DefaultRuntimeDir $dir/run
PidFile $dir/run/apache.pid
Mutex file:$dir/run
Listen 127.0.0.1:$port
ServerName 127.0.0.1
$(apache_modules)
LoadModule php_module $lib
StartServers $workers
MinSpareServers $workers
MaxSpareServers $workers
# An open socket that passes through Apache holds one of these.
MaxRequestWorkers $((workers * 4))
TypesConfig /etc/mime.types
LogFormat "%h %l %u %t \"%r\" %>s %O" common
CustomLog $dir/log/apache-access.log common
ErrorLog $dir/log/apache-error.log
LogLevel warn
DocumentRoot $dir/docroot
DirectoryIndex index.php
AcceptPathInfo On
<FilesMatch "\\.php\$">
  SetHandler application/x-httpd-php
</FilesMatch>
php_admin_flag log_errors on
php_admin_flag display_errors off
$(php_ini | sed 's/^\(.*\)=\(.*\)$/php_admin_value \1 \2/')
<Directory />
  AllowOverride None
  Require all denied
</Directory>
<Directory $dir/docroot>
  Options FollowSymLinks
  Require all granted
</Directory>
<LocationMatch "/(conf\.d|cache|includes|maintenance|languages|vendor)/">
  Require all denied
</LocationMatch>
AddOutputFilterByType DEFLATE text/html text/css text/javascript application/javascript application/json
$ssl
$(apache_rewrite)
CONF
	spawn apache /usr/sbin/apache2 -d /usr/lib/apache2 -f "$dir/apache.conf" -DFOREGROUND
}

# Asks the API and not a page: the first page view is the one that starts the relay, and belongs to the caller.
wait_for_wiki() {
	local pid name log tries=0 curl=(curl -fsS -m 5 -o "$dir/tmp/first.out")
	[ -z "$tls" ] || curl+=(--cacert "$dir/tls/cert.pem")
	until "${curl[@]}" "$scheme://127.0.0.1:$port$path/api.php?action=query&meta=siteinfo&format=json" 2>"$dir/tmp/first.err"; do
		while read -r pid name; do
			kill -0 "$pid" 2>/dev/null || { tail -n 20 "$dir/log/$name.out" >&2; "$testbed/wiki-down.sh" "$dir"; die "$name ended; its logs are in $dir/log"; }
		done <"$dir/pids"
		tries=$((tries + 1))
		if [ "$tries" = 200 ]; then
			for log in "$dir"/log/*; do say "== $log"; tail -n 15 "$log" >&2; done
			cat "$dir/tmp/first.err" >&2
			"$testbed/wiki-down.sh" "$dir"
			die 'the wiki does not answer'
		fi
		sleep 0.05
	done
}
