<?php
/**
 * The way of installing that the original extension documented:
 *
 *     include( "$IP/extensions/WebSocket/WebSocket.php" );
 *     WebSocket::$port = 1729;
 *
 * New wikis write wfLoadExtension( 'WebSocket' ) and set $wgWebSocketPort and so on instead.
 */

if ( !defined( 'MEDIAWIKI' ) ) {
	echo "This file is part of a MediaWiki extension and cannot be called by itself.\n";
	exit( 1 );
}

// The assignments to WebSocket::$… that follow the include come before MediaWiki's autoloader knows the class.
require_once __DIR__ . '/includes/WebSocketFacade.php';

// By name, not by __DIR__, so that it is the same extension as in a wfLoadExtension( 'WebSocket' ) elsewhere.
wfLoadExtension( 'WebSocket' );
