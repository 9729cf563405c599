<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Keys;

use MediaWiki\Config\ServiceOptions;
use MediaWiki\Extension\WebSocket\Relay\Registrar;
use MediaWiki\Extension\WebSocket\Relay\RelayAnswer;
use MediaWiki\Extension\WebSocket\Settings;
use MediaWiki\Extension\WebSocket\WikiIdentity;
use RuntimeException;
use Wikimedia\Timestamp\ConvertibleTimestamp;

/**
 * Gives the wiki a new key. Tokens that were signed with the one before count for KeyGeneration::OVERLAP_SECONDS more,
 * so nobody is dropped.
 */
class KeyRotation {
	/**
	 * @param ServiceOptions $options For WikiIdentity
	 * @param WikiSecret $secret
	 * @param KeyGenerations $generations
	 * @param Registrar $registrar
	 * @param Settings $settings
	 */
	public function __construct(
		private readonly ServiceOptions $options,
		private readonly WikiSecret $secret,
		private readonly KeyGenerations $generations,
		private readonly Registrar $registrar,
		private readonly Settings $settings
	) {
	}

	/**
	 * @param bool $twice Whether to go on although the last rotation is so recent that the key before it still counts,
	 *   and would not any more
	 * @return string What has happened, for the administrator
	 * @throws RuntimeException Saying why nothing has changed, and what to do
	 */
	public function rotate( bool $twice = false ): string {
		$this->check();
		$wikiId = WikiIdentity::idOf( $this->options );
		$now = ConvertibleTimestamp::time();
		$current = $this->generations->current( $wikiId );
		if ( $current->problem !== null ) {
			throw new RuntimeException( $current->problem );
		}
		if ( $current->isRecent( $now ) && !$twice ) {
			$until = wfTimestamp( TS_ISO_8601, $current->rotated + KeyGeneration::OVERLAP_SECONDS );
			throw new RuntimeException( "The last rotation is so recent that the key before it counts until $until. To "
				. 'rotate again would end that now, and pages from before would have to connect anew. If that is what '
				. 'you want, because that key is in the wrong hands: --rotate-key --force' );
		}
		$next = $current->next( $now );
		$wiki = new WikiIdentity( $this->options, $this->secret, $next );
		// The relay has to know the new key before the first token is signed with it.
		$answer = $this->registrar->register( $wiki );
		if ( !$answer->isOk() && $answer->status !== RelayAnswer::ABSENT ) {
			throw new RuntimeException( 'The relay does not take the new key, so the old one stays: '
				. "$answer->message ($answer->status)" );
		}
		if ( !$this->generations->save( $wikiId, $next ) ) {
			throw new RuntimeException( 'The new key could not be saved, so the old one stays; is the disk full?' );
		}
		// A page view in between has told the relay that the old key is the wiki's.
		$this->registrar->register( $wiki );
		$until = wfTimestamp( TS_ISO_8601, $now + KeyGeneration::OVERLAP_SECONDS );
		return "The wiki signs with key $next->number from now on; the one before counts until $until. "
			. ( $answer->isOk() ? 'The relay knows both.'
				: 'There is no relay now; it is told as soon as it is started and somebody views a page.' )
			. " Keep {$this->generations->getFile( $wikiId )}, which says so: without it the wiki would go back to its "
			. 'first key.';
	}

	private function check(): void {
		if ( $this->secret->isConfigured ) {
			throw new RuntimeException( '$wgWebSocketKey says what the key is, so it is rotated by hand: make a '
				. 'new one with "openssl rand -base64 32", set $wgWebSocketKey to it and $wgWebSocketOldKeys = '
				. '[ the one before ]; where the relay has a configuration file of its own, put both into "key" and '
				. '"keys" there first. Empty $wgWebSocketOldKeys and "keys" after 48 hours.' );
		}
		if ( $this->settings->relay !== null ) {
			throw new RuntimeException( 'The relay is elsewhere ($wgWebSocketRelay), so the key is rotated by '
				. 'hand: make one with "openssl rand -base64 32", put it into "key" in the configuration of that relay '
				. 'and the one that is there into "keys", then set $wgWebSocketKey to the new one. Empty "keys" after '
				. '48 hours. Where the wiki registers itself over a control socket, put the old key into '
				. '$wgWebSocketOldKeys instead.' );
		}
		$problem = $this->secret->problem ?? $this->generations->getProblem();
		if ( $problem !== null ) {
			throw new RuntimeException( $problem );
		}
	}
}
