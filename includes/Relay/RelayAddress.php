<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Relay;

use MediaWiki\Extension\WebSocket\Settings;

/**
 * Where PHP finds the relay.
 */
class RelayAddress {
	/** @var string|null unix:// address of the control socket; null: it has none that can be reached from here */
	public readonly ?string $control;

	/** @var string|null tcp:// address of the port that browsers connect to */
	public readonly ?string $public;

	public function __construct( Settings $settings, StateDirectory $directory ) {
		$relay = $settings->relay;
		if ( $relay === null ) {
			// In a folder that cannot be trusted the socket may be anybody's, and would be told the wiki's key.
			$this->control = $directory->getProblem() === null ? "unix://{$directory->getControlSocket()}" : null;
			$this->public = 'tcp://' . $this->reachable( $settings->listen ?? ":{$settings->port}" );
		} elseif ( str_starts_with( $relay, 'unix:' ) ) {
			$this->control = $relay;
			$this->public = null;
		} else {
			$this->control = null;
			$this->public = $relay;
		}
	}

	/** @return string What to connect to when the relay listens there */
	private function reachable( string $listen ): string {
		$listen = preg_replace( '/^(?:0\.0\.0\.0)?(?=:\d+$)/D', '127.0.0.1', $listen );
		return preg_replace( '/^\[::\](?=:\d+$)/D', '[::1]', $listen );
	}
}
