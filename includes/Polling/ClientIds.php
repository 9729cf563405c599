<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Polling;

use BagOStuff;

/**
 * Whose page has which client id. Others learn an id with the first message that it sends, so that is when it is noted:
 * nobody else can then poll for what is addressed to it, or send in its name.
 *
 * As with a relay, visitors without an account count as one user.
 */
class ClientIds {
	/** Seconds after the last message for which an id belongs to its user */
	private const LIFE_SECONDS = 86400;

	public function __construct( private readonly BagOStuff $stash ) {
	}

	/**
	 * @param string $id
	 * @param string $user Name; '' without an account
	 * @return bool false: it belongs to another user
	 */
	public function claim( string $id, string $user ): bool {
		return $this->stash->add( $this->key( $id ), [ $user ], self::LIFE_SECONDS )
			|| ( $this->isFor( $id, $user )
				&& $this->stash->set( $this->key( $id ), [ $user ], self::LIFE_SECONDS ) );
	}

	/**
	 * @param string $id
	 * @param string $user Name; '' without an account
	 * @return bool false: it belongs to another user
	 */
	public function isFor( string $id, string $user ): bool {
		$owner = $this->stash->get( $this->key( $id ) );
		return !is_array( $owner ) || $owner === [ $user ];
	}

	private function key( string $id ): string {
		return $this->stash->makeKey( 'websocket-client', $id );
	}
}
