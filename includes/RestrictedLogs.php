<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket;

use MediaWiki\Config\ServiceOptions;
use MediaWiki\MainConfigNames;

/**
 * Which logs not everybody may read.
 */
class RestrictedLogs {
	public const CONSTRUCTOR_OPTIONS = [ MainConfigNames::LogRestrictions ];

	/** @var array<string,string> Log type => right, '' or '*' for none */
	private readonly array $restrictions;

	public function __construct( ServiceOptions $options ) {
		$options->assertRequiredOptions( self::CONSTRUCTOR_OPTIONS );
		$this->restrictions = $options->get( MainConfigNames::LogRestrictions );
	}

	/**
	 * @param string $logType
	 * @return bool
	 */
	public function isRestricted( string $logType ): bool {
		return !in_array( $this->restrictions[$logType] ?? '', [ '', '*' ], true );
	}
}
