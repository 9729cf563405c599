<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket;

use Closure;
use User;
use WebRequest;

/**
 * Who a message from PHP comes from.
 */
class ClientId {
	private const MAX_BYTES = 64;

	private ?string $own = null;

	/**
	 * @param Closure():WebRequest $request
	 * @param Closure():User $user Of the request
	 * @param string $override $wgWebSocketClientID, or ''
	 */
	public function __construct(
		private readonly Closure $request,
		private readonly Closure $user,
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
	 * Whose request it is that says which page it is from. The relay believes the page's id only if the page is his.
	 *
	 * @return string|null '' without an account; null: the request names no page
	 */
	public function actor(): ?string {
		if ( $this->fromRequest() === null ) {
			return null;
		}
		$user = ( $this->user )();
		return $user->isSafeToLoad() && $user->isRegistered() ? $user->getName() : '';
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
