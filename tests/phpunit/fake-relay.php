<?php
/**
 * A stand-in for the relay in tests, a process of its own: fake-relay.php ADDRESS MODE LOG
 *
 * It prints "ready", answers one connection after the other in the way MODE names, and appends each request that it
 * has read to LOG, as a line of JSON.
 */

[ , $address, $mode, $log ] = $argv;

function readRequest( $stream ): array {
	$text = '';
	while ( !str_contains( $text, "\r\n\r\n" ) && !feof( $stream ) ) {
		$text .= fread( $stream, 8192 );
	}
	[ $head, $body ] = explode( "\r\n\r\n", $text, 2 );
	$lines = explode( "\r\n", $head );
	[ $method, $path ] = explode( ' ', array_shift( $lines ) );
	$headers = [];
	foreach ( $lines as $line ) {
		[ $name, $value ] = explode( ': ', $line, 2 );
		$headers[strtolower( $name )] = $value;
	}
	while ( strlen( $body ) < (int)( $headers['content-length'] ?? 0 ) && !feof( $stream ) ) {
		$body .= fread( $stream, 65536 );
	}
	return [ 'method' => $method, 'path' => $path, 'headers' => $headers, 'body' => $body ];
}

function answer( $stream, int $status, string $body = '' ): void {
	fwrite( $stream, "HTTP/1.1 $status Status\r\nContent-Length: " . strlen( $body ) . "\r\n\r\n$body" );
}

function error( string $message ): string {
	return json_encode( [ 'error' => [ 'code' => 'test', 'message' => $message ] ] );
}

function respond( $stream, string $mode, array $request, array &$wikis ): void {
	$wiki = strpos( $request['path'], '/api/wikis/' ) === 0 ? $request['path'] : null;
	if ( $wiki !== null && $request['method'] === 'PUT' ) {
		$wikis[$wiki] = hash( 'sha256', $request['body'] );
		answer( $stream, 200, '{"etag":"' . $wikis[$wiki] . '"}' );
	} elseif ( $wiki !== null ) {
		$isSame = ( $request['headers']['if-none-match'] ?? '' ) === '"' . ( $wikis[$wiki] ?? '' ) . '"';
		answer( $stream, isset( $wikis[$wiki] ) ? ( $isSame ? 304 : 200 ) : 404 );
	} elseif ( $mode === 'refuse-bad' && str_contains( $request['body'], '"bad' ) ) {
		answer( $stream, 403, error( 'message 0: bad type' ) );
	} elseif ( $mode === 'know-registered' && !$wikis ) {
		answer( $stream, 401, error( 'unknown wiki' ) );
	} elseif ( $mode === 'chunked' ) {
		$body = error( "line\nbreak" );
		fwrite( $stream, "HTTP/1.1 400 No\r\nTransfer-Encoding: chunked\r\n\r\n"
			. dechex( strlen( $body ) ) . "\r\n$body\r\n0\r\n\r\n" );
	} else {
		answer( $stream, 200, '{"published":[]}' );
	}
}

$server = stream_socket_server( $address );
echo "ready\n";
$wikis = [];
while ( true ) {
	$stream = stream_socket_accept( $server, 3600 );
	if ( !$stream ) {
		continue;
	}
	if ( $mode === 'trickle' ) {
		for ( $i = 0; $i < 500 && @fwrite( $stream, 'H' ); $i++ ) {
			usleep( 10000 );
		}
	} elseif ( $mode === 'garbage' ) {
		fwrite( $stream, "SSH-2.0-Test\r\n\r\n" );
	} elseif ( $mode === 'early' ) {
		fread( $stream, 100 );
		answer( $stream, 413, error( 'too large' ) );
		stream_socket_shutdown( $stream, STREAM_SHUT_WR );
		usleep( 200000 );
	} elseif ( $mode !== 'hangup' ) {
		$request = readRequest( $stream );
		file_put_contents( $log, json_encode( $request ) . "\n", FILE_APPEND );
		respond( $stream, $mode, $request, $wikis );
	}
	fclose( $stream );
}
