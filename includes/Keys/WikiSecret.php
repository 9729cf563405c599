<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Keys;

use MediaWiki\Config\ServiceOptions;
use MediaWiki\MainConfigNames;

/**
 * What the wiki's keys and secret names are derived from, with HKDF-SHA256 (RFC 5869).
 */
class WikiSecret {
	public const CONSTRUCTOR_OPTIONS = [
		MainConfigNames::SecretKey,
		'WebSocketKey',
	];

	public const KEY_BYTES = 32;

	/** @var bool Whether $wgWebSocketKey says what the key is, good or bad */
	public readonly bool $isConfigured;

	/** @var string|null Why there is no key, and what to do */
	public readonly ?string $problem;

	/** @var string 16 hexadecimal digits that nobody can guess, the same in every request; '': there is no secret */
	public readonly string $name;

	private readonly ?string $configured;
	private readonly string $secret;

	public function __construct( ServiceOptions $options ) {
		$options->assertRequiredOptions( self::CONSTRUCTOR_OPTIONS );
		$this->secret = (string)$options->get( MainConfigNames::SecretKey );
		$configured = $options->get( 'WebSocketKey' );
		$this->isConfigured = $configured !== null && $configured !== '';
		$this->configured = $this->isConfigured ? self::parse( $configured ) : null;
		if ( $this->isConfigured ) {
			$this->problem = $this->configured !== null ? null
				: '$wgWebSocketKey is not the base64 of 32 bytes; make one with: openssl rand -base64 32';
		} else {
			$this->problem = $this->secret !== '' ? null
				: '$wgSecretKey is empty, so there is no key to sign with; set it, or $wgWebSocketKey';
		}
		$this->name = bin2hex( (string)$this->derive( 'WebSocket directory', 8 ) );
	}

	/**
	 * @param mixed $text
	 * @return string|null The key that this is the base64 of
	 */
	public static function parse( mixed $text ): ?string {
		$raw = is_string( $text ) ? base64_decode( $text, true ) : false;
		return $raw !== false && strlen( $raw ) === self::KEY_BYTES ? $raw : null;
	}

	/**
	 * @param int $generation How often the key has been rotated; does not matter to a configured key
	 * @return string|null Raw key; null: there is none, see $problem
	 */
	public function key( int $generation ): ?string {
		if ( $this->isConfigured || $this->secret === '' ) {
			return $this->configured;
		}
		$info = 'WebSocket relay' . ( $generation === 0 ? '' : " $generation" );
		return hash_hkdf( 'sha256', $this->secret, self::KEY_BYTES, $info );
	}

	/**
	 * Rotating the key does not change what this returns.
	 *
	 * @param string $info What it is for
	 * @param int $bytes
	 * @return string|null null: there is no secret
	 */
	public function derive( string $info, int $bytes ): ?string {
		$base = $this->secret !== '' ? $this->secret : (string)$this->configured;
		return $base === '' ? null : hash_hkdf( 'sha256', $base, $bytes, $info );
	}
}
