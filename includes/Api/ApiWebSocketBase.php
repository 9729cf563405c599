<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Api;

use ApiBase;
use ApiMain;
use MediaWiki\Extension\WebSocket\Settings;
use MediaWiki\Extension\WebSocket\WikiIdentity;

/**
 * A module that answers with tokens: for whoever asks, and for no cache.
 *
 * Where a foreign page can read the answer (origin=*, callback=…) MediaWiki has made the user anonymous before.
 */
abstract class ApiWebSocketBase extends ApiBase {
	public function __construct(
		ApiMain $main,
		string $action,
		protected readonly WikiIdentity $wiki,
		private readonly Settings $settings
	) {
		parent::__construct( $main, $action );
	}

	/** @inheritDoc */
	public function execute() {
		// A relay that still runs must lose the pages from before: it is not told anything any more.
		if ( $this->settings->polling ) {
			$this->dieWithError( 'apierror-websocket-polling', 'polling' );
		}
		if ( $this->wiki->key === null ) {
			$this->dieWithError( 'apierror-websocket-nokey', 'nokey' );
		}
		$this->getMain()->setCacheMode( 'private' );
		// ApiMain has no other way to send "no-store"; without max-age it would also obey the request's "maxage".
		$this->getMain()->setCacheControl( [ 'max-age' => '0, no-store' ] );
		$this->answer();
	}

	/**
	 * Add the result, or die.
	 */
	abstract protected function answer(): void;
}
