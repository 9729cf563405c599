<?php
// Router for PHP's own server, which serves every file it finds and does not know WebAssembly.
$path = rawurldecode( (string)parse_url( $_SERVER['REQUEST_URI'], PHP_URL_PATH ) );
if ( preg_match( '~(^|/)(\.|(conf\.d|cache|includes|maintenance|languages|vendor)/)~', $path ) ) {
	http_response_code( 403 );
	return true;
}
$file = $_SERVER['DOCUMENT_ROOT'] . $path;
if ( str_ends_with( $path, '.wasm' ) && is_file( $file ) ) {
	header( 'Content-Type: application/wasm' );
	header( 'Content-Length: ' . filesize( $file ) );
	readfile( $file );
	return true;
}
return false;
