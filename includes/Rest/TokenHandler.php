<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Rest;

use MediaWiki\Extension\WebSocket\ConnectTokens;
use MediaWiki\Extension\WebSocket\Settings;
use MediaWiki\Extension\WebSocket\WikiIdentity;
use MediaWiki\Rest\LocalizedHttpException;
use Wikimedia\Message\MessageValue;

/**
 * GET /websocket/v0/token: the same as action=websocket-token.
 */
class TokenHandler extends TokensHandler {
	public function __construct(
		private readonly ConnectTokens $tokens,
		WikiIdentity $wiki,
		Settings $settings
	) {
		parent::__construct( $wiki, $settings );
	}

	/** @inheritDoc */
	protected function answer(): array {
		$token = $this->tokens->forAuthority( $this->getAuthority(), $this->getSession()->getRequest() );
		if ( $token === null ) {
			throw new LocalizedHttpException( new MessageValue( 'apierror-readapidenied' ), 403 );
		}
		return [
			'token' => $token['token'],
			'expires' => $token['expires'],
			'wiki' => $this->wiki->id,
			'user' => $token['user'],
		];
	}
}
