<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket;

use MediaWiki\Extension\WebSocket\Relay\Cooldown;
use Psr\Log\LoggerInterface;

/**
 * Log for trouble that stays until somebody mends it, and would otherwise be logged with each page view.
 */
class TroubleLog {
	/** Seconds between two entries about the same trouble */
	public const INTERVAL_SECONDS = 300;

	public function __construct(
		private readonly Cooldown $cooldown,
		private readonly LoggerInterface $logger
	) {
	}

	/**
	 * @param string $message With "{problem}" in it
	 * @param string $problem What is wrong and what to do
	 */
	public function error( string $message, string $problem ): void {
		if ( $this->cooldown->enter( 'log-' . md5( $message . $problem ), self::INTERVAL_SECONDS ) ) {
			$this->logger->error( $message, [ 'problem' => $problem ] );
		}
	}
}
