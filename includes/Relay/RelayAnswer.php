<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Relay;

/**
 * What came of asking the relay something.
 */
class RelayAnswer {
	/** Nobody is there: no socket, or the connection was refused */
	public const ABSENT = -1;
	/** It was too slow, and is left alone for a while */
	public const TIMEOUT = -2;
	/** It was too slow a while ago, so it was not asked */
	public const RESTING = -3;
	/** It did not speak HTTP, or hung up */
	public const BROKEN = -4;
	/** The wiki has got another key since this process began, so the relay was not told of the old one */
	public const OUTDATED = -5;

	/**
	 * @param int $status HTTP status, or one of the constants
	 * @param string $message What the relay or the system said, when it was an error
	 * @param string $body What the relay answered, when that was asked for
	 */
	public function __construct(
		public readonly int $status,
		public readonly string $message = '',
		public readonly string $body = ''
	) {
	}

	public function isOk(): bool {
		return $this->status >= 200 && $this->status < 300;
	}
}
