<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Api;

use ApiMain;
use MediaWiki\Extension\WebSocket\ConnectTokens;
use MediaWiki\Extension\WebSocket\Settings;
use MediaWiki\Extension\WebSocket\WikiIdentity;

/**
 * action=websocket-token: the token with which the browser of whoever asks connects to the relay.
 */
class ApiWebSocketToken extends ApiWebSocketBase {
	public function __construct(
		ApiMain $main,
		string $action,
		private readonly ConnectTokens $tokens,
		WikiIdentity $wiki,
		Settings $settings
	) {
		parent::__construct( $main, $action, $wiki, $settings );
	}

	/** @inheritDoc */
	protected function answer(): void {
		$token = $this->tokens->forAuthority( $this->getAuthority(), $this->getRequest() );
		if ( $token === null ) {
			$this->dieWithError( 'apierror-readapidenied' );
		}
		$this->getResult()->addValue( null, $this->getModuleName(), [
			'token' => $token['token'],
			'expires' => $token['expires'],
			'wiki' => $this->wiki->id,
			'user' => $token['user'],
		] );
	}

	/** @inheritDoc */
	protected function getExamplesMessages() {
		return [ 'action=websocket-token' => 'apihelp-websocket-token-example' ];
	}
}
