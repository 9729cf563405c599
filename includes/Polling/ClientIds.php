<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Polling;

use BagOStuff;
use Wikimedia\Timestamp\ConvertibleTimestamp;

/**
 * Whose page has which client id. It is noted when the page asks for the first time, before anybody else can have
 * learnt it: nobody else can then poll for what is addressed to it, or send in its name.
 *
 * As with a relay, visitors without an account count as one user.
 */
class ClientIds {
	/** Seconds for which an id belongs to its user, and after which it is noted anew, if the page still polls */
	private const LIFE_SECONDS = 86400;
	private const RENEWAL_SECONDS = 21600;

	public function __construct( private readonly BagOStuff $stash ) {
	}

	/**
	 * @param string $id
	 * @param string $user Name; '' without an account
	 * @return bool false: it belongs to another user
	 */
	public function claim( string $id, string $user ): bool {
		return $this->stash->add( $this->key( $id ), [ $user ], self::LIFE_SECONDS )
			|| ( $this->owner( $id ) === [ $user ]
				&& $this->stash->set( $this->key( $id ), [ $user ], self::LIFE_SECONDS ) );
	}

	/**
	 * A page polls: claim its id when that is due, which most polls need not.
	 *
	 * @param string $id
	 * @param string $user Name; '' without an account
	 * @param int $last Unix time of the page's last poll; 0: there was none
	 */
	public function keep( string $id, string $user, int $last ): void {
		// Not all pages at the same moment.
		$shift = crc32( $id ) % self::RENEWAL_SECONDS;
		$turn = static fn ( int $time ): int => intdiv( $time + $shift, self::RENEWAL_SECONDS );
		if ( $turn( $last ) !== $turn( ConvertibleTimestamp::time() ) ) {
			$this->claim( $id, $user );
		}
	}

	/**
	 * @param string $id
	 * @param string $user Name; '' without an account
	 * @return bool false: it belongs to another user
	 */
	public function isFor( string $id, string $user ): bool {
		$owner = $this->owner( $id );
		// The stash may have lost it.
		return is_array( $owner ) ? $owner === [ $user ] : $this->claim( $id, $user );
	}

	/** @return mixed */
	private function owner( string $id ) {
		// Of replicas one may not know yet what another process has noted.
		return $this->stash->get( $this->key( $id ), BagOStuff::READ_LATEST );
	}

	private function key( string $id ): string {
		return $this->stash->makeKey( 'websocket-client', $id );
	}
}
