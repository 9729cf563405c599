<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Api;

use ApiBase;
use ApiMain;
use MediaWiki\Extension\WebSocket\TokenMinter;
use MediaWiki\Extension\WebSocket\WikiIdentity;

/**
 * action=websocket-token: the token with which the browser of whoever asks connects to the relay.
 */
class ApiWebSocketToken extends ApiBase {
	public function __construct(
		ApiMain $main,
		string $action,
		private readonly TokenMinter $tokens,
		private readonly WikiIdentity $wiki
	) {
		parent::__construct( $main, $action );
	}

	/** @inheritDoc */
	public function execute() {
		if ( $this->wiki->key === null ) {
			$this->dieWithError( 'apierror-websocket-nokey', 'nokey' );
		}
		$user = $this->getUser();
		$name = $user->isRegistered() ? $user->getName() : '';
		$session = $name === '' ? '' : $this->getRequest()->getSession()->getId();
		$token = $this->tokens->connectToken( $name, $this->tokens->sessionName( $session ) );
		$this->getMain()->setCacheMode( 'private' );
		// ApiMain has no other way to send "no-store"; without max-age it would also obey the request's "maxage".
		$this->getMain()->setCacheControl( [ 'max-age' => '0, no-store' ] );
		$this->getResult()->addValue( null, $this->getModuleName(), $token + [
			'wiki' => $this->wiki->id,
			'user' => $name,
		] );
	}

	/** @inheritDoc */
	protected function getExamplesMessages() {
		return [ 'action=websocket-token' => 'apihelp-websocket-token-example' ];
	}
}
