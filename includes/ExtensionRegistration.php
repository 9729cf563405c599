<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket;

use WebSocket;

/**
 * What has to be done between LocalSettings.php and the start of MediaWiki's services.
 */
class ExtensionRegistration {
	private const SETTINGS = [
		'port' => 'wgWebSocketPort',
		'rewrite' => 'wgWebSocketRewrite',
		'log' => 'wgWebSocketLog',
		'ssl_cert' => 'wgWebSocketTLSCert',
		'ssl_key' => 'wgWebSocketTLSKey',
		'clientID' => 'wgWebSocketClientID',
	];

	/**
	 * Callback of extension.json: copies what LocalSettings.php has assigned to WebSocket::$… into $wgWebSocket….
	 */
	public static function onRegistration(): void {
		// Not loaded means not included, so nothing was assigned.
		if ( !class_exists( WebSocket::class, false ) ) {
			return;
		}
		foreach ( self::SETTINGS as $property => $global ) {
			$value = WebSocket::${$property};
			if ( $value !== null ) {
				$GLOBALS[$global] = $value;
			}
		}
	}
}
