<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket;

use MediaWiki\Config\ServiceOptions;
use MediaWiki\MainConfigNames;

/**
 * Who this wiki is to the relay: its id and the key that signs its tokens.
 */
class WikiIdentity {
	public const CONSTRUCTOR_OPTIONS = [
		MainConfigNames::DBname,
		MainConfigNames::DBprefix,
		MainConfigNames::SecretKey,
		'WebSocketKey',
	];

	private const KEY_BYTES = 32;

	/** @var string Table prefix, database name and ":", which stands nowhere else in it */
	public readonly string $id;

	/** @var string|null Raw key of 32 bytes; null: nothing can be signed, see $problem */
	public readonly ?string $key;

	/** @var string|null Why there is no key, for the log */
	public readonly ?string $problem;

	/** @var string 16 hexadecimal digits that nobody can guess, the same in every request */
	public readonly string $secretName;

	public function __construct( ServiceOptions $options ) {
		$options->assertRequiredOptions( self::CONSTRUCTOR_OPTIONS );
		$name = $options->get( MainConfigNames::DBprefix ) . $options->get( MainConfigNames::DBname );
		$this->id = str_replace( ':', '_', $name ) . ':';

		$secret = (string)$options->get( MainConfigNames::SecretKey );
		$configured = $options->get( 'WebSocketKey' );
		$key = null;
		$problem = null;
		if ( $configured !== null && $configured !== '' ) {
			$raw = is_string( $configured ) ? base64_decode( $configured, true ) : false;
			if ( $raw !== false && strlen( $raw ) === self::KEY_BYTES ) {
				$key = $raw;
			} else {
				$problem = '$wgWebSocketKey is not the base64 of 32 bytes; make one with: openssl rand -base64 32';
			}
		} elseif ( $secret !== '' ) {
			$key = hash_hkdf( 'sha256', $secret, self::KEY_BYTES, 'WebSocket relay' );
		} else {
			$problem = '$wgSecretKey is empty, so there is no key to sign with; set it, or $wgWebSocketKey';
		}
		$this->key = $key;
		$this->problem = $problem;
		$base = $secret !== '' ? $secret : (string)$key;
		$this->secretName = $base === '' ? '' : bin2hex( hash_hkdf( 'sha256', $base, 8, 'WebSocket directory' ) );
	}
}
