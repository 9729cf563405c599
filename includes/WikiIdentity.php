<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket;

use MediaWiki\Config\ServiceOptions;
use MediaWiki\Extension\WebSocket\Keys\KeyGeneration;
use MediaWiki\Extension\WebSocket\Keys\WikiSecret;
use MediaWiki\MainConfigNames;
use Wikimedia\Timestamp\ConvertibleTimestamp;

/**
 * Who this wiki is to the relay: its id and the key that signs its tokens.
 */
class WikiIdentity {
	public const CONSTRUCTOR_OPTIONS = [
		MainConfigNames::DBname,
		MainConfigNames::DBprefix,
	];

	/** @var string Table prefix, database name and ":", which stands nowhere else in it */
	public readonly string $id;

	/** @var string|null Raw key of 32 bytes; null: nothing can be signed, see $problem */
	public readonly ?string $key;

	/** @var KeyGeneration That of the key, unless that is configured */
	public readonly KeyGeneration $generation;

	/** @var string|null The raw key that was rotated a short while ago, whose tokens still count */
	public readonly ?string $oldKey;

	/** @var string|null Why there is no key, for the log */
	public readonly ?string $problem;

	/** @var string Secret from which the names of sessions are made; rotating the key does not change it */
	public readonly string $nameKey;

	/**
	 * @param ServiceOptions $options
	 * @param WikiSecret $secret
	 * @param KeyGeneration $generation Of the key, unless that is configured
	 */
	public function __construct(
		ServiceOptions $options,
		WikiSecret $secret,
		KeyGeneration $generation
	) {
		$this->id = self::idOf( $options );
		$this->problem = $secret->problem ?? ( $secret->isConfigured ? null : $generation->problem );
		$this->generation = $generation;
		$this->key = $this->problem === null ? $secret->key( $generation->number ) : null;
		$hasOld = $this->key !== null && !$secret->isConfigured
			&& $generation->isRecent( ConvertibleTimestamp::time() );
		$this->oldKey = $hasOld ? $secret->key( $generation->number - 1 ) : null;
		$this->nameKey = (string)$secret->derive( 'WebSocket sessions', WikiSecret::KEY_BYTES );
	}

	/**
	 * @param ServiceOptions $options
	 * @return string See $id
	 */
	public static function idOf( ServiceOptions $options ): string {
		$options->assertRequiredOptions( self::CONSTRUCTOR_OPTIONS );
		$name = $options->get( MainConfigNames::DBprefix ) . $options->get( MainConfigNames::DBname );
		return str_replace( ':', '_', $name ) . ':';
	}
}
