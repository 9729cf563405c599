<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket;

use MediaWiki\Extension\WebSocket\Backlog\Backlog;
use MediaWiki\Extension\WebSocket\Revocation\Revoker;
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

	/** Jobs a second, so that a job runner does not turn round and round while the relay is away */
	private const JOBS_PER_SECOND = 1;

	/**
	 * Callback of extension.json: copies what LocalSettings.php has assigned to WebSocket::$… into $wgWebSocket….
	 */
	public static function onRegistration(): void {
		$GLOBALS['wgJobBackoffThrottling'][Backlog::JOB] ??= self::JOBS_PER_SECOND;
		$GLOBALS['wgJobBackoffThrottling'][Revoker::JOB] ??= self::JOBS_PER_SECOND;
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
