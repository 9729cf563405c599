<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket;

use Closure;
use WebRequest;

/**
 * Who a message from PHP comes from.
 */
class ClientId {
	private const MAX_BYTES = 64;

	private ?string $own = null;

	/**
	 * @param Closure():WebRequest $request
	 * @param string $override $wgWebSocketClientID, or ''
	 */
	public function __construct(
		private readonly Closure $request,
		private readonly string $override
	) {
	}

	/**
	 * @param mixed $id
	 * @return bool Whether the relay takes it as a client id
	 */
	public static function isValid( $id ): bool {
		return is_string( $id ) && strlen( $id ) <= self::MAX_BYTES && preg_match( '/^[A-Za-z0-9_.:-]+$/D', $id );
	}

	/**
	 * The page that made this request, if it said so: pages pass their id along with their Ajax requests in order
	 * not to be told what they already know.
	 *
	 * @return string|null
	 */
	public function fromRequest(): ?string {
		$id = ( $this->request )()->getRawVal( 'clientID' );
		return self::isValid( $id ) ? $id : null;
	}

	/**
	 * The id of this request itself, the same throughout the request.
	 *
	 * @return string
	 */
	public function own(): string {
		$this->own ??= $this->override !== '' ? $this->override : 'WS' . bin2hex( random_bytes( 15 ) );
		return $this->own;
	}
}
